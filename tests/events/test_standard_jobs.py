"""The standing jobs on a real shop, run by `shopflow worker` as its user runs it."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import shopflow
from shopflow import Shop
from shopflow.events.standard_jobs import standard_jobs
from shopflow.ids import OrderId
from shopflow.orders.payments.manual import Manual
from shopflow.orders.payments.sandbox_server import SandboxServer
from shopflow.products import Draft, PriceRule, Selection
from shopflow.settings import Settings
from tests.carts.test_expiry import age
from tests.catalogue import a_product, run
from tests.cli.conftest import SHOPFLOW, environment
from tests.orders.conftest import order
from tests.orders.payments.conftest import (
    API_KEY,
    SECRET,
    authorized,
    client,
    consistent,
    paid,
    totals,
)
from tests.orders.sales import a_sale, a_used_coupon, stock, uses

GATEWAYS = "shopflow.orders.payments.sandbox:from_environment"
PRICE = Decimal("20.00")
TWO_MINUTES_AGO = "UPDATE payment_operations SET attempted_at = now() - interval '2 minutes'"


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    found = SandboxServer(api_key=API_KEY, webhook_secret=SECRET)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def shop(settings: Settings, server: SandboxServer) -> AsyncIterator[Shop]:
    async with shopflow.open(settings, gateways={"sandbox": client(server)}) as found:
        yield found


@pytest.fixture
def worker(settings: Settings, server: SandboxServer) -> Callable[..., list[Any]]:
    """What a worker's process is started with: arguments, and then its environment."""

    def given(*arguments: str) -> list[Any]:
        return [
            [SHOPFLOW, "worker", *arguments],
            environment(
                SHOPFLOW_DATABASE_URL=settings.database_url,
                SHOPFLOW_GATEWAYS=GATEWAYS,
                SANDBOX_URL=server.url,
                SANDBOX_API_KEY=API_KEY,
                SANDBOX_WEBHOOK_SECRET=SECRET,
            ),
        ]

    return given


async def an_order_of_one(shop: Shop, number: int = 0) -> OrderId:
    cart_id = await shop.carts.open(session_id=f"guest-{number}")
    await shop.carts.add(cart_id, await a_product(shop))
    return (await shop.orders.place(order(cart_id))).id


async def cancelled_and_not_refunded(settings: Settings, shop: Shop, number: int) -> OrderId:
    """As after a crash between the commit and the call: by a process without the gateway."""
    order_id = await an_order_of_one(shop, number)
    await paid(shop, order_id)
    async with shopflow.open(settings) as other:
        (left,) = (await other.orders.cancel(order_id)).outcomes
    assert left.status == "pending"
    return order_id


async def test_a_worker_does_all_that_is_due(
    settings: Settings, shop: Shop, server: SandboxServer, worker: Callable[..., list[Any]]
) -> None:
    # Each before what it must not touch.
    for name, days in (("old", 31), ("new", 29)):
        await age(shop, await shop.carts.open(session_id=name), days)
    unpaid = await a_sale(shop, 2, status="pending", age="25 hours")
    coupon = await a_used_coupon(shop, unpaid)
    young = await a_sale(shop, 2, status="pending", age="23 hours")
    lost = await an_order_of_one(shop, 1)
    server.fail_next("timeout_after", "capture")
    assert not (await shop.orders.payments.pay(lost, gateway="sandbox", token="tok_visa")).succeeded
    cancelled = await cancelled_and_not_refunded(settings, shop, 2)
    ended = await an_order_of_one(shop, 3)
    await authorized(shop, ended)
    await run(
        shop,
        "UPDATE payments SET authorization_expires_at = now() WHERE status = 'authorized'"
        " AND order_id = %(id)s",
        id=ended,
    )
    await run(shop, TWO_MINUTES_AGO)
    under_way = await cancelled_and_not_refunded(settings, shop, 4)
    await run(
        shop,
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type)"
        " VALUES (uuidv7('-31 days'), 'order', uuidv7(), 'order.placed')",
    )
    on_sale = await a_product(shop, price="20.00")
    preview = await shop.products.bulk.plan(
        Draft("Sale"),
        Selection(product_ids=(on_sale,)),
        PriceRule(step="fixed", by=Decimal("15.00")),
    )
    assert preview.id is not None
    await shop.products.bulk.schedule(preview.id, datetime.now(UTC))
    command, environ = worker("--once", "--json")
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert msgspec.json.decode(said)["jobs"] == {
        "clean_accounts": 0,
        "count_sales": 4,
        "count_search_words": 1,
        "expire_authorizations:manual": 0,
        "expire_authorizations:sandbox": 1,
        "expire_carts": 1,
        "expire_events": 1,
        "expire_unpaid_orders": 1,
        "recover_payments:manual": 0,
        "recover_payments:sandbox": 2,
        "run_due_bulk_changes": 1,
        "refresh_popularity": 4,
        "refresh_search": 0,
    }
    assert (await shop.products.get(on_sale)).price == Decimal("15.00")
    assert await run(shop, "SELECT count(*) FROM carts WHERE session_id IN ('old', 'new')") == [
        (1,)
    ]
    assert (await stock(shop, unpaid.products[0]), await uses(shop, coupon)) == (10, 0)
    assert await stock(shop, young.products[0]) == 8
    found = {
        each: (await shop.orders.get(each)).payment_status
        for each in (lost, cancelled, ended, under_way)
    }
    assert found == {lost: "paid", cancelled: "refunded", ended: "unpaid", under_way: "paid"}
    await consistent(shop)


async def test_of_workers_that_share_one_is_killed_and_no_money_is_lost_or_sent_twice(
    settings: Settings, shop: Shop, server: SandboxServer, worker: Callable[..., list[Any]]
) -> None:
    """SIGKILL while the gateway has made a refund and not answered; leases are made to run out."""
    orders = [await cancelled_and_not_refunded(settings, shop, n) for n in range(10)]
    await run(shop, TWO_MINUTES_AGO)
    while not server.arrived.empty():
        server.arrived.get_nowait()
    server.fail_next("timeout_after", "refund")
    command, environ = worker()

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)

    victim = start()
    others: list[subprocess.Popen[bytes]] = []
    try:
        async with asyncio.timeout(30):
            assert await server.arrived.get() == "refund"
            while sum(refunded for *_, refunded in totals(server)) < PRICE:
                await asyncio.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        assert len(await run(shop, "SELECT name FROM worker_jobs WHERE lease IS NOT NULL")) >= 1
        await run(shop, TWO_MINUTES_AGO + " WHERE status <> 'succeeded'")
        await run(shop, "UPDATE worker_jobs SET leased_until = now() WHERE lease IS NOT NULL")
        others = [start(), start()]
        await _until(lambda: _all_refunded(shop))
    finally:
        for each in (victim, *others):
            each.send_signal(signal.SIGTERM)
        ends = [await asyncio.to_thread(each.wait, 60) for each in (victim, *others)]
    # One that is still importing is ended by the signal itself.
    assert set(ends[1:]) <= {0, -signal.SIGTERM}
    assert totals(server) == [(PRICE, PRICE, 0, PRICE)] * len(orders)
    refunds = await run(shop, "SELECT status, amount FROM refunds")
    assert refunds == [("succeeded", PRICE)] * len(orders)
    await consistent(shop)


async def test_a_job_is_there_as_the_settings_and_the_gateways_say(settings: Settings) -> None:
    never = msgspec.structs.replace(settings, guest_cart_days=0, unpaid_order_minutes=0)
    names = {job.name for job in standard_jobs(never, {"bank": Manual()})}
    assert names == {
        "expire_events",
        "clean_accounts",
        "run_due_bulk_changes",
        "refresh_search",
        "count_search_words",
        "count_sales",
        "refresh_popularity",
        "recover_payments:bank",
        "expire_authorizations:bank",
    }
    users = msgspec.structs.replace(never, user_cart_days=365)
    assert "expire_carts" in {job.name for job in standard_jobs(users, {})}


async def test_what_stays_open_is_logged_and_not_counted(
    shop: Shop, server: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    order_id = await an_order_of_one(shop)
    server.fail_next("timeout_after", "capture")
    await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    await run(shop, TWO_MINUTES_AGO)
    await server.stop()
    done = await shop.events.worker().run_once()
    assert done.jobs["recover_payments:sandbox"] == 0
    assert "capture at sandbox): still unknown" in caplog.text
    assert "tok_visa" not in caplog.text


async def _all_refunded(shop: Shop) -> bool:
    left = "SELECT count(*) FROM orders WHERE payment_status <> 'refunded'"
    return await run(shop, left) == [(0,)]


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)
