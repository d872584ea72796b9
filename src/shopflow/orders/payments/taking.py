"""Payments and refunds as a shop asks for them: the intent, the gateway's answer, the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError
from shopflow.ids import OrderId, PaymentId, PaymentOperationId, UserId
from shopflow.orders.payments import executing, intents
from shopflow.orders.payments.errors import (
    KEY_TAKEN,
    PaymentKeyTakenError,
    PaymentRefusedError,
)
from shopflow.orders.payments.gateway import Gateways, gateway_named
from shopflow.orders.payments.intents import QUERIES
from shopflow.orders.payments.models import Outcome
from shopflow.orders.payments.recording import capture_key
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

T = TypeVar("T")
LONGEST_METHOD = 50
LONGEST_TOKEN = 500
# Above anything that is due at once, and no call for more.
MOST_AT_ONCE = 1000


class _PaymentIdRow(msgspec.Struct, frozen=True):
    id: PaymentId


async def authorize(
    pool: Pool,
    gateways: Gateways,
    order_id: OrderId,
    *,
    gateway: str,
    token: str,
    amount: Decimal | None = None,
    method: str = "card",
    idempotency_key: str | None = None,
    actor: UserId | None = None,
) -> Outcome:
    """Reserve an amount for an order at a gateway.

    The intent is committed before the gateway is asked, outside of any transaction, and the
    answer after it. Repeated with the same key, also by several at once, it is one payment.
    Whatever was authorized for an order that was cancelled meanwhile is voided.

    Args:
        pool: the shop.
        gateways: by name.
        order_id: the order, neither cancelled nor refunded.
        gateway: the name of one of them.
        token: the gateway's own for the means of payment; never stored.
        amount: None for all that is due.
        method: what the customer calls it, such as `card`; 1 to 50 characters.
        idempotency_key: the caller's name for this payment, 1 to 255 characters, at the gateway
            too; None when it will not be repeated.
        actor: who says so, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such order, gateway or actor.
        PaymentRefusedError: when the order is not to be paid, or all of it is under way.
        PaymentAmountError: when it is more than is due.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount, method, token or key that cannot be.
    """
    operation_id = await _intend_authorization(
        pool,
        gateways,
        order_id,
        gateway=gateway,
        token=token,
        amount=amount,
        method=method,
        key=_key(idempotency_key),
        then_capture=False,
    )
    return await executing.execute(pool, gateways, operation_id, token=token, actor=actor)


async def pay(
    pool: Pool,
    gateways: Gateways,
    order_id: OrderId,
    *,
    gateway: str,
    token: str,
    amount: Decimal | None = None,
    method: str = "card",
    idempotency_key: str | None = None,
    actor: UserId | None = None,
) -> Outcome:
    """Authorize and capture at once; an order that is paid in full then is confirmed.

    Otherwise as `authorize`. A crash in between loses nothing: the capture follows from the
    authorization by itself. A capture that is declined gives the authorization up.

    Returns:
        What became of the capture, or of the authorization when it came to none.

    Raises:
        NotFoundError: when there is no such order, gateway or actor.
        PaymentRefusedError: when the order is not to be paid, or all of it is under way.
        PaymentAmountError: when it is more than is due.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount, method, token or key that cannot be.
    """
    operation_id = await _intend_authorization(
        pool,
        gateways,
        order_id,
        gateway=gateway,
        token=token,
        amount=amount,
        method=method,
        key=_key(idempotency_key),
        then_capture=True,
    )
    before = await executing.get_outcome(pool, operation_id)
    authorized = await executing.execute(pool, gateways, operation_id, token=token, actor=actor)
    capture_id = await executing.find_operation(pool, capture_key(operation_id))
    if capture_id is None:
        return authorized
    captured = await executing.get_outcome(pool, capture_id)
    # A repetition, whose capture may be left to do; or another call is at it, which may be dead.
    if before.succeeded or captured.status == "pending":
        return await executing.execute(pool, gateways, capture_id, actor=actor)
    return captured


async def capture(
    pool: Pool,
    gateways: Gateways,
    payment_id: PaymentId,
    *,
    amount: Decimal | None = None,
    idempotency_key: str | None = None,
    actor: UserId | None = None,
) -> Outcome:
    """Take a part of what is authorized, or with `amount` None all that is left.

    Several captures of one authorization never come to more than it. An order that is paid in
    full then is confirmed; what was captured for an order that was cancelled meanwhile is given
    back.

    Raises:
        NotFoundError: when there is no such payment, or the actor is no such user.
        PaymentRefusedError: when it is not authorized, nothing of it is left, or the order is
            cancelled.
        PaymentAmountError: when it is more than is left, captures under way counted.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount or key that cannot be.
    """
    key = _key(idempotency_key)

    async def intend(connection: AsyncConnection[Any]) -> PaymentOperationId:
        return await intents.intend_capture(
            connection, payment_id, amount=amount, idempotency_key=key
        )

    operation_id = await _intended(pool, key, intend)
    return await executing.execute(pool, gateways, operation_id, actor=actor)


async def void(
    pool: Pool,
    gateways: Gateways,
    payment_id: PaymentId,
    *,
    idempotency_key: str | None = None,
) -> Outcome:
    """Give up what is left of an authorization; a payment of which nothing was captured is voided.

    Raises:
        NotFoundError: when there is no such payment.
        PaymentRefusedError: when nothing of it is left, or something of it is being captured.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for a key that cannot be.
    """
    key = _key(idempotency_key)

    async def intend(connection: AsyncConnection[Any]) -> PaymentOperationId:
        return await intents.intend_void(connection, payment_id, idempotency_key=key)

    return await executing.execute(pool, gateways, await _intended(pool, key, intend))


async def refund(
    pool: Pool,
    gateways: Gateways,
    payment_id: PaymentId,
    *,
    amount: Decimal | None = None,
    reason: str | None = None,
    idempotency_key: str | None = None,
    close_order: bool = False,
    actor: UserId | None = None,
) -> Outcome:
    """Give back a part of what was captured, or with `amount` None all that is left of it.

    Refunds never come to more than was captured, those under way counted. A refund that the
    gateway declines is `failed` and frees what it held; a new one needs a new key. A payment
    that was recorded as it was (`gateway` NULL) is given back by staff, as with `manual`.

    Args:
        pool: the shop.
        gateways: by name.
        payment_id: of which payment.
        amount: None for all that is left.
        reason: for the books; None or 1 to 1,000 characters.
        idempotency_key: as for `authorize`.
        close_order: once all that was captured for the order is given back, let its status be
            `refunded`. Otherwise refunds leave the order's status alone.
        actor: who says so, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such payment, or the actor is no such user.
        PaymentRefusedError: when nothing of it was captured, or nothing is left to give back.
        PaymentAmountError: when it is more than is left, refunds under way counted.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount, reason or key that cannot be.
    """
    key = _key(idempotency_key)

    async def intend(connection: AsyncConnection[Any]) -> PaymentOperationId:
        return await intents.intend_refund(
            connection,
            payment_id,
            amount=amount,
            reason=reason,
            idempotency_key=key,
            closes_order=close_order,
        )

    operation_id = await _intended(pool, key, intend)
    return await executing.execute(pool, gateways, operation_id, actor=actor)


async def refund_order(
    pool: Pool,
    gateways: Gateways,
    order_id: OrderId,
    *,
    amount: Decimal | None = None,
    reason: str | None = None,
    idempotency_key: str | None = None,
    close_order: bool = False,
    actor: UserId | None = None,
) -> tuple[Outcome, ...]:
    """Give back an amount of what was paid for an order, whichever payments it came in.

    Otherwise as `refund`; the latest payments first, each part a refund of its own. All their
    intents are written in one transaction, before the first gateway is asked.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        PaymentRefusedError: when there is nothing to give back.
        PaymentAmountError: when it is more than is left of all payments, refunds under way counted.
        PaymentKeyTakenError: when the key has been used for something else.
        InvalidInputError: for an amount, reason or key that cannot be.
    """
    key = _key(idempotency_key)

    async def intend(connection: AsyncConnection[Any]) -> list[PaymentOperationId]:
        return await intents.intend_order_refund(
            connection,
            order_id,
            amount=amount,
            reason=reason,
            idempotency_key=key,
            closes_order=close_order,
        )

    made = await _intended(pool, key, intend)
    return tuple([await executing.execute(pool, gateways, each, actor=actor) for each in made])


async def expire_authorizations(pool: Pool, gateways: Gateways) -> int:
    """Void what is left of authorizations that have ended at their gateway; return how many were.

    The order is then no longer `authorized`. For the worker; two at once do no harm. Raises nothing
    of its own.
    """
    async with pool.connection() as connection:
        expired = await QUERIES["list_expired_authorizations"].rows(
            connection, _PaymentIdRow, gateways=list(gateways), most=MOST_AT_ONCE
        )
    voided = 0
    for each in expired:
        try:
            done = await void(pool, gateways, each.id, idempotency_key=f"expired-{each.id}")
        except PaymentRefusedError:
            # Captured or voided since we looked.
            continue
        voided += done.succeeded
    return voided


async def _intend_authorization(
    pool: Pool,
    gateways: Gateways,
    order_id: OrderId,
    *,
    gateway: str,
    token: str,
    amount: Decimal | None,
    method: str,
    key: str,
    then_capture: bool,
) -> PaymentOperationId:
    gateway_named(gateways, gateway)
    check_text("method", method, LONGEST_METHOD)
    check_text("token", token, LONGEST_TOKEN, secret=True, shortest=0)

    async def intend(connection: AsyncConnection[Any]) -> PaymentOperationId:
        return await intents.intend_authorization(
            connection,
            order_id,
            gateway=gateway,
            amount=amount,
            method=method,
            idempotency_key=key,
            then_capture=then_capture,
        )

    return await _intended(pool, key, intend)


async def _intended(
    pool: Pool, key: str, intend: Callable[[AsyncConnection[Any]], Awaitable[T]]
) -> T:
    try:
        return await run_transaction(pool, intend)
    except ConstraintViolatedError as error:
        if error.constraint != KEY_TAKEN:
            raise
        # By an operation of another order; of the same one, its row is looked for first.
        raise PaymentKeyTakenError(key) from error


def _key(idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return intents.new_key()
    intents.check_key(idempotency_key)
    return idempotency_key
