"""Cancelled and returned orders: their money follows, once, also after a crash in between."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import shopflow
from shopflow import Shop, TransactionError
from shopflow.ids import OrderId, OrderItemId
from shopflow.orders import cancelling, returns
from shopflow.orders.expiring import expire_unpaid_orders
from shopflow.orders.payments import executing
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.gateway import Declined, Result
from shopflow.orders.payments.sandbox import Sandbox
from shopflow.orders.payments.sandbox_server import SandboxServer
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.settling import RefundDue
from shopflow.orders.shipments import Parcel
from shopflow.postgres.transactions import run_transaction
from shopflow.settings import Settings
from tests.catalogue import run
from tests.orders.payments.conftest import (
    Placed,
    authorized,
    consistent,
    operations,
    paid,
    totals,
)
from tests.orders.sales import a_sale

ALL, HALF = Decimal("40.00"), Decimal("20.00")


async def line_of(shop: Shop, order_id: OrderId) -> OrderItemId:
    """The one line of an order of two pieces."""
    (line,) = (await shop.orders.get(order_id)).items
    return line.id


async def sent(shop: Shop, order_id: OrderId, pieces: int = 2) -> OrderItemId:
    line = await line_of(shop, order_id)
    await shop.orders.ship(Parcel(order_id=order_id, carrier="DHL", lines={line: pieces}))
    return line


def back(order_id: OrderId, line: OrderItemId, pieces: int = 1, **changes: Any) -> ReturnRequest:
    return ReturnRequest(
        order_id=order_id, lines=[ReturnLine(line, pieces, restock=True)], **changes
    )


async def statuses(shop: Shop, order_id: OrderId) -> tuple[str, str]:
    found = await shop.orders.get(order_id)
    return found.status, found.payment_status


async def test_what_was_paid_is_refunded(shop: Shop, server: SandboxServer, placed: Placed) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    done = await shop.orders.cancel(order_id, reason="changed my mind")
    assert [(each.kind, each.amount, each.status) for each in done.outcomes] == [
        ("refund", ALL, "succeeded")
    ]
    assert (done.to_void, done.to_refund) == ((), ())
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    assert await statuses(shop, order_id) == ("cancelled", "refunded")
    assert (await shop.orders.cancel(order_id)).outcomes == ()
    (refund,) = (await shop.orders.get(order_id)).refunds
    assert refund.reason == "changed my mind"
    await consistent(shop)


async def test_what_was_authorized_is_voided_and_the_rest_of_a_capture_too(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    first, second = await placed(), await placed()
    await authorized(shop, first)
    payment = await authorized(shop, second)
    await shop.orders.payments.capture(payment, amount=Decimal(15))
    assert [(o.kind, o.amount) for o in (await shop.orders.cancel(first)).outcomes] == [
        ("void", ALL)
    ]
    done = await shop.orders.cancel(second)
    assert [(o.kind, o.amount, o.status) for o in done.outcomes] == [
        ("void", Decimal(25), "succeeded"),
        ("refund", Decimal(15), "succeeded"),
    ]
    assert totals(server) == [(ALL, 0, ALL, 0), (ALL, 15, 25, 15)]
    assert await statuses(shop, first) == ("cancelled", "unpaid")
    await consistent(shop)


async def test_the_order_ends_as_refunded_when_asked(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    (refund,) = (await shop.orders.cancel(order_id, close_order=True)).outcomes
    assert refund.order_status == "refunded"
    returned_id = await placed()
    await paid(shop, returned_id)
    line = await sent(shop, returned_id)
    for expected in ("shipped", "refunded"):
        done = await shop.orders.return_items(back(returned_id, line, close_order=True))
        assert [each.order_status for each in done.refunds] == [expected]


async def test_no_money_is_moved_when_that_is_asked(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    payment = await paid(shop, order_id)
    done = await shop.orders.cancel(order_id, give_back=False)
    assert (done.outcomes, done.to_refund) == ((), (RefundDue(payment, ALL),))
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert len((await shop.orders.cancel(order_id)).outcomes) == 1
    assert totals(server) == [(ALL, ALL, 0, ALL)]


async def test_what_was_sent_stays_paid_and_its_return_is_refunded_after_it(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    line = await sent(shop, order_id, 1)
    (kept,) = (await shop.orders.cancel(order_id)).outcomes
    assert kept.amount == HALF
    (rest,) = (await shop.orders.return_items(back(order_id, line))).refunds
    assert rest.amount == HALF
    assert totals(server) == [(ALL, ALL, 0, ALL)]


async def test_what_came_back_for_store_credit_is_not_refunded_by_the_cancellation(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    line = await sent(shop, order_id, 1)
    returned = await shop.orders.return_items(back(order_id, line, refund=False))
    assert (returned.refund_amount, returned.refunds) == (HALF, ())
    assert (await shop.orders.get(order_id)).returns[0].refunded_elsewhere
    (other,) = (await shop.orders.cancel(order_id)).outcomes
    assert other.amount == HALF
    assert totals(server) == [(ALL, ALL, 0, HALF)]


async def test_a_return_is_refunded_once_however_often_it_is_asked_for(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    request = back(order_id, await sent(shop, order_id), idempotency_key="rma-1")
    first = await shop.orders.return_items(request)
    assert [(each.amount, each.status) for each in first.refunds] == [(HALF, "succeeded")]
    again = await asyncio.gather(*(shop.orders.return_items(request) for _ in range(4)))
    assert set(again) == {first}
    assert totals(server) == [(ALL, ALL, 0, HALF)]
    assert await statuses(shop, order_id) == ("shipped", "partially_refunded")


async def test_a_return_of_what_is_not_paid_refunds_nothing(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    payment = await authorized(shop, order_id)
    await shop.orders.confirm(order_id)
    line = await sent(shop, order_id)
    returned = await shop.orders.return_items(back(order_id, line))
    assert (returned.refund_amount, returned.refunds) == (HALF, ())
    # What is left to pay is captured; then the second piece comes back.
    await shop.orders.payments.capture(payment, amount=HALF)
    (refund,) = (await shop.orders.return_items(back(order_id, line))).refunds
    assert refund.amount == HALF
    assert totals(server) == [(ALL, HALF, 0, HALF)]


async def test_the_money_of_what_was_sent_is_captured_before(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    payment = await authorized(shop, order_id)
    await shop.orders.confirm(order_id)
    await sent(shop, order_id, 1)
    with pytest.raises(PaymentRefusedError, match=r"keeps 20\.00, of which 0"):
        await shop.orders.cancel(order_id)
    assert await statuses(shop, order_id) == ("processing", "authorized")
    await shop.orders.payments.capture(payment, amount=HALF)
    (void,) = (await shop.orders.cancel(order_id)).outcomes
    assert (void.kind, void.amount) == ("void", HALF)
    await consistent(shop)


async def test_a_declined_refund_is_asked_for_anew(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    async def declined(*args: object, **kwargs: object) -> Result:
        del args, kwargs
        return Declined("refund_limit")

    order_id = await placed()
    await paid(shop, order_id)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sandbox, "refund", declined)
        (refused,) = (await shop.orders.cancel(order_id)).outcomes
    assert (refused.status, refused.order_status) == ("declined", "cancelled")
    (done,) = (await shop.orders.cancel(order_id)).outcomes
    assert done.succeeded
    assert totals(server) == [(ALL, ALL, 0, ALL)]


async def test_an_unknown_refund_is_finished_by_repeating_or_by_recovery(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    for again in (True, False):
        order_id = await placed()
        await paid(shop, order_id)
        server.fail_next("drop_after", "refund")
        (lost,) = (await shop.orders.cancel(order_id)).outcomes
        assert (lost.status, lost.order_payment_status) == ("unknown", "paid")
        if again:
            (found,) = (await shop.orders.cancel(order_id)).outcomes
            assert (found.operation_id, found.status) == (lost.operation_id, "succeeded")
        else:
            await shop.orders.payments.recover(older_than=0)
        assert await statuses(shop, order_id) == ("cancelled", "refunded")
    assert totals(server) == [(ALL, ALL, 0, ALL)] * 2


Give = Callable[[Shop, OrderId], Coroutine[None, None, object]]


async def _cancel(shop: Shop, order_id: OrderId) -> object:
    return await shop.orders.cancel(order_id)


async def _return(shop: Shop, order_id: OrderId) -> object:
    line = await line_of(shop, order_id)
    return await shop.orders.return_items(back(order_id, line, 2))


@pytest.mark.parametrize(
    ("give", "at"),
    [
        (_cancel, (cancelling, "execute_all")),
        (_return, (returns, "execute_all")),
        (_cancel, (executing, "settle")),
        (_return, (executing, "settle")),
    ],
    ids=["cancel", "return", "cancel, asked", "return, asked"],
)
async def test_what_a_crash_leaves_recovery_finishes(
    placed: Placed, server: SandboxServer, shop: Shop, give: Give, at: tuple[Any, str]
) -> None:
    """Before the gateway is asked, and before its answer is recorded."""
    order_id = await placed()
    await paid(shop, order_id)
    if give is _return:
        await sent(shop, order_id)
    reached, never = asyncio.Event(), asyncio.Event()

    async def crash(*args: object, **kwargs: object) -> Any:
        del args, kwargs
        reached.set()
        await never.wait()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*at, crash)
        giving = asyncio.create_task(give(shop, order_id))
        await reached.wait()
        giving.cancel()
        await asyncio.wait({giving})
    assert giving.cancelled()
    # Committed with what caused it, and not recorded as made.
    assert (await operations(shop))[-1] == ("refund", "pending")
    assert (await statuses(shop, order_id))[1] == "paid"
    (done,) = (await shop.orders.payments.recover(older_than=0)).operations
    assert (done.kind, done.amount, done.after) == ("refund", ALL, "succeeded")
    assert done.action == ("recorded" if at[1] == "settle" else "asked again")
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    assert (await statuses(shop, order_id))[1] == "refunded"
    await consistent(shop)


async def test_nothing_is_written_when_the_cancellation_fails(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    """The step is the last thing in the transaction; a constraint of the shop's own refuses it."""
    order_id = await placed()
    await paid(shop, order_id)
    await run(shop, "ALTER TABLE orders ADD CONSTRAINT never CHECK (status <> 'cancelled')")
    with pytest.raises(shopflow.ConstraintViolatedError, match="never"):
        await shop.orders.cancel(order_id)
    assert await operations(shop) == [("authorize", "succeeded"), ("capture", "succeeded")]
    assert totals(server) == [(ALL, ALL, 0, 0)]


async def test_money_is_not_moved_from_inside_a_transaction(shop: Shop, placed: Placed) -> None:
    order_id = await placed()

    async def work(connection: object) -> None:
        del connection
        await shop.orders.cancel(order_id)

    with pytest.raises(TransactionError):
        await run_transaction(shop.pool, work)


async def test_of_a_gateway_that_is_not_here_recovery_makes_it(
    settings: Settings, shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    async with shopflow.open(settings) as other:
        (left,) = (await other.orders.cancel(order_id)).outcomes
    assert (left.status, left.order_status) == ("pending", "cancelled")
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, ALL, 0, ALL)]


async def test_what_was_recorded_without_a_gateway_is_given_back_by_staff(shop: Shop) -> None:
    sale = await a_sale(shop, 2, status="pending")
    await shop.orders.mark_paid(sale.id, amount=ALL, method="transfer")
    (refund,) = (await shop.orders.cancel(sale.id)).outcomes
    assert (refund.kind, refund.amount, refund.status) == ("refund", ALL, "succeeded")
    assert await statuses(shop, sale.id) == ("cancelled", "refunded")


async def test_a_capture_under_way_is_given_back_with_the_rest(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    payment = await authorized(shop, order_id)
    server.fail_next("timeout_after", "capture")
    lost = await shop.orders.payments.capture(payment, amount=Decimal(15))
    assert lost.status == "unknown"
    done = await shop.orders.cancel(order_id)
    assert (done.outcomes, done.to_void, done.to_refund) == ((), (), ())
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, 15, 25, 15)]
    await consistent(shop)


async def test_an_authorization_that_turns_up_after_the_order_expired_is_voided(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    server.fail_next("timeout_after", "authorize")
    lost = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (lost.kind, lost.status) == ("authorize", "unknown")
    now = timedelta(0)
    assert await shop.orders.expire_unpaid(now) == 0
    assert await expire_unpaid_orders(shop.pool, now, grace=now) == 1
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, 0, ALL, 0)]
    assert await statuses(shop, order_id) == ("cancelled", "unpaid")
    await consistent(shop)


async def test_an_authorization_keeps_its_order_until_it_has_ended(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await authorized(shop, order_id)
    now = timedelta(0)
    assert await expire_unpaid_orders(shop.pool, now, grace=now) == 0
    await run(shop, "UPDATE payments SET authorization_expires_at = now() - interval '1 second'")
    assert await shop.orders.payments.expire_authorizations() == 1
    assert await expire_unpaid_orders(shop.pool, now, grace=now) == 1
    assert totals(server) == [(ALL, 0, ALL, 0)]
    assert await statuses(shop, order_id) == ("cancelled", "unpaid")


async def test_many_cancel_and_take_back_at_once_and_the_money_goes_once(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    await paid(shop, order_id)
    line = await sent(shop, order_id, 1)
    await asyncio.gather(
        *(shop.orders.cancel(order_id) for _ in range(3)),
        *(shop.orders.return_items(back(order_id, line, idempotency_key="rma")) for _ in range(3)),
    )
    await shop.orders.payments.recover(older_than=0)
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    assert await statuses(shop, order_id) == ("cancelled", "refunded")
    await consistent(shop)
