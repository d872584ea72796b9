"""What of an order's money has to move, and the intents of it; the gateways are asked later."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

import msgspec
from psycopg import AsyncConnection

from shopflow.ids import OrderId, PaymentId, PaymentOperationId, ReturnId
from shopflow.money import ZERO
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.intents import intend_order_refund, intend_refund, intend_void
from shopflow.orders.reading import QUERIES
from shopflow.orders.worth import SoldLine, worth_of


class RefundDue(msgspec.Struct, frozen=True):
    """What of a payment has to be paid back."""

    payment_id: PaymentId
    amount: Decimal


class PaymentToSettle(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of an order.

    `gateway` is None for one that was recorded as it was. `refunded_amount` includes refunds that
    are under way. `rest` is neither captured nor voided; `busy` says that of it something is being
    captured or voided.
    """

    id: PaymentId
    gateway: str | None
    status: Literal["pending", "authorized", "captured", "failed", "voided"]
    captured_amount: Decimal
    refunded_amount: Decimal
    rest: Decimal
    busy: bool

    @property
    def refundable(self) -> Decimal:
        """What of it can be paid back."""
        return self.captured_amount - self.refunded_amount

    @property
    def voidable(self) -> bool:
        """Whether it is to be voided now; what is begun or busy is when its answer comes."""
        if self.gateway is None:
            return self.status in {"pending", "authorized"}
        return self.status in {"authorized", "captured"} and self.rest > 0 and not self.busy


class OrderWorth(msgspec.Struct, frozen=True):
    """What an order came to, and what its returns are worth by how that is given back."""

    total_amount: Decimal
    returned_amount: Decimal
    returned_elsewhere_amount: Decimal


class Settlement(msgspec.Struct, frozen=True):
    """What has to be done about the payments of a cancelled order."""

    to_void: tuple[PaymentId, ...]
    to_refund: tuple[RefundDue, ...]


def kept_by_customer(order: OrderWorth, lines: Sequence[SoldLine]) -> Decimal:
    """Return what the customer of a cancelled order has to pay.

    The pieces that were sent and did not come back, and, once anything was sent, what is beside
    the lines: shipping and its tax. What came back for something other than money is paid as well.
    """
    kept = sum(
        (worth_of(line, line.returned_quantity, line.fulfilled_quantity) for line in lines), ZERO
    )
    if any(line.fulfilled_quantity for line in lines):
        kept += order.total_amount - sum((line.total for line in lines), ZERO)
    return max(ZERO, kept + order.returned_elsewhere_amount)


def settlement(kept: Decimal, payments: Sequence[PaymentToSettle]) -> Settlement:
    """Return what has to be done about the payments of a cancelled order of which `kept` is paid.

    All else that was captured goes back, as far as it is not on its way already; the first of
    `payments` pay back first.
    """
    left = sum((each.refundable for each in payments), ZERO) - kept
    due: list[RefundDue] = []
    for payment in payments:
        amount = min(left, payment.refundable)
        if amount > 0:
            due.append(RefundDue(payment.id, amount))
            left -= amount
    return Settlement(tuple(each.id for each in payments if each.voidable), tuple(due))


def refund_of_return(
    worth: Decimal, paid: Decimal, owed: Decimal, payments: Sequence[PaymentToSettle]
) -> Decimal:
    """Return what of a return's worth is paid back.

    All of it for an order that is paid. Not more than was paid beyond `owed`, which is what the
    customer has to pay once this return is counted: who has not paid yet gets nothing back.
    """
    refundable = sum((each.refundable for each in payments), ZERO)
    return max(ZERO, min(worth, refundable, paid - owed))


async def read_settlement(connection: AsyncConnection[Any], order_id: OrderId) -> Settlement:
    """Return what has to be done about the payments of a held order, cancelled or about to be."""
    _, settled, _ = await _settlement(connection, order_id)
    return settled


async def intend_settlement(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    *,
    reason: str | None,
    close_order: bool,
) -> Settlement:
    """Write what has to be done about the payments of a held order as intents, as far as we can.

    To be called before the order is cancelled: payments are locked before stock.

    Returns:
        What is left to be done by people: payments that were recorded without a gateway and took
        nothing yet.

    Raises:
        PaymentRefusedError: when goods were sent that are not captured yet, but could be.
    """
    kept, settled, payments = await _settlement(connection, order_id)
    _refuse_uncaptured(order_id, kept, payments)
    by_id = {each.id: each for each in payments}
    left: list[PaymentId] = []
    for payment_id in settled.to_void:
        if by_id[payment_id].gateway is None:
            left.append(payment_id)
        else:
            await intend_void(connection, payment_id, idempotency_key=_key())
    for due in settled.to_refund:
        await intend_refund(
            connection,
            due.payment_id,
            amount=due.amount,
            reason=reason or "the order was cancelled",
            idempotency_key=_key(),
            closes_order=close_order,
        )
    return Settlement(tuple(left), ())


async def intend_refund_of_return(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    return_id: ReturnId,
    *,
    cancelled: bool,
    worth: Decimal,
    lines: Sequence[SoldLine],
    reason: str | None,
    close_order: bool,
) -> None:
    """Write the refunds of a return that is written, as intents; none when nothing was paid.

    `lines` are those of the held order once the return is counted.
    """
    order, payments = await _read(connection, order_id)
    owed = (
        kept_by_customer(order, lines) if cancelled else order.total_amount - order.returned_amount
    )
    paid = sum((each.captured_amount for each in payments), ZERO)
    amount = refund_of_return(worth, paid, owed, payments)
    if amount > ZERO:
        await intend_order_refund(
            connection,
            order_id,
            amount=amount,
            reason=reason or "goods were returned",
            idempotency_key=_key_of_return(return_id),
            closes_order=close_order,
        )


class _Id(msgspec.Struct, frozen=True):
    id: PaymentOperationId


async def open_give_backs(
    connection: AsyncConnection[Any], order_id: OrderId
) -> list[PaymentOperationId]:
    """Return the voids and refunds of an order that have no outcome yet."""
    found = await QUERIES["list_open_give_backs"].rows(connection, _Id, order_id=order_id)
    return [each.id for each in found]


async def refunds_of_return(
    connection: AsyncConnection[Any], order_id: OrderId, return_id: ReturnId
) -> list[PaymentOperationId]:
    """Return the refunds that were written with a return."""
    found = await QUERIES["list_refunds_of_return"].rows(
        connection, _Id, order_id=order_id, beginning=f"{_key_of_return(return_id)}:"
    )
    return [each.id for each in found]


def _refuse_uncaptured(
    order_id: OrderId, kept: Decimal, payments: Sequence[PaymentToSettle]
) -> None:
    """Refuse to give up, or to give back when it comes, what was sent and can yet be captured."""
    captured = sum((each.captured_amount for each in payments), ZERO)
    capturable = any(
        each.gateway is not None
        and each.status in {"pending", "authorized", "captured"}
        and each.rest > 0
        for each in payments
    )
    if kept > captured and capturable:
        raise PaymentRefusedError(
            f"of order {order_id} the customer keeps {kept}, of which {captured} is captured:"
            " capture the rest first"
        )


async def _settlement(
    connection: AsyncConnection[Any], order_id: OrderId
) -> tuple[Decimal, Settlement, list[PaymentToSettle]]:
    order, payments = await _read(connection, order_id)
    if not payments:
        return ZERO, Settlement((), ()), []
    lines = await QUERIES["read_sold_lines"].rows(connection, SoldLine, order_id=order_id)
    kept = kept_by_customer(order, lines)
    return kept, settlement(kept, payments), payments


async def _read(
    connection: AsyncConnection[Any], order_id: OrderId
) -> tuple[OrderWorth, list[PaymentToSettle]]:
    (order,) = await QUERIES["read_order_worth"].rows(connection, OrderWorth, order_id=order_id)
    payments = await QUERIES["read_payments_to_settle"].rows(
        connection, PaymentToSettle, order_id=order_id
    )
    return order, payments


def _key_of_return(return_id: ReturnId) -> str:
    # A colon and a number follow for each refund.
    return f"return-{return_id}"


def _key() -> str:
    # Which is to be done, the locked payments say: what was declined is asked for anew.
    return f"cancellation-{uuid4()}"
