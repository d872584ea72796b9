"""Webhooks: signed, twice, late and in every order."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import psycopg
import pytest
from aiohttp import web

import shopflow
from shopflow import NotFoundError, Shop
from shopflow.orders.payments.errors import WebhookRefusedError
from shopflow.orders.payments.gateway import GatewayEvent
from shopflow.orders.payments.sandbox import SIGNATURE
from shopflow.orders.payments.sandbox_server import SandboxServer
from shopflow.orders.payments.sandbox_webhooks import Delivery
from shopflow.orders.payments.signatures import sign
from shopflow.settings import Settings
from tests.catalogue import a_product, run
from tests.conftest import new_database
from tests.orders.conftest import order
from tests.orders.payments.conftest import (
    SECRET,
    Placed,
    authorized,
    client,
    consistent,
    operations,
    paid,
    state,
    totals,
)

ALL, TEN = Decimal("40.00"), Decimal("10.00")


async def told(shop: Shop, server: SandboxServer, *events: GatewayEvent) -> list[str]:
    payments = shop.orders.payments
    return [
        (await payments.handle_webhook("sandbox", *server.webhooks.signed(event))).what
        for event in events
    ]


async def test_what_we_did_ourselves_changes_nothing(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    await shop.orders.payments.refund(await paid(shop, await placed()), amount=TEN)
    before = await state(shop)
    for what in ("applied", "duplicate"):
        assert await told(shop, server, *server.webhooks.events) == [what] * 3
    assert await state(shop) == before


async def test_an_event_is_applied_once_however_many_bring_it(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    payment_id = await authorized(shop, await placed())
    (reference,) = server.books.authorizations
    server.at_dashboard("capture", reference, TEN)
    calls = [told(shop, server, server.webhooks.events[-1]) for _ in range(8)]
    done = [what for (what,) in await asyncio.gather(*calls)]
    assert set(done) <= {"applied", "duplicate"}
    assert await run(shop, "SELECT captured_amount FROM payments") == [(TEN,)]
    assert (await operations(shop)) == [("authorize", "succeeded"), ("capture", "succeeded")]
    # What is left is known to be less.
    assert (await shop.orders.payments.capture(payment_id)).amount == 30


async def three_events(shop: Shop, server: SandboxServer, placed: Placed, case: str) -> Any:
    """Let three things happen at the gateway of which the shop hears by webhook alone."""
    payments = shop.orders.payments
    order_id = await placed()
    if case == "all of the payment":
        server.fail_next("timeout_after", "authorize")
        await payments.authorize(order_id, gateway="sandbox", token="tok_visa")
        (reference,) = server.books.authorizations
        server.at_dashboard("capture", reference, ALL)
        server.at_dashboard("refund", reference, TEN)
    elif case == "captures and a refund":
        payment_id = await authorized(shop, order_id)
        for amount in (TEN, ALL - TEN):
            server.fail_next("drop_after", "capture")
            await payments.capture(payment_id, amount=amount)
        (reference,) = server.books.authorizations
        server.at_dashboard("refund", reference, Decimal("35.00"))
    else:
        await authorized(shop, order_id)
        (reference,) = server.books.authorizations
        server.at_dashboard("capture", reference, TEN)
        server.at_dashboard("void", reference, ALL - TEN)
        server.at_dashboard("refund", reference, TEN)
    return server.webhooks.events[-3:]


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("all of the payment", "partially_refunded"),
        ("captures and a refund", "partially_refunded"),
        ("capture, void and refund", "refunded"),
    ],
)
async def test_any_order_comes_to_the_same(
    test_server: Settings,
    admin: psycopg.Connection,
    template_database: str,
    case: str,
    status: str,
) -> None:
    ends = []
    for turn in permutations(range(3)):
        with new_database(admin, test_server, template=template_database) as own:
            fresh = SandboxServer(api_key="test-api-key", webhook_secret=SECRET)
            await fresh.start()
            try:
                async with shopflow.open(own, gateways={"sandbox": client(fresh)}) as shop:
                    events = await three_events(shop, fresh, placing(shop), case)
                    await told(shop, fresh, *(events[i] for i in turn))
                    # Those that had to wait were drawn along; and once more changes nothing.
                    assert await told(shop, fresh, *events) == ["duplicate"] * 3, turn
                    assert await run(
                        shop, "SELECT count(*) FROM gateway_events WHERE applied_at IS NULL"
                    ) == [(0,)]
                    await consistent(shop)
                    ends.append(await state(shop))
            finally:
                await fresh.stop()
    assert all(end == ends[0] for end in ends)
    assert ends[0][0][0][1] == status


def placing(shop: Shop) -> Placed:
    async def place() -> Any:
        cart_id = await shop.carts.open(session_id="guest")
        await shop.carts.add(cart_id, await a_product(shop), None, 2)
        return (await shop.orders.place(order(cart_id))).id

    return place


async def test_what_is_of_no_payment_waits_and_is_tried_again(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    server.fail_next("timeout_after", "authorize")
    await shop.orders.payments.authorize(await placed(), gateway="sandbox", token="tok_visa")
    (reference,) = server.books.authorizations
    server.at_dashboard("capture", reference, ALL)
    assert await told(shop, server, server.webhooks.events[-1]) == ["waiting"]
    assert await run(shop, "SELECT problem FROM gateway_events") == [
        ("it is of no payment that is known here, so far",)
    ]
    # Recovery finds the authorization, and with it the event its payment.
    done = await shop.orders.payments.recover(older_than=0)
    assert done.events_waiting == 0
    assert await run(shop, "SELECT payment_status FROM orders") == [("paid",)]


async def test_an_event_with_another_amount_is_not_applied(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    server.fail_next("drop_after", "capture")
    await shop.orders.payments.pay(await placed(), gateway="sandbox", token="tok_visa")
    event = msgspec.structs.replace(server.webhooks.events[-1], amount=TEN)
    assert await told(shop, server, event) == ["waiting"]
    assert await run(shop, "SELECT problem FROM gateway_events") == [
        ("its amount is not that of the operation",)
    ]
    assert (await operations(shop))[-1] == ("capture", "unknown")
    dry = await shop.orders.payments.recover(older_than=0, dry_run=True)
    (waiting,) = dry.waiting
    assert (waiting.event_id, waiting.amount) == (event.event_id, TEN)
    assert waiting.problem == "its amount is not that of the operation"


async def test_a_contradiction_is_kept_and_not_applied(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    await paid(shop, await placed())
    event = msgspec.structs.replace(
        server.webhooks.events[-1], status="declined", error_code="changed_mind"
    )
    assert await told(shop, server, event) == ["waiting"]
    ((problem,),) = await run(shop, "SELECT problem FROM gateway_events")
    assert "has declined, and has said before that it has succeeded" in problem
    assert await run(shop, "SELECT payment_status FROM orders") == [("paid",)]


async def test_a_webhook_that_is_not_the_gateways_is_not_looked_at(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    await paid(shop, await placed())
    headers, body = server.webhooks.signed(server.webhooks.events[0])
    now = datetime.now(UTC)
    forged = body.replace(b'"amount":"40.00"', b'"amount":"99.00"')
    assert forged != body
    old = sign(SECRET.encode(), body, now - timedelta(minutes=5, seconds=2))
    early = sign(SECRET.encode(), body, now + timedelta(minutes=6))
    other = sign(b"another secret", body, now)
    nonsense = sign(SECRET.encode(), b"{}", now)
    payments = shop.orders.payments
    for given, sent, why in (
        ({}, body, "no readable signature"),
        ({SIGNATURE: "t=1,v1=00"}, body, "no readable signature"),
        ({SIGNATURE: other}, body, "not the gateway's"),
        (headers, forged, "not the gateway's"),
        ({SIGNATURE: old}, body, "more than 5 minutes"),
        ({SIGNATURE: early}, body, "more than 5 minutes"),
        ({SIGNATURE: nonsense}, b"{}", "no event of a payment"),
    ):
        with pytest.raises(WebhookRefusedError, match=why) as refused:
            await payments.handle_webhook("sandbox", given, sent)
        assert SECRET not in str(refused.value)
    assert await run(shop, "SELECT FROM gateway_events") == []
    with pytest.raises(NotFoundError, match="no such gateway"):
        await payments.handle_webhook("bank", headers, body)
    with pytest.raises(WebhookRefusedError, match="no webhooks"):
        await payments.handle_webhook("manual", headers, body)
    lower = {name.lower(): value for name, value in headers.items()}
    assert (await payments.handle_webhook("sandbox", lower, body)).what == "applied"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "NaN"},
        {"amount": "-1"},
        {"amount": "1.001"},
        {"event_id": ""},
        {"event_id": "x" * 256},
        {"event_id": "x\0"},
        {"card_last_four": "4242424242424242"},
        {"occurred_at": "2026-01-01T00:00:00"},
        {"status": "declined"},
        {"kind": "steal"},
    ],
)
async def test_an_event_that_could_not_be_kept_is_refused(
    shop: Shop, server: SandboxServer, placed: Placed, change: dict[str, str]
) -> None:
    await authorized(shop, await placed())
    _, body = server.webhooks.signed(server.webhooks.events[0])
    sent = msgspec.json.encode(msgspec.json.decode(body) | change)
    headers = {SIGNATURE: sign(SECRET.encode(), sent, datetime.now(UTC))}
    with pytest.raises(WebhookRefusedError, match="no event of a payment") as refused:
        await shop.orders.payments.handle_webhook("sandbox", headers, sent)
    assert "4242424242424242" not in str(refused.value)
    assert await run(shop, "SELECT FROM gateway_events") == []


@pytest.fixture
async def receiver(shop: Shop) -> AsyncIterator[str]:
    """A real endpoint that hands what it gets to the shop; its URL."""

    async def take(request: web.Request) -> web.Response:
        try:
            await shop.orders.payments.handle_webhook(
                "sandbox", request.headers, await request.read()
            )
        except WebhookRefusedError:
            return web.Response(status=400)
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_over_http_twice_and_in_the_wrong_order(
    shop: Shop, server: SandboxServer, placed: Placed, receiver: str
) -> None:
    server.webhooks.delivery = Delivery(url=receiver, copies=2, reorder=True, delay=0.05)
    order_id = await placed()
    payment_id = await authorized(shop, order_id)
    for amount in (TEN, ALL - TEN):
        server.fail_next("timeout_after", "capture")
        await shop.orders.payments.capture(payment_id, amount=amount)
    (reference,) = server.books.authorizations
    server.at_dashboard("refund", reference, TEN)
    await server.webhooks.drain()
    assert (await shop.orders.get(order_id)).payment_status == "partially_refunded"
    assert totals(server) == [(ALL, ALL, 0, TEN)]
    assert await run(shop, "SELECT count(*), count(applied_at) FROM gateway_events") == [(4, 4)]
    await consistent(shop)


async def test_nothing_of_a_card_or_a_secret_is_kept(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    await paid(shop, await placed())
    await told(shop, server, *server.webhooks.events)
    kept = str(
        await run(
            shop,
            "SELECT payments::text, payment_operations::text, gateway_events::text "
            "FROM payments, payment_operations, gateway_events",
        )
    )
    for secret in ("tok_visa", SECRET, "test-api-key"):
        assert secret not in kept
        assert secret not in repr(client(server))
        assert secret not in repr(vars(shop.orders.payments))
