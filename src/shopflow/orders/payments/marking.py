"""Recording that an order was paid in full outside of ShopFlow: a manual payment in one step."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import OrderId, PaymentId, UserId
from shopflow.orders.errors import OrderStateError
from shopflow.orders.payments.intents import QUERIES
from shopflow.orders.reading import QUERIES as ORDER_QUERIES
from shopflow.orders.states import PaymentStatus, Status
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

LONGEST_METHOD, LONGEST_BRAND = 50, 20
_LAST_FOUR = re.compile(r"[0-9]{4}")


class _Payment(msgspec.Struct, frozen=True):
    amount: Decimal
    method: str
    card_brand: str | None
    card_last_four: str | None


class _Paid(msgspec.Struct, frozen=True):
    id: PaymentId


class _Payable(msgspec.Struct, frozen=True):
    status: Status
    payment_status: PaymentStatus
    total_amount: Decimal


async def mark_paid(
    pool: Pool,
    order_id: OrderId,
    *,
    amount: Decimal,
    method: str,
    card_brand: str | None = None,
    card_last_four: str | None = None,
    actor: UserId | None = None,
) -> PaymentId:
    """Record that an order was paid in full, and confirm it, in one transaction.

    It happens once: of two that come at the same time, one finds the order paid already. The
    payment is one of the gateway `manual`, captured.

    Args:
        pool: where to take a connection from.
        order_id: the order, which has to be pending and unpaid.
        amount: what was taken, which has to be the order's total.
        method: how, such as `card` or `transfer`; 1 to 50 characters.
        card_brand: None unless by card.
        card_last_four: the last four digits, all of a card number that is ever stored.
        actor: who says so, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        OrderStateError: when it is paid, cancelled or otherwise no longer to be paid.
        PaymentAmountError: when a payment of it is under way at a gateway.
        InvalidInputError: when the amount is not the total, or the other fields cannot be.
    """
    payment = _Payment(amount, method, card_brand, card_last_four)
    _check(payment)
    return await run_transaction(
        pool, lambda connection: _mark_paid(connection, order_id, payment, actor)
    )


async def _mark_paid(
    connection: AsyncConnection[Any], order_id: OrderId, payment: _Payment, actor: UserId | None
) -> PaymentId:
    reason = f"paid by {payment.method}"
    if not await ORDER_QUERIES["explain_change"].execute(connection, actor=actor, reason=reason):
        raise NotFoundError("user", actor)
    paid = await QUERIES["record_payment"].row(
        connection, _Paid, order_id=order_id, **msgspec.structs.asdict(payment)
    )
    if paid is None:
        raise await _refusal(connection, order_id, payment.amount)
    await QUERIES["confirm_paid_order"].execute(connection, order_id=order_id)
    return paid.id


async def _refusal(
    connection: AsyncConnection[Any], order_id: OrderId, amount: Decimal
) -> Exception:
    order = await QUERIES["get_payable"].row(connection, _Payable, order_id=order_id)
    if order is None:
        return NotFoundError("order", order_id)
    if (order.status, order.payment_status) != ("pending", "unpaid"):
        return OrderStateError(
            f"order {order_id} is {order.status} and {order.payment_status}:"
            " only a pending, unpaid order can be marked as paid"
        )
    return InvalidInputError("amount", amount, f"must be the order's total, {order.total_amount}")


def _check(payment: _Payment) -> None:
    check_text("method", payment.method, LONGEST_METHOD)
    if payment.card_brand is not None:
        check_text("card_brand", payment.card_brand, LONGEST_BRAND, shortest=0)
    if payment.card_last_four is not None and not _LAST_FOUR.fullmatch(payment.card_last_four):
        # It might be the whole number of a card, so it is not shown.
        raise InvalidInputError("card_last_four", "…", "must be four digits")
