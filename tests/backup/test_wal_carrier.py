"""WAL goes to S3 encrypted and comes back, whatever is killed or errs in between."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import msgspec
import psutil
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.backup import BackupError, Store, Target, create, restore
from shopflow.backup.encryption import Key, new_key
from shopflow.backup.wal_carrier import fetching, pushing
from shopflow.backup.wal_files import WalFiles
from shopflow.errors import ConfigurationError
from shopflow.postgres import server_user, wal_handover
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home
from shopflow.postgres.wal_handover import CARRIER
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark
from tests.backup.s3 import SECRET, Peer
from tests.conftest import fast_home

KEY = new_key()
SEGMENT = "000000010000000000000002"
NEXT = "000000010000000000000003"


@pytest.fixture(scope="module")
def shipped(place: Path, s3: Peer) -> Iterator[Settings]:
    """A server whose WAL goes to S3, encrypted."""
    (place / "shipped").mkdir()
    home = fast_home(place / "shipped")
    settings = settings_module.load({}, home=home, backup_url=f"{s3.url}/shipped", backup_key=KEY)
    Server(settings).start()
    try:
        yield settings
    finally:
        Server(settings).stop()


@pytest.fixture
def superuser(shipped: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(Server(shipped).superuser_conninfo(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS canary")
        connection.execute("CREATE TABLE canary (name TEXT PRIMARY KEY)")
        connection.execute("GRANT SELECT ON canary TO PUBLIC")
        yield connection


def eventually(seen: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not seen():
        assert monotonic() < deadline
        sleep(0.02)


def carriers(settings: Settings) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        environ = process.info["environ"] or {}
        if CARRIER in (process.info["cmdline"] or []) and environ.get("SHOPFLOW_HOME") == str(
            settings.home
        ):
            found.append(process)
    return found


def test_a_shop_goes_to_s3_encrypted_and_comes_back_at_a_time(
    shipped: Settings, superuser: psycopg.Connection, place: Path
) -> None:
    backup = create(shipped)
    target = mark(superuser, "before")
    mark(superuser, "after")
    superuser.execute("CREATE TABLE load AS SELECT generate_series(1, 300000) AS number")
    archived(superuser)
    restored = restore(shipped, place / "from-s3", Target(target))
    new = msgspec.structs.replace(shipped, home=place / "from-s3", backup_url=None)
    try:
        assert restored.backup == backup.name
        with psycopg.connect(restored.url) as connection:
            rows = connection.execute("SELECT name FROM public.canary").fetchall()
            assert rows == [("before",)]
        # Nothing of what brought the WAL stays.
        assert not Home(new.home).spool.exists()
    finally:
        Server(new).stop()
    store = Store(shipped)
    for name in store.names("wal"):
        content = b"".join(store.get(f"wal/{name}"))
        assert content.startswith(b"age-encryption.org/v1"), name


def test_no_secret_is_where_others_can_read_it(
    shipped: Settings, superuser: psycopg.Connection
) -> None:
    archived(superuser)
    (home, account) = Home(shipped.home), server_user.find_account(shipped.server_user)
    texts = [path.read_bytes() for path in home.path.rglob("*.conf")]
    texts += [path.read_bytes() for path in home.log.iterdir()]
    texts += [
        " ".join(process.cmdline()).encode()
        for process in psutil.process_iter()
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]
    for text in texts:
        assert SECRET.encode() not in text
        assert KEY.encode() not in text
    running = [each for each in carriers(shipped) if "python" in each.name()]
    assert [each.uids().effective for each in running] == [account.uid]


def test_wal_waits_while_s3_errs_and_goes_on_afterwards(
    shipped: Settings, superuser: psycopg.Connection, s3: Peer
) -> None:
    def failures() -> int:
        row = superuser.execute("SELECT failed_count FROM pg_stat_archiver").fetchone()
        assert row is not None
        return int(row[0])

    archived(superuser)
    before = failures()
    with s3.failing("denied"):
        mark(superuser, "while S3 errs")
        superuser.execute("SELECT pg_switch_wal()")
        eventually(lambda: failures() > before)
    logged = (Home(shipped.home).log / "wal-carrier.log").read_text()
    assert "AccessDenied" in logged
    archived(superuser)


def test_a_carrier_that_is_killed_comes_back(
    shipped: Settings, superuser: psycopg.Connection
) -> None:
    (old,) = [each for each in carriers(shipped) if "python" in each.name()]
    old.send_signal(signal.SIGKILL)
    mark(superuser, "while nobody carries")
    archived(superuser)
    (new,) = [each for each in carriers(shipped) if "python" in each.name()]
    assert new.pid != old.pid


def test_a_segment_that_is_damaged_in_s3_is_not_taken_for_the_end(
    shipped: Settings, superuser: psycopg.Connection, place: Path
) -> None:
    backup = create(shipped)
    archived(superuser)
    store, path = Store(shipped), f"wal/{backup.start_wal}.zst.age"
    content = b"".join(store.get(path))
    store.put(path, iter([content[:-100]]))
    try:
        with pytest.raises(BackupError, match="could not restore file"):
            restore(shipped, place / "damaged")
    finally:
        store.put(path, iter([content]))


def test_the_carrier_ends_with_the_server(shipped: Settings) -> None:
    assert Server(shipped).start() == "attached"
    assert carriers(shipped)
    Server(shipped).stop()
    # Its keeper needs a moment to see it.
    eventually(lambda: not carriers(shipped))
    assert Server(shipped).start() == "started"


def test_a_key_that_cannot_be_used_is_refused_when_the_server_starts(place: Path, s3: Peer) -> None:
    (place / "keyless").mkdir()
    settings = settings_module.load(
        {},
        home=fast_home(place / "keyless"),
        backup_url=s3.url,
        backup_key_file=str(place / "no-such-key"),
    )
    with pytest.raises(ConfigurationError, match="no-such-key cannot be read"):
        Server(settings).start()
    assert Server(settings).state() == "stopped"


def test_a_python_that_cannot_be_run_is_told(
    place: Path, s3: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(place / "no-python")
    account = server_user.find_account("shopflow")
    home.make(account)
    home.make_directories(account)
    wal_handover.prepare(home, account)
    closed = place / "closed-python"
    closed.write_bytes(b"")
    monkeypatch.setattr(sys, "executable", str(closed))
    settings = settings_module.load({}, home=home.path, backup_url=s3.url)
    with pytest.raises(ConfigurationError, match="exit code 126"):
        wal_handover.ensure(home, account, settings)


class Asking:
    """A carrier in a thread, with a data directory of its own, and the commands that ask it."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "it's $HOME")
        self.wal = self.home.data / "pg_wal"
        (self.wal / "archive_status").mkdir(parents=True)
        account = server_user.Account("", os.geteuid(), os.getegid(), switch=False)
        self.command = wal_handover.prepare(self.home, account)
        self.settings = settings_module.load({}, backup_url=f"file://{root}/store")

    def archive(self, name: str) -> subprocess.CompletedProcess[str]:
        line = self.command.replace("%p", f"pg_wal/{name}").replace("%f", name)
        return subprocess.run(
            ["/bin/sh", "-c", line], cwd=self.home.data, capture_output=True, text=True, check=False
        )

    @contextmanager
    def carried(self) -> Iterator[None]:
        files = WalFiles(Store(self.settings), Key(KEY))
        carrier, ended = pushing(files, self.home.data, self.home.spool), Event()
        (self.home.spool / "pid").write_text(f"{os.getpid()}\n")
        thread = Thread(target=carrier.run, args=(lambda: not ended.is_set(),))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            (self.home.spool / "pid").unlink()


def test_the_command_answers_for_what_is_in_the_store_and_fails_countably(tmp_path: Path) -> None:
    asking = Asking(tmp_path)
    (asking.wal / SEGMENT).write_bytes(b"wal" * 1000)
    (asking.wal / NEXT).write_bytes(b"next" * 1000)
    (asking.wal / "archive_status" / f"{NEXT}.ready").touch()
    dead = asking.archive(SEGMENT)
    assert (dead.returncode, "shopflow up" in dead.stderr) == (1, True)
    with asking.carried():
        assert asking.archive(SEGMENT).returncode == 0
        assert asking.archive(SEGMENT).returncode == 0
        assert asking.archive("no-name").returncode == 1
        assert asking.archive("0000000100000000000000FF").returncode == 1
        assert asking.archive(NEXT).returncode == 0
        (asking.wal / SEGMENT).write_bytes(b"another")
        other = asking.archive(SEGMENT)
        assert (other.returncode, "another file of that name" in other.stderr) == (1, True)
    assert len(Store(asking.settings).names("wal")) == 2
    # What an earlier answer left is none to the next question.
    assert asking.archive(NEXT).returncode == 1


def test_a_script_that_a_full_disk_left_empty_archives_nothing(tmp_path: Path) -> None:
    asking = Asking(tmp_path)
    (asking.wal / SEGMENT).write_bytes(b"wal" * 1000)
    with asking.carried():
        (asking.home.path / wal_handover.SCRIPT.name).write_bytes(b"")
        assert asking.archive(SEGMENT).returncode == 1
    assert Store(asking.settings).names("wal") == []


def test_a_recovery_gets_what_is_there_ahead_of_asking(tmp_path: Path) -> None:
    settings = settings_module.load({}, backup_url=f"file://{tmp_path}/store")
    files = WalFiles(Store(settings), None)
    for name in (SEGMENT, NEXT):
        files.push(name, name.encode())
    spool, ended = tmp_path / "spool", Event()
    spool.mkdir()
    carrier = fetching(WalFiles(Store(settings), None), spool)
    (spool / f"{SEGMENT}.ask").touch()
    (spool / "00000002.history.ask").touch()
    thread = Thread(target=carrier.run, args=(lambda: not ended.is_set(),))
    thread.start()
    try:
        eventually((spool / "00000002.history.missing").exists)
        eventually((spool / f"{NEXT}.segment").exists)
        assert (spool / f"{SEGMENT}.segment").read_bytes() == SEGMENT.encode()
    finally:
        ended.set()
        thread.join()
