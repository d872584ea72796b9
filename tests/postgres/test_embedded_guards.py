"""What guards the embedded server: its data from a second one, its password from a false one."""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.errors import ServerError
from shopflow.postgres import pgpass, postmaster
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home, Recorded
from tests.conftest import fast_disk, fast_home, reachable_directory

CONTAINER = ["unshare", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
START_BESIDE = """
import subprocess, sys
from pathlib import Path
from shopflow import settings
from shopflow.errors import ServerError
from shopflow.postgres import postmaster
from shopflow.postgres.embedded import Server
home, pid = Path(sys.argv[1]), int(sys.argv[2])
# PostgreSQL takes its lock file to be stale where no process has the pid in it.
if pid:
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    assert subprocess.Popen(["sleep", "600"]).pid == pid
postmaster.ORPHANS_END_SECONDS = 0.5
try:
    print(Server(settings.load({}, home=home)).start(), flush=True)
except ServerError as error:
    print("refused:", error, flush=True)
input()
"""
CLEARTEXT_PASSWORD = struct.pack("!cii", b"R", 8, 3)


@pytest.fixture(scope="module")
def kept_server() -> Iterator[Server]:
    """A server of this module's own."""
    with reachable_directory(fast_disk()) as directory:
        found = Server(settings_module.load({}, home=fast_home(directory)))
        found.start()
        yield found
        found.stop()


@pytest.fixture
def server(kept_server: Server) -> Server:
    """The same, running: a test may have stopped it and then been skipped."""
    kept_server.start()
    return kept_server


@pytest.fixture
def home(server: Server) -> Path:
    return Path(server.status().home)


@contextmanager
def container(home: Path, pid: int = 0) -> Iterator[str]:
    """What a start says among other processes than ours, all of which end afterwards."""
    tried = subprocess.run([*CONTAINER, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no process namespace can be made: {tried.stderr.decode().strip()}")
    command = [*CONTAINER, sys.executable, "-c", START_BESIDE, str(home), str(pid)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate("\n", timeout=30)


def test_every_process_of_the_server_holds_its_lock(home: Path, server: Server) -> None:
    with psycopg.connect(server.url()) as connection:
        leader = psutil.Process(server.status().pid)
        processes = [leader, *leader.children(recursive=True)]
        assert connection.info.backend_pid in {process.pid for process in processes}
        for process in processes:
            held = {Path(file.path) for file in process.open_files()}
            assert home / "server.lock" in held, process.cmdline()


@pytest.mark.parametrize("same_pid", [True, False])
def test_another_container_starts_no_second_server(
    home: Path, server: Server, same_pid: bool
) -> None:
    file, record = home / "data" / "postmaster.pid", home / "server.json"
    before, pid = (file.read_bytes(), record.read_bytes()), server.status().pid
    assert pid is not None
    with container(home, pid if same_pid else 0) as said:
        assert said.startswith("refused:"), said
        assert "server.lock is held: a server runs on" in said
        assert "in another container" in said
    assert (file.read_bytes(), record.read_bytes()) == before
    assert server.start() == "attached"
    assert server.status().pid == pid


def test_a_server_in_a_container_is_left_alone_and_followed(
    home: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    monkeypatch.setattr(postmaster, "ORPHANS_LEAVE_SECONDS", 0.0)
    monkeypatch.setattr(postmaster, "ORPHANS_END_SECONDS", 0.5)
    with container(home) as said:
        assert said == "started"
        with psycopg.connect(server.url()) as connection:
            with pytest.raises(ServerError, match=r"server.lock is held.*another container"):
                server.start()
            # SIGTERM would have ended it, or at least let nobody in any more.
            connection.execute("SELECT")
        psycopg.connect(server.url()).close()
    assert server.start() == "started"


@contextmanager
def false_server() -> Iterator[tuple[int, list[bytes]]]:
    """Listen on a port, ask the first who connects for a clear password, and keep what comes."""
    received: list[bytes] = []

    def serve() -> None:
        with listener.accept()[0] as client:
            client.settimeout(10)
            client.recv(int.from_bytes(client.recv(4, socket.MSG_WAITALL)) - 4, socket.MSG_WAITALL)
            client.sendall(CLEARTEXT_PASSWORD)
            received.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join()


@pytest.mark.parametrize("way", ["conninfo", "with password"])
def test_a_false_server_on_the_port_gets_no_password(server_directory: Path, way: str) -> None:
    settings = settings_module.load({}, home=fast_home(server_directory))
    home = Home(settings.home)
    password, _ = pgpass.ensure(home, "shopflow_owner")
    with false_server() as (port, received):
        home.write(home.record, msgspec.json.encode(Recorded(port)))
        target = {
            "conninfo": conninfo(settings),
            "with password": Server(settings).url(with_password=True),
        }[way]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(target)
    # The one for programs without libpq can't say so; it also shows that our server works.
    expected = password.encode() if way == "with password" else b""
    assert received[0][5:-1] == expected
