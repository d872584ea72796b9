"""The server is killed at random moments: what was acknowledged is there, and nothing is twice."""

import asyncio
import logging
import os
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shopflow.events import worker as events_worker
from shopflow.events.models import Event
from shopflow.ids import CartId, OrderId, PaymentId, ReturnId, ShipmentId
from shopflow.orders.errors import OutOfStockError
from shopflow.orders.models import PlacedOrder
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.settings import Settings
from tests.acid.crashing import Crashes, durable_server, for_programs, until_known
from tests.acid.invariants import violations
from tests.acid.world import Goods, World, opened
from tests.catalogue import run
from tests.orders.conftest import order

BUYERS, PROGRAMS = 12, 2
MORE = "UPDATE products SET stock_quantity = 500 WHERE stock_quantity = 60 AND NOT has_variants"
ORDERS = int(os.environ.get("ACID_ORDERS", "8"))
CRASHES = int(os.environ.get("ACID_CRASHES", "4"))


class Log(msgspec.Struct):
    """What clients were told, kept where no server's crash reaches it."""

    placed: dict[str, PlacedOrder] = {}
    refused: set[str] = set()
    paid: dict[OrderId, PaymentId] = {}
    sent: dict[OrderId, ShipmentId] = {}
    back: dict[OrderId, ReturnId] = {}
    cancelled: set[OrderId] = set()
    refunded: dict[OrderId, PaymentId] = {}


@pytest.fixture(scope="module")
def durable() -> Iterator[Settings]:
    with durable_server() as settings:
        yield settings


class Buyer:
    """A client that goes on through every crash, and repeats each request until it is answered."""

    def __init__(self, world: World, crashes: Crashes, log: Log, seed: int, number: int) -> None:
        self.world, self.crashes, self.log = world, crashes, log
        self.chance = random.Random(f"{seed}/{number}")
        self.number = number

    async def buy(self, orders: int) -> None:
        for turn in range(orders):
            key = f"{self.number}-{turn}"
            placed = await self._place(key)
            if placed is not None:
                await self._go_on(key, placed)

    async def _place(self, key: str) -> PlacedOrder | None:
        goods = self.world.goods[self.chance.randrange(5)]
        cart_id = await self._filled(key, goods, self.chance.randint(1, 2))
        checkout = order(cart_id, idempotency_key=key)
        try:
            # In any of the programs: also in another one than the first time.
            placed = await until_known(
                lambda: self.chance.choice(self.world.programs).orders.place(checkout)
            )
        except OutOfStockError:
            self.log.refused.add(key)
            return None
        self.log.placed[key] = placed
        await self.crashes.acknowledged()
        return placed

    async def _filled(self, key: str, goods: Goods, quantity: int) -> CartId:
        carts = self.chance.choice(self.world.programs).carts
        cart_id = await until_known(partial(carts.open, session_id=key))
        # An answer may be lost of a line that was added: so it is set to what it has to be.
        while not (items := (await until_known(partial(carts.get, cart_id=cart_id))).items):
            await until_known(partial(carts.add, cart_id, *goods))
        await until_known(partial(carts.set_quantity, cart_id, items[0].id, quantity))
        return cart_id

    async def _go_on(self, key: str, placed: PlacedOrder) -> None:
        shop, fate = self.chance.choice(self.world.programs), self.chance.random()
        if fate < 0.2:
            await until_known(lambda: shop.orders.cancel(placed.id))
            self.log.cancelled.add(placed.id)
        elif fate < 0.9:
            await self._pay(key, placed)
        await self.crashes.acknowledged()

    async def _pay(self, key: str, placed: PlacedOrder) -> None:
        payments = self.chance.choice(self.world.programs).orders.payments
        while True:
            paid = await until_known(
                lambda: payments.pay(
                    placed.id, gateway="sandbox", token="tok_visa", idempotency_key=f"pay-{key}"
                )
            )
            if paid.succeeded and paid.kind == "capture":
                break
            if paid.status in {"declined", "failed"}:
                # Given up by recovery beside us.
                return
        self.log.paid[placed.id] = paid.payment_id
        await self.crashes.acknowledged()
        await self._deliver(key, placed, paid.payment_id)

    async def _deliver(self, key: str, placed: PlacedOrder, payment_id: PaymentId) -> None:
        shop = self.chance.choice(self.world.programs)
        parcel = Parcel(order_id=placed.id, carrier="DHL", idempotency_key=f"parcel-{key}")
        self.log.sent[placed.id] = await until_known(lambda: shop.orders.ship(parcel))
        await self.crashes.acknowledged()
        if self.chance.random() < 0.5:
            return
        (item,) = (await until_known(lambda: shop.orders.get(placed.id))).items
        request = ReturnRequest(
            order_id=placed.id,
            lines=[ReturnLine(item.id, 1, restock=True)],
            idempotency_key=f"return-{key}",
        )
        # It is paid back with it, and asked again as long as the gateway's answer is missing.
        returned = await until_known(lambda: shop.orders.return_items(request))
        while not all(each.succeeded for each in returned.refunds):
            returned = await until_known(lambda: shop.orders.return_items(request))
        self.log.back[placed.id] = returned.id
        (refund,) = returned.refunds
        assert (refund.payment_id, refund.amount) == (payment_id, returned.refund_amount)
        self.log.refunded[placed.id] = payment_id
        await self.crashes.acknowledged()


async def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    durable: Settings, seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(events_worker, "pause_after", lambda *_: 0.02)
    crashes, log = Crashes(durable, seed), Log()
    taken: dict[UUID, list[int]] = {}
    async with opened(for_programs(durable), PROGRAMS) as world:
        # There is enough of all but the first.
        await run(world.shop, MORE)
        workers = [shop.events.worker(jobs=()) for shop in world.programs]

        async def take(event: Event) -> None:
            taken.setdefault(event.aggregate_id, []).append(event.position)

        for each in workers:
            each.consumer("books")(take)
            await each.run_once()
        running = [asyncio.create_task(each.run()) for each in workers]
        async with asyncio.TaskGroup() as group:
            group.create_task(crashes.crash(CRASHES, (6, 30)))
            for number in range(BUYERS):
                group.create_task(Buyer(world, crashes, log, seed, number).buy(ORDERS))
        assert len(crashes.kinds) == CRASHES
        await _finish(world)
        for each in workers:
            each.stop()
        await asyncio.gather(*running)
        await _deliver_rest(world, take)
        assert world.unexpected == []
        await check(world, log)
        assert await _positions(world) == {key: _first(value) for key, value in taken.items()}


async def _finish(world: World) -> None:
    await world.server.calm()
    for _ in range(3):
        found = await until_known(lambda: world.shop.orders.payments.recover(older_than=0))
        await world.server.calm()
        if found.operations == () and found.events_waiting == 0:
            return
    raise AssertionError(f"payments stay open: {found}")


async def _deliver_rest(world: World, take: Any) -> None:
    """A lease of before a crash ends by itself, in a minute; here at once."""
    hurry = (
        "UPDATE event_deliveries SET next_attempt_at = now(),"
        " leased_until = CASE WHEN lease IS NOT NULL THEN now() END WHERE state = 'pending'"
    )
    while await run(world.shop, "SELECT 1 FROM event_deliveries WHERE state = 'pending' LIMIT 1"):
        await run(world.shop, hurry)
        rest = world.shop.events.worker(jobs=())
        rest.consumer("books")(take)
        await rest.run_once()


def _first(positions: list[int]) -> list[int]:
    """Each event when it came first: at least once is what is promised."""
    return list(dict.fromkeys(positions))


async def _positions(world: World) -> dict[UUID, list[int]]:
    rows = await run(
        world.shop,
        "SELECT aggregate_id, array_agg(position ORDER BY position) FROM outbox_events GROUP BY 1",
    )
    return dict(rows)


async def check(world: World, log: Log) -> None:
    shop = world.shop
    for other in world.programs[1:]:
        await other.pool.close()
    async with shop.pool.connection() as connection:
        assert await violations(connection) == {}
    assert await shop.products.stock.check() == []
    placed = {(key, each.id, each.total_amount) for key, each in log.placed.items()}
    orders = set(await run(shop, "SELECT idempotency_key, id, total_amount FROM orders"))
    assert orders == placed
    assert len(log.placed) + len(log.refused) == BUYERS * ORDERS
    rows = await run(shop, "SELECT id FROM orders WHERE status = 'cancelled'")
    assert {order_id for (order_id,) in rows} == log.cancelled
    # Whatever was paid, sent, taken back or paid back is there, once.
    for told, query in (
        (log.paid, "SELECT order_id, id FROM payments WHERE captured_amount > 0"),
        (log.sent, "SELECT order_id, id FROM order_shipments"),
        (log.back, "SELECT order_id, id FROM order_returns"),
        (
            log.refunded,
            "SELECT p.order_id, p.id FROM refunds AS r JOIN payments AS p ON p.id = r.payment_id"
            " WHERE r.status = 'succeeded'",
        ),
    ):
        found = await run(shop, query)
        assert len(found) == len(dict(found))
        assert dict(found) == told
    books = world.server.books.authorizations.values()
    ((taken, given),) = await run(
        shop,
        "SELECT sum(captured_amount), (SELECT sum(amount) FROM refunds WHERE status = 'succeeded')"
        " FROM payments",
    )
    assert taken == sum((each.captured for each in books), Decimal(0))
    assert given == sum((each.refunded for each in books), Decimal(0))
