"""A pool on a database of the test's own, and a look at it from the server's side."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest

from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

Opened = Callable[..., AbstractAsyncContextManager[Pool]]
Backends = Callable[[], set[int]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def opened(empty_settings: Settings) -> Opened:
    """A pool with some settings changed."""

    @asynccontextmanager
    async def open_pool(**changes: object) -> AsyncIterator[Pool]:
        pool = Pool(msgspec.structs.replace(empty_settings, **changes))
        await pool.open()
        try:
            yield pool
        finally:
            await pool.close()

    return open_pool


@pytest.fixture
async def pool(opened: Opened) -> AsyncIterator[Pool]:
    async with opened() as found:
        yield found


@pytest.fixture
def database(empty_settings: Settings) -> str:
    return urlsplit(empty_settings.database_url or "").path.removeprefix("/")


@pytest.fixture
def backends(database: str, admin: psycopg.Connection) -> Backends:
    """The pids of those connected to the test's database."""

    def pids() -> set[int]:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %(database)s",
            {"database": database},
        )
        return {pid for (pid,) in rows}

    return pids


@pytest.fixture
def until() -> Until:
    """Waits for a condition, with a bound."""

    async def wait(condition: Callable[[], bool]) -> None:
        deadline = monotonic() + 10
        while not condition():
            assert monotonic() < deadline, "did not happen in time"
            await asyncio.sleep(0.01)

    return wait
