"""A small shop with a row in every table, and two sessions to let transactions meet."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.conftest import new_database

SHOP = (Path(__file__).parent / "shop.sql").read_bytes()
BLOCKED = (
    "SELECT FROM pg_stat_activity WHERE pid = %(pid)s AND cardinality(pg_blocking_pids(pid)) > 0"
)


@pytest.fixture
def shop(settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection in autocommit to the small shop, as psql would be."""
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute(SHOP)
        yield connection


@pytest.fixture(scope="module")
def kept_shop(
    test_server: Settings, admin: psycopg.Connection, template_database: str
) -> Iterator[psycopg.Connection]:
    """The small shop for a whole module, whose tests take back what they do."""
    with (
        new_database(admin, test_server, template=template_database) as settings,
        psycopg.connect(conninfo(settings), autocommit=True) as connection,
    ):
        connection.execute(SHOP)
        yield connection


class Meeting:
    """Two transactions, one of which is held at a point of the test's choice."""

    def __init__(
        self, first: psycopg.Connection, second: psycopg.Connection, watch: psycopg.Connection
    ) -> None:
        self.first = first
        self.second = second
        self._watch = watch
        self._thread = ThreadPoolExecutor(max_workers=1)

    def in_second(self, work: Callable[[psycopg.Connection], object]) -> Future[object]:
        """Begin `work` in the second session; returns once it waits for a lock or is done."""
        running = self._thread.submit(work, self.second)
        pid = self.second.info.backend_pid
        while not running.done() and not self._watch.execute(BLOCKED, {"pid": pid}).rowcount:
            pass
        return running

    def blocked(self, running: Future[object]) -> bool:
        """Whether the second session waits for the first."""
        return not running.done()

    def close(self) -> None:
        """End the second session's thread; a statement under way in it ends first."""
        self._thread.shutdown()


@pytest.fixture
def meeting(settings: Settings, shop: psycopg.Connection) -> Iterator[Meeting]:
    dsn = conninfo(settings)
    with psycopg.connect(dsn) as first, psycopg.connect(dsn) as second:
        found = Meeting(first, second, shop)
        yield found
        first.rollback()
        found.close()
