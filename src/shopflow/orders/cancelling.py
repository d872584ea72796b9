"""Cancelling an order, and what of its money has to go back then."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from shopflow.ids import OrderId, PaymentId, UserId
from shopflow.money import ZERO
from shopflow.orders.errors import OrderStateError
from shopflow.orders.holding import hold_order, step
from shopflow.orders.reading import QUERIES
from shopflow.orders.returns import LONGEST_REASON
from shopflow.orders.states import may_step
from shopflow.orders.worth import SoldLine, worth_of
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text


class RefundDue(msgspec.Struct, frozen=True):
    """What of a payment has to be paid back."""

    payment_id: PaymentId
    amount: Decimal


class Cancellation(msgspec.Struct, frozen=True):
    """What is to be done about the money of a cancelled order; both empty when nothing is.

    `to_void` are the payments that were begun or authorized and took nothing yet.
    """

    order_id: OrderId
    to_void: tuple[PaymentId, ...]
    to_refund: tuple[RefundDue, ...]


class PaymentToSettle(msgspec.Struct, frozen=True):
    """A payment of an order; `refunded_amount` includes refunds that are under way."""

    id: PaymentId
    status: Literal["pending", "authorized", "captured", "failed", "voided"]
    captured_amount: Decimal
    refunded_amount: Decimal
    shipping_amount: Decimal


async def cancel(
    pool: Pool, order_id: OrderId, *, reason: str | None = None, actor: UserId | None = None
) -> Cancellation:
    """Cancel an order that is pending, confirmed or processing, in one transaction.

    The stock of what was not sent and the use of its coupon are given back, once, by the database.
    Beside a parcel that is being sent, or a payment, whoever comes second is refused. No money is
    moved here: the answer says what has to follow. Repeating it does nothing, and answers with what
    is still to be done about the money. Waits for others who are changing the order or the stock.

    Args:
        pool: where to take a connection from.
        order_id: the order.
        reason: why, for the history; up to 1000 characters, or None.
        actor: who cancels it, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        OrderStateError: when the order is shipped, delivered or refunded.
        InvalidInputError: for a reason that cannot be.
    """
    if reason is not None:
        check_text("reason", reason, LONGEST_REASON)

    async def work(connection: AsyncConnection[Any]) -> Cancellation:
        held = await hold_order(connection, order_id, actor=actor, reason=reason)
        if held.status != "cancelled":
            if not may_step(held.status, "cancelled"):
                raise OrderStateError(f"order {order_id} is {held.status}: it can be returned only")
            await step(connection, order_id, "cancelled")
        return await _settlement(connection, order_id)

    return await run_transaction(pool, work)


def settlement(
    order_id: OrderId, lines: Sequence[SoldLine], payments: Sequence[PaymentToSettle]
) -> Cancellation:
    """Return what has to be done about the payments of a cancelled order.

    All that was captured goes back but for what the customer keeps: the pieces that were sent and
    did not come back, and, once anything was sent, the shipping. What is paid back or on its way
    is taken into account, what returns are worth is not paid back twice. The first of `payments`
    pay back first.
    """
    kept = sum(
        (worth_of(line, line.returned_quantity, line.fulfilled_quantity) for line in lines), ZERO
    )
    if payments and any(line.fulfilled_quantity for line in lines):
        kept += payments[0].shipping_amount
    left = sum((p.captured_amount - p.refunded_amount for p in payments), ZERO) - kept
    due: list[RefundDue] = []
    for payment in payments:
        amount = min(left, payment.captured_amount - payment.refunded_amount)
        if amount > 0:
            due.append(RefundDue(payment.id, amount))
            left -= amount
    return Cancellation(
        order_id,
        tuple(p.id for p in payments if p.status in {"pending", "authorized"}),
        tuple(due),
    )


async def _settlement(connection: AsyncConnection[Any], order_id: OrderId) -> Cancellation:
    payments = await QUERIES["read_payments_to_settle"].rows(
        connection, PaymentToSettle, order_id=order_id
    )
    if not payments:
        return Cancellation(order_id, (), ())
    lines = await QUERIES["read_sold_lines"].rows(connection, SoldLine, order_id=order_id)
    return settlement(order_id, lines, payments)
