"""A server of the module's own that archives, and its store."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.backup import Backup, create
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup import s3 as s3_module
from tests.backup.s3 import Peer
from tests.conftest import fast_disk, fast_home, reachable_directory


@pytest.fixture(scope="package")
def place() -> Iterator[Path]:
    """Where the homes and the store are."""
    with reachable_directory(fast_disk()) as path:
        yield path


@pytest.fixture(scope="package")
def s3() -> Iterator[Peer]:
    """S3 on this machine, which the AWS_* variables lead to."""
    with s3_module.peer() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environ.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="package")
def live(place: Path) -> Iterator[Settings]:
    settings = settings_module.load({}, home=fast_home(place), backup_url=f"file://{place}/store")
    Server(settings).start()
    try:
        yield settings
    finally:
        Server(settings).stop()


@pytest.fixture(scope="package")
def superuser(live: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(Server(live).superuser_conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE canary (name TEXT PRIMARY KEY)")
        connection.execute("GRANT SELECT ON canary TO PUBLIC")
        yield connection


@pytest.fixture(scope="package")
def backup(live: Settings, superuser: psycopg.Connection) -> Backup:
    return create(live)


def mark(connection: psycopg.Connection, name: str) -> datetime:
    """Write a row; returns a time after its commit and before any later one."""
    connection.execute("INSERT INTO canary VALUES (%s)", (name,))
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def archived(connection: psycopg.Connection) -> None:
    """Return once everything written so far is in the archive."""
    # At a segment's beginning there is nothing to switch from.
    connection.execute("SELECT pg_current_xact_id()")
    row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert row is not None
    deadline = monotonic() + 60
    while not connection.execute(
        "SELECT FROM pg_stat_archiver WHERE last_archived_wal >= %s", row
    ).rowcount:
        assert monotonic() < deadline, "not archived"
        sleep(0.05)
