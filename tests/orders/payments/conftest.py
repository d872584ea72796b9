"""A sandbox gateway on loopback, the shop that uses it, and orders of 40.00 to be paid."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import shopflow
from shopflow import Shop
from shopflow.ids import OrderId, PaymentId
from shopflow.orders.payments.sandbox import Sandbox
from shopflow.orders.payments.sandbox_server import SandboxServer
from shopflow.settings import Settings
from tests.catalogue import a_product, run
from tests.orders.conftest import Filled, order

API_KEY, SECRET = "test-api-key", "test-webhook-secret"
# Seconds: what a client waits for an answer that never comes.
TIMEOUT = 0.3
VISA = "tok_visa"
Placed = Callable[[], Awaitable[OrderId]]


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    found = SandboxServer(api_key=API_KEY, webhook_secret=SECRET)
    await found.start()
    yield found
    await found.stop()


def client(server: SandboxServer, timeout: float = TIMEOUT) -> Sandbox:
    return Sandbox(server.url, api_key=API_KEY, webhook_secret=SECRET, timeout=timeout)


@pytest.fixture
async def shop(settings: Settings, server: SandboxServer) -> AsyncIterator[Shop]:
    async with shopflow.open(settings, gateways={"sandbox": client(server)}) as found:
        yield found


@pytest.fixture
def placed(shop: Shop, filled: Filled) -> Placed:
    """Place an order of 40.00."""

    async def place() -> OrderId:
        cart_id = await filled((await a_product(shop), None, 2))
        return (await shop.orders.place(order(cart_id))).id

    return place


async def authorized(shop: Shop, order_id: OrderId, token: str = VISA) -> PaymentId:
    done = await shop.orders.payments.authorize(order_id, gateway="sandbox", token=token)
    assert done.succeeded
    return done.payment_id


async def paid(shop: Shop, order_id: OrderId, token: str = VISA) -> PaymentId:
    done = await shop.orders.payments.pay(order_id, gateway="sandbox", token=token)
    assert (done.status, done.order_payment_status) == ("succeeded", "paid")
    return done.payment_id


def totals(server: SandboxServer) -> list[tuple[Any, ...]]:
    """What the gateway has: authorized, captured, voided, refunded."""
    return [
        (each.amount, each.captured, each.voided, each.refunded)
        for each in server.books.authorizations.values()
    ]


async def state(shop: Shop) -> tuple[Any, ...]:
    """The whole money of the shop: orders, payments, operations and refunds, without their ids."""
    return (
        await run(shop, "SELECT status, payment_status FROM orders ORDER BY id"),
        await run(
            shop,
            "SELECT status, amount, captured_amount, voided_amount, failure_code FROM payments ORDER BY id",
        ),
        await run(
            shop,
            "SELECT kind, amount, status, error_code FROM payment_operations ORDER BY kind, amount, status",
        ),
        await run(shop, "SELECT amount, status, reason FROM refunds ORDER BY amount, reason"),
    )


async def operations(shop: Shop) -> list[tuple[Any, ...]]:
    """Kind and status of each operation, as they were written."""
    return await run(shop, "SELECT kind, status FROM payment_operations ORDER BY created_at, id")


async def consistent(shop: Shop) -> None:
    """What has to hold whatever happened."""
    wrong = await run(
        shop,
        """
        SELECT 'captured', p.id FROM payments AS p CROSS JOIN payment_state(p.id) AS s
        WHERE p.gateway IS NOT NULL
            AND (p.captured_amount, p.voided_amount, p.status)
                IS DISTINCT FROM (s.captured_amount, s.voided_amount, s.status)
        UNION ALL
        SELECT 'refunded', p.id FROM payments AS p
        WHERE p.captured_amount <
            (SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_id = p.id AND status <> 'failed')
        UNION ALL
        SELECT 'order', o.id FROM orders AS o
        CROSS JOIN derived_payment_status(o.id, o.total_amount) AS d
        WHERE o.payment_status <> d.payment_status
        """,
    )
    assert wrong == []
