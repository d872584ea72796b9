"""What is to be asked of a gateway, checked and written down; nothing is asked here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import OrderId, PaymentId, PaymentOperationId
from shopflow.money import LARGEST, ZERO, is_amount, rounded
from shopflow.orders.payments.errors import (
    PaymentAmountError,
    PaymentKeyTakenError,
    PaymentRefusedError,
)
from shopflow.orders.payments.gateway import Kind
from shopflow.orders.payments.models import State
from shopflow.orders.states import Status
from shopflow.postgres import queries
from shopflow.text import check_text

QUERIES = queries.load(__package__)
LONGEST_KEY = 255
LONGEST_REASON = 1000
# What is no longer for sale is not paid for.
PAYABLE: frozenset[Status] = frozenset(
    {"pending", "confirmed", "processing", "shipped", "delivered"}
)


class LockedOrder(msgspec.Struct, frozen=True):
    """An order whose row is held."""

    id: OrderId
    status: Status
    total_amount: Decimal


class LockedPayment(msgspec.Struct, frozen=True):
    """A payment whose row is held, and what of it is left for what.

    `rest` is neither captured nor voided; of it `capturable` is not being captured either.
    """

    id: PaymentId
    gateway: str | None
    status: State
    amount: Decimal
    payment_method: str
    rest: Decimal
    capturable: Decimal
    refundable: Decimal


class _Due(msgspec.Struct, frozen=True):
    due: Decimal


class _Refundable(msgspec.Struct, frozen=True):
    id: PaymentId
    refundable: Decimal


class _Written(msgspec.Struct, frozen=True):
    id: PaymentOperationId


class _Before(msgspec.Struct, frozen=True):
    id: PaymentOperationId
    idempotency_key: str
    payment_id: PaymentId
    order_id: OrderId
    kind: Kind
    amount: Decimal
    gateway: str | None
    reason: str | None
    then_capture: bool
    closes_order: bool


async def intend_authorization(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    *,
    gateway: str,
    amount: Decimal | None,
    method: str,
    idempotency_key: str,
    then_capture: bool,
) -> PaymentOperationId:
    """Write a payment of an order and the intent to authorize it; waits for others paying it.

    Raises:
        NotFoundError: when there is no such order.
        PaymentRefusedError: when it is cancelled or refunded, or there is nothing to pay.
        PaymentAmountError: when it is more than is due, payments under way counted.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount or key that cannot be.
    """
    order = await QUERIES["lock_order_to_pay"].row(connection, LockedOrder, order_id=order_id)
    if order is None:
        raise NotFoundError("order", order_id)
    before = await _find(connection, idempotency_key)
    if before is not None:
        same = (before.order_id, before.kind, before.gateway, before.then_capture)
        _require_same(
            before, same=same == (order_id, "authorize", gateway, then_capture), amount=amount
        )
        return before.id
    if order.status not in PAYABLE:
        raise PaymentRefusedError(f"order {order_id} is {order.status}, there is nothing to pay")
    due = await _due(connection, order)
    if due <= ZERO:
        raise PaymentRefusedError(
            f"of order {order_id} nothing is left to pay, or all is under way"
        )
    wanted = _checked(amount, due)
    if wanted > due:
        raise PaymentAmountError(f"{wanted} is more than the {due} left to pay of order {order_id}")
    return await _written(
        connection,
        "write_authorization",
        order_id=order_id,
        amount=wanted,
        gateway=gateway,
        method=method,
        idempotency_key=idempotency_key,
        then_capture=then_capture,
    )


async def intend_capture(
    connection: AsyncConnection[Any],
    payment_id: PaymentId,
    *,
    amount: Decimal | None,
    idempotency_key: str,
) -> PaymentOperationId:
    """Write the intent to capture a part of a payment, or all that is left; otherwise as above."""
    order, payment = await lock_payment(connection, payment_id)
    before = await _find(connection, idempotency_key)
    if before is not None:
        _require_same(
            before,
            same=(before.payment_id, before.kind) == (payment_id, "capture"),
            amount=amount,
        )
        return before.id
    if order.status not in PAYABLE:
        raise PaymentRefusedError(f"order {order.id} is {order.status}, nothing is captured for it")
    left = payment.capturable
    if payment.status not in {"authorized", "captured"} or left <= ZERO:
        raise PaymentRefusedError(
            f"payment {payment_id} is {payment.status}, with {left} left to capture"
        )
    wanted = _checked(amount, left)
    if wanted > left:
        raise PaymentAmountError(f"{wanted} is more than the {left} left of payment {payment_id}")
    return await write_operation(connection, payment_id, "capture", wanted, idempotency_key)


async def intend_void(
    connection: AsyncConnection[Any], payment_id: PaymentId, *, idempotency_key: str
) -> PaymentOperationId:
    """Write the intent to give up what is left of an authorization; otherwise as above."""
    _, payment = await lock_payment(connection, payment_id)
    before = await _find(connection, idempotency_key)
    if before is not None:
        _require_same(
            before, same=(before.payment_id, before.kind) == (payment_id, "void"), amount=None
        )
        return before.id
    if payment.status not in {"authorized", "captured"} or payment.rest <= ZERO:
        raise PaymentRefusedError(
            f"payment {payment_id} is {payment.status}, with {payment.rest} left to void"
        )
    if payment.capturable < payment.rest:
        raise PaymentRefusedError(
            f"of payment {payment_id} something is being captured or voided: that ends first"
        )
    return await write_operation(connection, payment_id, "void", payment.rest, idempotency_key)


async def intend_refund(
    connection: AsyncConnection[Any],
    payment_id: PaymentId,
    *,
    amount: Decimal | None,
    reason: str | None,
    idempotency_key: str,
    closes_order: bool = False,
) -> PaymentOperationId:
    """Write a refund and the intent to have it made, in the caller's transaction.

    From then on it counts against what was captured. It is made by `executing.execute` once the
    transaction is committed, or by recovery.

    Raises:
        NotFoundError: when there is no such payment.
        PaymentRefusedError: when nothing of it is captured, or left to refund.
        PaymentAmountError: when it is more than was captured and not refunded yet.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount, reason or key that cannot be.
    """
    check_key(idempotency_key)
    if reason is not None:
        check_text("reason", reason, LONGEST_REASON)
    _, payment = await lock_payment(connection, payment_id)
    before = await _find(connection, idempotency_key)
    if before is not None:
        same = (before.payment_id, before.kind, before.reason, before.closes_order)
        _require_same(
            before, same=same == (payment_id, "refund", reason, closes_order), amount=amount
        )
        return before.id
    left = payment.refundable
    if payment.status != "captured" or left <= ZERO:
        raise PaymentRefusedError(
            f"payment {payment_id} is {payment.status}, with {left} left to refund"
        )
    wanted = _checked(amount, left)
    if wanted > left:
        raise PaymentAmountError(
            f"{wanted} is more than the {left} captured and not refunded of payment {payment_id}"
        )
    return await _written(
        connection,
        "write_refund",
        payment_id=payment_id,
        amount=wanted,
        reason=reason,
        idempotency_key=idempotency_key,
        closes_order=closes_order,
    )


async def intend_order_refund(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    *,
    amount: Decimal | None,
    reason: str | None,
    idempotency_key: str,
    closes_order: bool = False,
) -> list[PaymentOperationId]:
    """Write refunds of an order's payments, the latest first, that come to `amount` together.

    Otherwise as `intend_refund`; the keys of the operations are `idempotency_key` and a number.
    """
    check_key(idempotency_key, longest=LONGEST_KEY - 4)
    order = await QUERIES["lock_order_to_pay"].row(connection, LockedOrder, order_id=order_id)
    if order is None:
        raise NotFoundError("order", order_id)
    before = await _order_refund_before(connection, order_id, idempotency_key)
    if before:
        given = sum((each.amount for each in before), ZERO)
        same = all((each.reason, each.closes_order) == (reason, closes_order) for each in before)
        if not same or amount not in {None, given}:
            raise PaymentKeyTakenError(idempotency_key)
        return [each.id for each in before]
    payments = await QUERIES["list_refundable_payments"].rows(
        connection, _Refundable, order_id=order_id
    )
    left = sum((each.refundable for each in payments), ZERO)
    if left <= ZERO:
        raise PaymentRefusedError(f"of order {order_id} nothing is left to refund")
    wanted = _checked(amount, left)
    if wanted > left:
        raise PaymentAmountError(
            f"{wanted} is more than the {left} captured and not refunded of order {order_id}"
        )
    made: list[PaymentOperationId] = []
    for payment in payments:
        part = min(wanted, payment.refundable)
        if part > ZERO:
            made.append(
                await intend_refund(
                    connection,
                    payment.id,
                    amount=part,
                    reason=reason,
                    idempotency_key=f"{idempotency_key}:{len(made) + 1}",
                    closes_order=closes_order,
                )
            )
            wanted -= part
    return made


async def _order_refund_before(
    connection: AsyncConnection[Any], order_id: OrderId, idempotency_key: str
) -> list[_Before]:
    found: list[_Before] = []
    while (each := await _find(connection, f"{idempotency_key}:{len(found) + 1}")) is not None:
        if (each.order_id, each.kind) != (order_id, "refund"):
            raise PaymentKeyTakenError(idempotency_key)
        found.append(each)
    return found


async def lock_payment(
    connection: AsyncConnection[Any], payment_id: PaymentId
) -> tuple[LockedOrder, LockedPayment]:
    """Hold a payment and, before it, its order; waits for others at them.

    Raises:
        NotFoundError: when there is no such payment.
    """
    order = await QUERIES["lock_order_of_payment"].row(
        connection, LockedOrder, payment_id=payment_id
    )
    payment = await QUERIES["lock_payment"].row(connection, LockedPayment, payment_id=payment_id)
    if order is None or payment is None:
        raise NotFoundError("payment", payment_id)
    return order, payment


async def write_operation(
    connection: AsyncConnection[Any],
    payment_id: PaymentId,
    kind: Kind,
    amount: Decimal,
    idempotency_key: str,
) -> PaymentOperationId:
    """Write the intent to capture or to void, which the caller has checked."""
    return await _written(
        connection,
        "write_operation",
        payment_id=payment_id,
        operation_kind=kind,
        amount=amount,
        idempotency_key=idempotency_key,
    )


def new_key() -> str:
    """Return a key for a caller who will not repeat the request."""
    return f"once-{uuid4()}"


def check_key(idempotency_key: str, longest: int = LONGEST_KEY) -> None:
    """Refuse a key that the database could not hold."""
    check_text("idempotency_key", idempotency_key, longest)


async def _due(connection: AsyncConnection[Any], order: LockedOrder) -> Decimal:
    (found,) = await QUERIES["get_amount_due"].rows(
        connection, _Due, order_id=order.id, total_amount=order.total_amount
    )
    return found.due


async def _find(connection: AsyncConnection[Any], idempotency_key: str) -> _Before | None:
    return await QUERIES["find_same_operation"].row(
        connection, _Before, idempotency_key=idempotency_key
    )


def _require_same(before: _Before, *, same: bool, amount: Decimal | None) -> None:
    if not same or (amount is not None and amount != before.amount):
        raise PaymentKeyTakenError(before.idempotency_key)


def _checked(amount: Decimal | None, default: Decimal) -> Decimal:
    if amount is None:
        return default
    if not is_amount(amount):
        raise InvalidInputError("amount", amount, "is not an amount of money: a Decimal")
    if amount <= ZERO or amount > LARGEST:
        raise InvalidInputError("amount", amount, f"must be above 0 and at most {LARGEST}")
    if amount != rounded(amount):
        raise InvalidInputError("amount", amount, "has more than two decimal places")
    return rounded(amount)


async def _written(
    connection: AsyncConnection[Any], query: str, **params: object
) -> PaymentOperationId:
    (written,) = await QUERIES[query].rows(connection, _Written, **params)
    return written.id
