"""What was received as it was written comes back, also of a segment that was never archived."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import msgspec
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.backup import BackupError, create, restore, stream
from shopflow.errors import ConfigurationError
from shopflow.postgres import postmaster
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.conftest import fast_home

SHOPFLOW = Path(sys.executable).with_name("shopflow")


@pytest.fixture
def streamed(server_directory: Path) -> Iterator[Settings]:
    directory = server_directory
    settings = settings_module.load(
        {},
        home=fast_home(directory),
        backup_url=f"file://{directory}/store",
        backup_stream_directory=directory / "stream",
    )
    Server(settings).start()
    try:
        yield settings
    finally:
        Server(settings).stop()


@contextmanager
def receiving(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`shopflow backup stream`, from when it says that it receives."""
    process = subprocess.Popen(
        [SHOPFLOW, "backup", "stream", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "SHOPFLOW_HOME": str(settings.home),
            "SHOPFLOW_BACKUP_URL": str(settings.backup_url),
            "SHOPFLOW_BACKUP_STREAM_DIRECTORY": str(settings.backup_stream_directory),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        last = "commits wait" if arguments else "receiving WAL"
        for line in process.stderr:
            if line.startswith(last):
                break
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def test_no_acknowledged_commit_is_lost_with_the_disk_when_synchronous(
    streamed: Settings, server_directory: Path
) -> None:
    create(streamed)
    server = Server(streamed)
    with receiving(streamed, "--synchronous"):
        with psycopg.connect(server.superuser_conninfo(), autocommit=True) as connection:
            connection.execute("SET synchronous_commit = on")
            connection.execute("CREATE TABLE canary (n INTEGER PRIMARY KEY)")
            connection.execute("GRANT SELECT ON canary TO PUBLIC")
            for n in range(50):
                connection.execute("INSERT INTO canary VALUES (%s)", (n,))
            second = Event()
            second.set()
            with pytest.raises(BackupError, match="received already"):
                stream(streamed, second)
        running = postmaster.running(streamed.home / "data")
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        shutil.rmtree(streamed.home / "data")
    to = server_directory / "rescued"
    restored = restore(streamed, to)
    try:
        with psycopg.connect(restored.url) as connection:
            found = connection.execute("SELECT count(*) FROM public.canary").fetchone()
            assert found == (50,)
            names = connection.execute("SHOW synchronous_standby_names").fetchone()
            assert names == ("",)
    finally:
        Server(msgspec.structs.replace(streamed, home=to)).stop()


def test_what_the_archive_has_is_removed_at_a_good_end_and_commits_wait_no_more(
    streamed: Settings,
) -> None:
    with psycopg.connect(Server(streamed).superuser_conninfo(), autocommit=True) as connection:
        with receiving(streamed, "--synchronous") as process:
            connection.execute("SET synchronous_commit = on")
            connection.execute("CREATE TABLE canary (n INTEGER)")
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            assert row is not None
            archived = Path(str(streamed.backup_url).removeprefix("file://"), "wal", f"{row[0]}.gz")
            while not archived.exists():
                connection.execute("SELECT pg_sleep(0.05)")
        assert process.returncode == 0
        connection.execute("INSERT INTO canary VALUES (1)")
        assert streamed.backup_stream_directory is not None
        assert not (streamed.backup_stream_directory / row[0]).exists()


def test_without_a_directory_nothing_is_received(live: Settings) -> None:
    with pytest.raises(ConfigurationError, match="backup_stream_directory"):
        stream(live, Event())


def test_a_stream_that_cannot_go_on_says_so_and_ends_when_told(streamed: Settings) -> None:
    assert streamed.backup_stream_directory is not None
    streamed.backup_stream_directory.mkdir()
    # As another server's: pg_receivewal would begin there, and try for ever.
    segment = streamed.backup_stream_directory / "000000010000000900000000.partial"
    segment.write_bytes(bytes(16 * 1024 * 1024))
    stopping = Event()
    stopping.set()
    stream(streamed, stopping)
    with pytest.raises(BackupError, match=r"receives nothing: .* is ahead of the WAL"):
        stream(streamed, Event(), patience=3)
