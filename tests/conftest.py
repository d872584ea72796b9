"""A real PostgreSQL for the tests: one server a worker, a clone of the migrated database a test."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil
import psycopg
import pytest
from psycopg import sql
from xdist.scheduler import LoadScopeScheduling

import shopflow
from shopflow import Shop
from shopflow import settings as settings_module
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# Nothing of a test has to survive the machine's crash, and many servers may run at once.
TEST_CONFIG = """
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 128MB
max_wal_size = 256MB
temp_file_limit = 1GB
"""
# A database is 350 files: a clone takes 0.3 s on this machine's disk and 0.03 s in memory.
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 mkdtemp makes the directories
ORDINARY_DISK = Path("/tmp")  # noqa: S108
MEMORY_NEEDED = 4 * 1024**3
# Tests that share what takes a minute to make go to one of pytest's workers.
TOGETHER = ("tests/plans/", "tests/bench/", "tests/backup/")
_numbers = itertools.count(1)


class Scheduler(LoadScopeScheduling):
    """Gives the tests of a package of TOGETHER to one worker, and every other test to any."""

    def _split_scope(self, nodeid: str) -> str:
        return next((each for each in TOGETHER if nodeid.startswith(each)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduler:
    """Called by pytest-xdist."""
    return Scheduler(config, log)


@contextmanager
def reachable_directory(parent: Path = ORDINARY_DISK) -> Iterator[Path]:
    """A new directory that the server's user can enter: as root, pytest's own are closed to it."""
    path = Path(tempfile.mkdtemp(prefix="shopflow-test-", dir=parent))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """For the tests that need a server of their own."""
    with reachable_directory() as path:
        yield path


def fast_disk() -> Path:
    """Where many small files are made fastest."""
    if not MEMORY_DISK.is_dir():
        return ORDINARY_DISK
    # The directory may be as large as all memory: what is free there need not be free to take.
    free = min(shutil.disk_usage(MEMORY_DISK).free, psutil.virtual_memory().available)
    return MEMORY_DISK if free > MEMORY_NEEDED else ORDINARY_DISK


def fast_home(directory: Path) -> Path:
    """A home whose server will not sync its files."""
    home = directory / "home"
    (home / "conf.d").mkdir(parents=True)
    (home / "conf.d" / "test.conf").write_text(TEST_CONFIG)
    return home


@pytest.fixture(scope="session")
def test_server() -> Iterator[Settings]:
    with reachable_directory(fast_disk()) as directory:
        settings = settings_module.load({}, home=fast_home(directory))
        server = Server(settings)
        server.start()
        try:
            yield settings
        finally:
            server.stop()


@pytest.fixture(scope="session")
def admin(test_server: Settings) -> Iterator[psycopg.Connection]:
    """A connection as the superuser, in autocommit."""
    with psycopg.connect(Server(test_server).superuser_conninfo(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template_database(test_server: Settings, admin: psycopg.Connection) -> str:
    """The name of a database that the migrations made; nobody connects to it."""
    from shopflow.migrations import runner  # noqa: PLC0415 only tests with a schema need it

    name = "template_shop"
    _create(admin, name, test_server)
    runner.up(_for_database(test_server, name))
    return name


@pytest.fixture
def settings(
    test_server: Settings, admin: psycopg.Connection, template_database: str
) -> Iterator[Settings]:
    """Settings for a database of the test's own, with the newest schema."""
    with new_database(admin, test_server, template=template_database) as found:
        yield found


@pytest.fixture
def empty_settings(test_server: Settings, admin: psycopg.Connection) -> Iterator[Settings]:
    """Settings for an empty database of the test's own."""
    with new_database(admin, test_server) as found:
        yield found


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection to the test's database, as the pool would make it."""
    from shopflow.postgres.conninfo import conninfo  # noqa: PLC0415

    async with await psycopg.AsyncConnection.connect(conninfo(settings)) as found:
        yield found


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    """The shop on the test's own database, open."""
    async with shopflow.open(settings) as found:
        yield found


@contextmanager
def new_database(
    admin: psycopg.Connection, server: Settings, template: str = "template1"
) -> Iterator[Settings]:
    """A database of the caller's own, dropped afterwards."""
    name = f"test_{next(_numbers)}"
    _create(admin, name, server, template)
    try:
        yield _for_database(server, name)
    finally:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _create(
    admin: psycopg.Connection, name: str, server: Settings, template: str = "template1"
) -> None:
    admin.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(f"{server.schema}_owner"), sql.Identifier(template)
        )
    )


def _for_database(server: Settings, name: str) -> Settings:
    url = urlsplit(Server(server).url())._replace(path=f"/{name}").geturl()
    return msgspec.structs.replace(server, database_url=url)
