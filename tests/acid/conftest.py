"""Two programs on one database and somebody in psql; README.md says which attack is which test."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from psycopg import AsyncConnection

import shopflow
from shopflow import Shop
from shopflow.orders.grouping import GroupCheckout, _Caller
from shopflow.orders.placing import Answer
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.orders.conftest import filled
from tests.waiting import waiting

__all__ = ["filled"]
T = TypeVar("T")


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Shop]:
    """The same shop, opened by another program."""
    async with shopflow.open(settings) as found:
        yield found


@pytest.fixture
async def psql(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A session in a transaction, as of somebody in psql."""
    async with await AsyncConnection.connect(conninfo(settings)) as found:
        yield found


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkout gives way after half a second of waiting, which a slow machine may need itself."""
    attempt = GroupCheckout._attempt

    async def patiently(
        self: GroupCheckout, callers: Sequence[_Caller], *, patient: bool
    ) -> list[Answer]:
        del patient
        return await attempt(self, callers, patient=True)

    monkeypatch.setattr(GroupCheckout, "_attempt", patiently)


@pytest.fixture
def seed() -> int:
    """What the random choices of a test follow from; shown when it fails."""
    found = int(os.environ.get("ACID_SEED") or random.SystemRandom().randrange(10**6))
    print(f"ACID_SEED={found}")  # noqa: T201
    return found


@asynccontextmanager
async def held(shop: Shop, rows: str) -> AsyncIterator[None]:
    """Hold rows such as `products`, so that whoever wants them stops there until the block ends."""
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute(f"SELECT FROM {rows} FOR UPDATE".encode())
        yield


async def stopped(shop: Shop, *calls: Awaitable[T]) -> list[asyncio.Future[T]]:
    """Begin calls one after the other; returns when each of them waits for a lock."""
    begun: list[asyncio.Future[T]] = []
    for call in calls:
        begun.append(asyncio.ensure_future(call))
        await waiting(shop, len(begun))
    return begun


async def ends(*begun: Awaitable[T]) -> list[T | BaseException]:
    """What came of calls, errors too."""
    return await asyncio.gather(*begun, return_exceptions=True)
