"""Timeouts, errors, lost connections and crashes: afterwards there is one charge, or none."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection, OperationalError

import shopflow
from shopflow import CommitOutcomeUnknownError, ConstraintViolatedError, Shop
from shopflow.orders.payments import executing, recording
from shopflow.orders.payments.gateway import Declined, Result, Succeeded, Unknown
from shopflow.orders.payments.manual import Manual
from shopflow.orders.payments.sandbox_server import Fault, SandboxServer
from shopflow.settings import Settings
from tests.catalogue import run
from tests.orders.payments.conftest import (
    Placed,
    authorized,
    client,
    consistent,
    operations,
    paid,
    state,
    totals,
)
from tests.waiting import waiting

ALL = Decimal("40.00")
AFTER: list[tuple[Fault, str]] = [
    ("timeout_after", "timeout"),
    ("error_after", "http_500"),
    ("drop_after", "connection_lost"),
]
BEFORE: list[tuple[Fault, str]] = [
    ("timeout_before", "timeout"),
    ("error_before", "http_500"),
    ("drop_before", "connection_lost"),
]


@pytest.mark.parametrize(("fault", "code"), AFTER)
async def test_a_charge_whose_answer_is_lost_is_found(
    shop: Shop, server: SandboxServer, placed: Placed, fault: Fault, code: str
) -> None:
    order_id = await placed()
    server.fail_next(fault, "capture")
    lost = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (lost.status, lost.error_code, lost.order_status) == ("unknown", code, "pending")
    done = await shop.orders.payments.recover(older_than=0)
    assert [(each.kind, each.action, each.after) for each in done.operations] == [
        ("capture", "recorded", "succeeded")
    ]
    assert totals(server) == [(ALL, ALL, 0, 0)]
    found = await shop.orders.get(order_id)
    assert (found.status, found.payment_status) == ("confirmed", "paid")
    assert (await shop.orders.payments.recover(older_than=0)).operations == ()


@pytest.mark.parametrize(("fault", "code"), BEFORE)
async def test_a_charge_that_never_happened_is_asked_for_again(
    shop: Shop, server: SandboxServer, placed: Placed, fault: Fault, code: str
) -> None:
    order_id = await placed()
    server.fail_next(fault, "capture")
    lost = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (lost.status, lost.error_code) == ("unknown", code)
    (done,) = (await shop.orders.payments.recover(older_than=0)).operations
    assert (done.action, done.after) == ("asked again", "succeeded")
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert (await shop.orders.get(order_id)).payment_status == "paid"


@pytest.mark.parametrize(("fault", "code"), AFTER)
async def test_an_authorization_that_is_found_goes_on_to_its_capture(
    shop: Shop, server: SandboxServer, placed: Placed, fault: Fault, code: str
) -> None:
    order_id = await placed()
    server.fail_next(fault, "authorize")
    lost = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (lost.kind, lost.status, lost.error_code) == ("authorize", "unknown", code)
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert (await shop.orders.get(order_id)).payment_status == "paid"


async def test_an_authorization_that_never_happened_is_given_up(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("error_before")
    await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    (done,) = (await shop.orders.payments.recover(older_than=0)).operations
    assert (done.action, done.after) == ("given up", "failed")
    assert totals(server) == []
    await paid(shop, order_id)


async def test_what_was_given_up_and_happened_after_all_is_voided(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("late")
    await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    await shop.orders.payments.recover(older_than=0)
    await paid(shop, order_id)
    server.release()
    while len(server.webhooks.events) < 3:
        await asyncio.sleep(0)
    late = server.webhooks.events[-1]
    assert late.kind == "authorize"
    receipt = await shop.orders.payments.handle_webhook("sandbox", *server.webhooks.signed(late))
    assert receipt.what == "applied"
    assert totals(server) == [(ALL, ALL, 0, 0), (ALL, 0, ALL, 0)]
    assert (await shop.orders.get(order_id)).payment_status == "paid"
    await consistent(shop)


@pytest.mark.parametrize(("fault", "code"), AFTER + BEFORE)
async def test_a_refund_happens_once(
    shop: Shop, server: SandboxServer, placed: Placed, fault: Fault, code: str
) -> None:
    order_id = await placed()
    payment_id = await paid(shop, order_id)
    server.fail_next(fault, "refund")
    lost = await shop.orders.payments.refund(payment_id, close_order=True)
    assert (lost.status, lost.error_code, lost.order_payment_status) == ("unknown", code, "paid")
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    found = await shop.orders.get(order_id)
    assert (found.status, found.payment_status) == ("refunded", "refunded")


async def test_repeated_with_its_key_a_lost_payment_is_finished(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("timeout_after", "authorize")
    server.fail_next("drop_after", "capture")
    seen = []
    for _ in range(3):
        done = await shop.orders.payments.pay(
            order_id, gateway="sandbox", token="tok_visa", idempotency_key="pay"
        )
        seen.append((done.kind, done.status))
    assert seen == [("authorize", "unknown"), ("capture", "unknown"), ("capture", "succeeded")]
    assert totals(server) == [(ALL, ALL, 0, 0)]


async def test_a_gateway_that_is_gone_leaves_it_open(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    await paid(shop, await placed())
    order_id = await placed()
    await server.stop()
    lost = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (lost.status, lost.error_code) == ("unknown", "connection_lost")
    done = await shop.orders.payments.recover(older_than=0)
    assert [(each.action, each.after) for each in done.operations] == [("still unknown", "unknown")]
    assert done.open == 1


async def test_a_call_under_way_is_left_alone(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    server.fail_next("timeout_after", "capture")
    await shop.orders.payments.pay(await placed(), gateway="sandbox", token="tok_visa")
    before = await state(shop)
    assert (await shop.orders.payments.recover(older_than=60)).operations == ()
    dry = await shop.orders.payments.recover(older_than=0, dry_run=True)
    assert [(each.action, each.before, each.after) for each in dry.operations] == [
        ("recorded", "unknown", "succeeded")
    ]
    assert await state(shop) == before


@pytest.mark.parametrize("kind", ["authorize", "capture"])
async def test_a_caller_cancelled_between_intent_and_call(
    shop: Shop, server: SandboxServer, placed: Placed, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The intent is committed, and the process dies before the gateway hears of it."""
    order_id = await placed()
    real = executing.ask

    async def die(gateway: Any, call: Any, token: Any) -> Any:
        if call.kind == kind:
            raise asyncio.CancelledError
        return await real(gateway, call, token)

    with monkeypatch.context() as patch:
        patch.setattr(executing, "ask", die)
        with pytest.raises(asyncio.CancelledError):
            await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (await operations(shop))[-1] == (kind, "pending")
    await shop.orders.payments.recover(older_than=0)
    if kind == "capture":
        assert totals(server) == [(ALL, ALL, 0, 0)]
    else:
        assert totals(server) == []
        assert (await shop.orders.get(order_id)).payments[0].status == "failed"
    await paid_or_payable(shop, order_id)


async def paid_or_payable(shop: Shop, order_id: Any) -> None:
    if (await shop.orders.get(order_id)).payment_status != "paid":
        await paid(shop, order_id)
    await consistent(shop)


@pytest.mark.parametrize("kind", ["authorize", "capture", "refund"])
async def test_a_caller_cancelled_while_the_gateway_is_at_it(
    shop: Shop, server: SandboxServer, placed: Placed, kind: Any
) -> None:
    """The charge is made, and the process dies before the answer."""
    order_id = await placed()
    payment_id = await paid(shop, order_id) if kind == "refund" else None
    while not server.arrived.empty():
        server.arrived.get_nowait()
    server.fail_next("timeout_after", kind)
    payments = shop.orders.payments
    call: Awaitable[Any] = (
        payments.refund(payment_id)
        if payment_id
        else payments.pay(order_id, gateway="sandbox", token="tok_visa")
    )
    task = asyncio.ensure_future(call)
    while await server.arrived.get() != kind:
        pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await operations(shop))[-1] == (kind, "pending")
    await payments.recover(older_than=0)
    expected = (ALL, ALL, 0, ALL if kind == "refund" else 0)
    assert totals(server) == [expected]
    assert (await shop.orders.get(order_id)).payment_status == (
        "refunded" if kind == "refund" else "paid"
    )


async def test_two_recoveries_at_once_have_one_effect(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    payment_id = await authorized(shop, await placed())
    for fault in ("timeout_before", "timeout_after", "error_before", "error_after"):
        server.fail_next(fault, "capture")
        await shop.orders.payments.capture(payment_id, amount=Decimal(10))
    done = await asyncio.gather(*(shop.orders.payments.recover(older_than=0) for _ in range(3)))
    taken = [each.operation_id for one in done for each in one.operations]
    assert len(taken) >= 4
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert [status for _, status in await operations(shop)] == ["succeeded"] * 5
    await consistent(shop)


async def test_recovery_beside_the_live_call_has_one_effect(
    settings: Settings, shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    async with shopflow.open(settings, gateways={"sandbox": client(server, timeout=30)}) as patient:
        server.fail_next("late", "capture")
        task = asyncio.create_task(
            patient.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
        )
        while await server.arrived.get() != "capture":
            pass
        (done,) = (await shop.orders.payments.recover(older_than=0)).operations
        assert (done.action, done.after) == ("asked again", "succeeded")
        server.release()
        assert (await task).status == "succeeded"
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert len((await shop.orders.get(order_id)).status_history) == 2


async def test_the_webhook_that_comes_before_the_answer(
    settings: Settings, shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    async with shopflow.open(settings, gateways={"sandbox": client(server, timeout=30)}) as patient:
        server.fail_next("timeout_after", "capture")
        task = asyncio.create_task(
            patient.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
        )
        while len(server.webhooks.events) < 2:
            await asyncio.sleep(0)
        for event in server.webhooks.events:
            signed = server.webhooks.signed(event)
            assert (await shop.orders.payments.handle_webhook("sandbox", *signed)).what == "applied"
        assert (await shop.orders.get(order_id)).payment_status == "paid"
        server.release()
        # The answer is a 504 by then, which takes nothing back.
        assert (await task).status == "succeeded"
    assert totals(server) == [(ALL, ALL, 0, 0)]


async def cancelled_while_captured(shop: Shop, server: SandboxServer, order_id: Any) -> Any:
    """Cancel an order while its capture is under way, and return what became of the payment."""
    server.fail_next("late", "capture")
    task = asyncio.create_task(
        shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    )
    while await server.arrived.get() != "capture":
        pass
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    server.release()
    return await task


async def test_a_payment_that_meets_the_cancellation_is_given_back(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    done = await cancelled_while_captured(shop, server, order_id)
    assert (done.order_status, done.order_payment_status) == ("cancelled", "refunded")
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    (refund,) = (await shop.orders.get(order_id)).refunds
    assert refund.reason == "the order was cancelled when the payment came"


async def test_the_refund_of_a_cancelled_order_survives_a_crash(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("error_before", "refund")
    done = await cancelled_while_captured(shop, server, order_id)
    assert done.order_payment_status == "paid"
    assert (await operations(shop))[-1] == ("refund", "unknown")
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    assert (await shop.orders.get(order_id)).payment_status == "refunded"


async def test_an_authorization_that_meets_the_cancellation_is_voided(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("late", "authorize")
    task = asyncio.create_task(
        shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    )
    await server.arrived.get()
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    server.release()
    done = await task
    assert (done.kind, done.payment_status, done.order_payment_status) == (
        "authorize",
        "voided",
        "unpaid",
    )
    assert totals(server) == [(ALL, 0, ALL, 0)]


async def test_no_capture_is_asked_for_again_for_a_cancelled_order(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("error_before", "capture")
    await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    (done,) = (await shop.orders.payments.recover(older_than=0)).operations
    assert (done.action, done.after) == ("given up", "failed")
    assert totals(server) == [(ALL, 0, ALL, 0)]
    assert (await shop.orders.get(order_id)).payment_status == "unpaid"


async def test_payment_and_cancellation_at_the_same_moment(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    """The one that waits for the order's row sees what the other did."""
    order_id = await placed()
    payment_id = await authorized(shop, order_id)
    async with shop.pool.connection() as other, other.transaction():
        await other.execute("UPDATE orders SET status = 'cancelled'")
        task = asyncio.create_task(shop.orders.payments.capture(payment_id))
        await waiting(shop, 1)
    with pytest.raises(shopflow.ShopflowError, match="is cancelled"):
        await task
    assert totals(server) == [(ALL, 0, 0, 0)]


@pytest.mark.parametrize("commit", [1, 2])
async def test_a_connection_killed_at_commit(
    shop: Shop,
    server: SandboxServer,
    placed: Placed,
    monkeypatch: pytest.MonkeyPatch,
    commit: int,
) -> None:
    """The first commit is the intent's, the second the result's; both are done, unbeknown to us."""
    order_id = await placed()
    payment_id = await authorized(shop, order_id)
    commits = 0
    real: Callable[..., Any] = AsyncConnection.wait

    async def wait(self: AsyncConnection[Any], generator: Any, *args: Any, **kw: Any) -> Any:
        nonlocal commits
        name = getattr(generator, "__name__", "")
        result = await real(self, generator, *args, **kw)
        if name == "_exit_gen":
            commits += 1
            if commits == commit:
                await self.close()
                raise OperationalError("lost")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(AsyncConnection, "wait", wait)
        with pytest.raises(CommitOutcomeUnknownError):
            await shop.orders.payments.capture(payment_id, idempotency_key="capture")
    done = await shop.orders.payments.capture(payment_id, idempotency_key="capture")
    assert (done.status, done.order_payment_status) == ("succeeded", "paid")
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert (await shop.orders.payments.recover(older_than=0)).operations == ()


async def test_no_transaction_is_open_while_the_gateway_is_asked(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("late", "authorize")
    task = asyncio.create_task(
        shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    )
    await server.arrived.get()
    assert shop.pool.in_use == 0
    server.release()
    assert (await task).succeeded


async def test_an_unknown_answer_is_not_recorded_over_a_known_one(
    shop: Shop, placed: Placed
) -> None:
    await paid(shop, await placed())
    ((operation_id,),) = await run(shop, "SELECT id FROM payment_operations WHERE kind = 'capture'")
    async with shop.pool.connection() as connection, connection.transaction():
        assert await recording.record(connection, operation_id, Unknown("timeout")) == ()
    assert [status for _, status in await operations(shop)] == ["succeeded", "succeeded"]


class Babbling(Manual):
    """A gateway whose words are longer than they should be, and which says the impossible."""

    async def authorize(
        self, key: str, *, amount: Decimal, currency_code: str, token: str
    ) -> Result:
        del key, amount, currency_code
        if token == "no":
            return Declined("x" * 300)
        return Succeeded(
            reference="the same for all", card_brand="b" * 30, card_last_four="4242424242424242"
        )


async def test_what_a_gateway_says_is_recorded_as_far_as_it_can_be(
    settings: Settings, shop: Shop, placed: Placed
) -> None:
    first, second = await placed(), await placed()
    async with shopflow.open(settings, gateways={"babble": Babbling()}) as other:
        payments = other.orders.payments
        declined = await payments.authorize(first, gateway="babble", token="no")
        assert declined.error_code == "x" * 100
        assert (await payments.authorize(first, gateway="babble")).succeeded
        assert await run(
            shop, "SELECT card_brand, card_last_four FROM payments WHERE status = 'authorized'"
        ) == [("b" * 20, None)]
        with pytest.raises(ConstraintViolatedError, match="payments_gateway_reference_key"):
            await payments.authorize(second, gateway="babble")
        assert (await operations(shop))[-1] == ("authorize", "pending")


class Impossible(Manual):
    """Says of every capture that it was done under the same name."""

    async def find(self, key: str) -> Result | None:
        del key
        return Succeeded(reference="the same for all")


async def test_what_cannot_be_does_not_stop_recovery(
    settings: Settings, shop: Shop, placed: Placed
) -> None:
    async with shopflow.open(settings, gateways={"odd": Impossible()}) as other:
        payments = other.orders.payments
        for _ in range(3):
            payment_id = (await payments.authorize(await placed(), gateway="odd")).payment_id
            await run(
                shop,
                "INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
                "SELECT %(id)s, 'capture', 10, uuidv7()::text FROM generate_series(1, 2)",
                id=payment_id,
            )
        done = await payments.recover(older_than=0)
    assert sorted(each.action for each in done.operations) == ["recorded"] * 3 + ["refused"] * 3
    assert {each.problem for each in done.operations} == {
        None,
        "the database refused: payment_operations_reference_key",
    }
    assert done.open == 3
