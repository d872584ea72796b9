"""32 workers over several programs do everything at once; afterwards every rule holds.

The seed is printed: `ACID_SEED=… pytest tests/acid/test_everything_at_once.py` chooses the same
operations again. `ACID_OPERATIONS` makes it larger: how many each worker does.
"""

import asyncio
import logging
import os
import random
from collections import defaultdict
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from shopflow import Shop
from shopflow.events import worker as events_worker
from shopflow.events.models import Event
from shopflow.events.worker import Worker as EventWorker
from shopflow.settings import Settings
from tests.acid.invariants import AUDIT, violations
from tests.acid.workers import ERASED, Worker
from tests.acid.world import World, opened
from tests.catalogue import run

WORKERS, PROGRAMS = 32, 4
OPERATIONS = int(os.environ.get("ACID_OPERATIONS", "40"))
MONEY = """
SELECT p.gateway_reference, p.captured_amount, p.voided_amount, (
    SELECT coalesce(sum(r.amount), 0) FROM refunds AS r
    WHERE r.payment_id = p.id AND r.status = 'succeeded'
)
FROM payments AS p WHERE p.gateway = 'sandbox' AND p.gateway_reference IS NOT NULL
"""


class Books:
    """A consumer of all events that fails now and then; keeps what it took, by order."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.taken: dict[UUID, list[int]] = defaultdict(list)

    async def take(self, event: Event) -> None:
        if self._chance.random() < 0.05:
            raise ConnectionError("the books are closed")
        positions = self.taken[event.aggregate_id]
        if event.position not in positions:
            positions.append(event.position)


@pytest.fixture
def roomy(settings: Settings) -> Settings:
    """Whoever waits for a lock or a connection gets it: the machine may be slow."""
    return msgspec.structs.replace(
        settings, pool_max_size=12, pool_timeout=60.0, lock_timeout=60.0, statement_timeout=60.0
    )


def event_worker(shop: Shop, books: Books) -> EventWorker:
    found = shop.events.worker(jobs=())
    found.consumer("books")(books.take)
    return found


async def test_everything_at_once(
    roomy: Settings, seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The books fail on purpose.
    caplog.set_level(logging.CRITICAL, "shopflow.events.worker")
    monkeypatch.setattr(events_worker, "pause_after", lambda *_: 0.02)
    books = Books(seed)
    async with opened(roomy, PROGRAMS) as world:
        async with world.shop.pool.connection() as connection:
            await connection.execute(AUDIT)
        event_workers = [event_worker(shop, books) for shop in world.programs[:2]]
        for each in event_workers:
            await each.run_once()
        running = [asyncio.create_task(each.run()) for each in event_workers]
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(Worker(world, seed, number).work(OPERATIONS))
        await finish(world)
        for each in event_workers:
            each.stop()
        await asyncio.gather(*running)
        await deliver(world, books)
        await check(world, books)
    print(dict(sorted(world.done.items())), world.slowest)  # noqa: T201 shown by -s
    assert len(world.placed) > WORKERS


async def finish(world: World) -> None:
    """Have the gateway answer all that it was asked, and recovery find what was lost."""
    await world.server.calm()
    for _ in range(3):
        found = await world.shop.orders.payments.recover(older_than=0)
        await world.server.calm()
        if found.operations == () and found.events_waiting == 0:
            return
    raise AssertionError(f"payments stay open: {found}")


async def deliver(world: World, books: Books) -> None:
    """Deliver what is left, failures tried again at once."""
    while await run(world.shop, "SELECT 1 FROM event_deliveries WHERE state = 'pending' LIMIT 1"):
        await run(
            world.shop,
            "UPDATE event_deliveries SET next_attempt_at = now() WHERE state = 'pending'",
        )
        await event_worker(world.shop, books).run_once()


async def check(world: World, books: Books) -> None:
    assert world.unexpected == []
    shop = world.shop
    for other in world.programs[1:]:
        await other.pool.close()
    async with shop.pool.connection() as connection:
        assert await violations(connection, audited=True) == {}
    assert await shop.products.stock.check() == []
    # Each key that was answered is that order; asked again, so is each that was not.
    orders = await run(shop, "SELECT idempotency_key, id, total_amount FROM orders")
    for key, order_id, _ in orders:
        if key not in world.placed and not await run(shop, ERASED, key=key):
            world.placed[key] = await shop.orders.place(world.abandoned[key])
            assert world.placed[key].id == order_id
    answered = {(key, each.id, each.total_amount) for key, each in world.placed.items()}
    assert answered <= set(orders)
    # The gateway has what we say that it has.
    kept = {row[0]: row[1:] for row in await run(shop, MONEY)}
    theirs = {
        each.id: (each.captured, each.voided, each.refunded)
        for each in world.server.books.authorizations.values()
    }
    assert kept == theirs
    assert sum((each[0] for each in theirs.values()), Decimal(0)) > 0
    # Everything was told, in order, of each order.
    told: dict[UUID, list[int]] = defaultdict(list)
    for aggregate_id, position in await run(
        shop, "SELECT aggregate_id, position FROM outbox_events ORDER BY position"
    ):
        told[aggregate_id].append(position)
    assert books.taken == told
