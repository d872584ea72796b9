"""What a gateway said, written down once, whoever brings it: a call, a webhook or recovery."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import OrderId, PaymentId, PaymentOperationId, UserId
from shopflow.money import ZERO
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.gateway import Declined, Kind, Result, Succeeded, Unknown
from shopflow.orders.payments.intents import (
    PAYABLE,
    QUERIES,
    LockedOrder,
    intend_refund,
    intend_void,
    lock_payment,
    write_operation,
)
from shopflow.orders.payments.models import OperationStatus
from shopflow.orders.reading import QUERIES as ORDER_QUERIES

LONGEST_CODE, LONGEST_BRAND = 100, 20
LAST_FOUR = re.compile(r"[0-9]{4}")


class NeverHappened(msgspec.Struct, frozen=True):
    """The gateway knows of no such call, and it is not to be made any more: why."""

    code: str


class _Operation(msgspec.Struct, frozen=True):
    id: PaymentOperationId
    payment_id: PaymentId
    kind: Kind
    amount: Decimal
    status: OperationStatus
    then_capture: bool
    closes_order: bool
    captured_at_once: bool


class _News(msgspec.Struct, frozen=True):
    status: OperationStatus
    gateway_reference: str | None
    error_code: str | None


# As payment_operation_steps() in the database, which refuses every other step.
STEPS: Mapping[OperationStatus, frozenset[OperationStatus]] = {
    "pending": frozenset({"unknown", "succeeded", "declined", "failed"}),
    "unknown": frozenset({"succeeded", "declined", "failed"}),
    # Given up by us, and then the gateway said that it had happened after all.
    "failed": frozenset({"succeeded"}),
    "succeeded": frozenset(),
    "declined": frozenset(),
}


def capture_key(authorization: PaymentOperationId) -> str:
    """Return the key of the capture that follows an authorization by itself."""
    return f"capture-of-{authorization}"


async def record(
    connection: AsyncConnection[Any],
    operation_id: PaymentOperationId,
    result: Result | NeverHappened,
    *,
    actor: UserId | None = None,
) -> tuple[PaymentOperationId, ...]:
    """Write down what became of an operation; what is written already is left as it is.

    Payment, refund and the order's payment_status follow in the database. In the same transaction
    an order that is paid in full is confirmed, and what has to follow is written as an intent:
    the capture that was asked for with the authorization; the refund of what was captured for an
    order that was cancelled meanwhile; the void of what is authorized for one, or was after it had
    been given up, or whose capture was declined. Waits for others at the same order.

    Returns:
        The operations to be executed once the transaction is committed.

    Raises:
        NotFoundError: when there is no such operation, or the actor is no such user.
        PaymentRefusedError: when the opposite is written already.
    """
    if not await ORDER_QUERIES["explain_change"].execute(connection, actor=actor, reason=None):
        raise NotFoundError("user", actor)
    order, operation = await _lock(connection, operation_id)
    news = _news(result)
    if news.status not in STEPS[operation.status]:
        if {operation.status, news.status} == {"succeeded", "declined"}:
            raise PaymentRefusedError(
                f"the gateway says that payment operation {operation_id} has {news.status}, and has"
                f" said before that it has {operation.status}"
            )
        return ()
    await QUERIES["settle_operation"].execute(
        connection, operation_id=operation_id, **msgspec.structs.asdict(news)
    )
    if isinstance(result, Succeeded):
        return await _after_success(connection, order, operation, result, actor)
    # Paid at once, so nobody comes back to capture: another means of payment can be tried. Nor can
    # they for an order that was cancelled while it was being captured.
    over = operation.captured_at_once or order.status not in PAYABLE
    if operation.kind == "capture" and over and news.status != "unknown":
        return await _void(connection, operation)
    return ()


def _news(result: Result | NeverHappened) -> _News:
    match result:
        case Succeeded():
            return _News("succeeded", result.reference, None)
        case Declined():
            return _News("declined", None, _code(result.code))
        case Unknown():
            return _News("unknown", None, _code(result.reason))
        case NeverHappened():
            return _News("failed", None, result.code)
        case _:
            assert_never(result)


def _code(said: str) -> str:
    # A gateway's wording must not keep its answer from being recorded.
    return said.replace("\0", "")[:LONGEST_CODE] or "no_reason_given"


async def _lock(
    connection: AsyncConnection[Any], operation_id: PaymentOperationId
) -> tuple[LockedOrder, _Operation]:
    order = await QUERIES["lock_order_of_operation"].row(
        connection, LockedOrder, operation_id=operation_id
    )
    operation = await QUERIES["lock_operation"].row(
        connection, _Operation, operation_id=operation_id
    )
    if order is None or operation is None:
        raise NotFoundError("payment operation", operation_id)
    await lock_payment(connection, operation.payment_id)
    return order, operation


async def _after_success(
    connection: AsyncConnection[Any],
    order: LockedOrder,
    operation: _Operation,
    result: Succeeded,
    actor: UserId | None,
) -> tuple[PaymentOperationId, ...]:
    match operation.kind:
        case "authorize":
            return await _authorized(connection, order, operation, result)
        case "capture":
            if order.status not in PAYABLE:
                return (
                    *await _give_back(connection, order, operation),
                    *await _void(connection, operation),
                )
            await _confirm(connection, order.id, operation.payment_id, actor)
        case "refund":
            if operation.closes_order:
                reason = "all that was paid was given back"
                await ORDER_QUERIES["explain_change"].execute(
                    connection, actor=actor, reason=reason
                )
                await QUERIES["close_refunded_order"].execute(connection, order_id=order.id)
        case "void":
            pass
        case _:
            assert_never(operation.kind)
    return ()


async def _authorized(
    connection: AsyncConnection[Any],
    order: LockedOrder,
    operation: _Operation,
    result: Succeeded,
) -> tuple[PaymentOperationId, ...]:
    last_four = result.card_last_four or ""
    await QUERIES["describe_authorization"].execute(
        connection,
        payment_id=operation.payment_id,
        gateway_reference=result.reference,
        card_brand=(result.card_brand or "")[:LONGEST_BRAND] or None,
        card_last_four=last_four if LAST_FOUR.fullmatch(last_four) else None,
        expires_at=result.expires_at,
    )
    # Of a payment that had been given up the customer was told that it has failed.
    if order.status not in PAYABLE or operation.status == "failed":
        return await _void(connection, operation)
    if not operation.then_capture:
        return ()
    key = capture_key(operation.id)
    return (
        await write_operation(connection, operation.payment_id, "capture", operation.amount, key),
    )


async def _void(
    connection: AsyncConnection[Any], operation: _Operation
) -> tuple[PaymentOperationId, ...]:
    _, payment = await lock_payment(connection, operation.payment_id)
    if payment.rest <= ZERO or payment.capturable < payment.rest:
        return ()
    key = f"void-after-{operation.id}"
    return (await intend_void(connection, operation.payment_id, idempotency_key=key),)


async def _give_back(
    connection: AsyncConnection[Any], order: LockedOrder, operation: _Operation
) -> tuple[PaymentOperationId, ...]:
    _, payment = await lock_payment(connection, operation.payment_id)
    amount = min(operation.amount, payment.refundable)
    if amount <= ZERO:
        return ()
    return (
        await intend_refund(
            connection,
            operation.payment_id,
            amount=amount,
            reason=f"the order was {order.status} when the payment came",
            idempotency_key=f"refund-after-{operation.id}",
        ),
    )


async def _confirm(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    payment_id: PaymentId,
    actor: UserId | None,
) -> None:
    _, payment = await lock_payment(connection, payment_id)
    reason = f"paid by {payment.payment_method}"
    await ORDER_QUERIES["explain_change"].execute(connection, actor=actor, reason=reason)
    await QUERIES["confirm_paid_order"].execute(connection, order_id=order_id)
