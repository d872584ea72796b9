"""Goods that come back: counted, put into stock where they are sold again, and paid back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.ids import OrderId, OrderItemId, PaymentOperationId, ReturnId, UserId
from shopflow.money import ZERO
from shopflow.orders.errors import Excess, IdempotencyKeyTakenError, LineQuantityError
from shopflow.orders.holding import hold_order
from shopflow.orders.payments.executing import execute_all
from shopflow.orders.payments.gateway import Gateways
from shopflow.orders.payments.models import Outcome
from shopflow.orders.reading import QUERIES
from shopflow.orders.requests import LONGEST_KEY, fingerprint_of
from shopflow.orders.settling import intend_refund_of_return, refunds_of_return
from shopflow.orders.shipments import refuse_unknown
from shopflow.orders.worth import SoldLine, refund_of, returned
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

LONGEST_REASON = 1000


class ReturnLine(msgspec.Struct, frozen=True):
    """Pieces of a line that come back; `restock` puts them into stock, to be sold again."""

    order_item_id: OrderItemId
    quantity: int
    restock: bool


class ReturnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back.

    Attributes:
        order_id: the order.
        lines: what comes back; of one line some pieces may be put into stock and others not.
        reason: why, for the order's history of returns; up to 1000 characters, or None.
        idempotency_key: the caller's own name for this return among those of the order, 1 to 255
            characters; None when it is not going to be repeated.
        refund: False when its worth is given back in another way, such as store credit; no refund
            is made then, nor when the order is cancelled.
        close_order: let the order end as `refunded` once all that was captured is given back.
    """

    order_id: OrderId
    lines: Sequence[ReturnLine]
    reason: str | None = None
    idempotency_key: str | None = None
    refund: bool = True
    close_order: bool = False


class Returned(msgspec.Struct, frozen=True):
    """A return, what its goods are worth, and what became of its refunds so far.

    `refunds` come to `refund_amount`, or to less: an order that is not paid pays nothing back.
    One that is `pending` or `unknown` is finished by recovery; in place of one that was `declined`
    the caller makes another with `payments.refund_order`.
    """

    id: ReturnId
    refund_amount: Decimal
    refunds: tuple[Outcome, ...] = ()


class _Written(msgspec.Struct, frozen=True):
    id: ReturnId
    refund_amount: Decimal


class _Before(_Written, frozen=True):
    same_request: bool


async def return_items(
    pool: Pool, gateways: Gateways, request: ReturnRequest, *, actor: UserId | None = None
) -> Returned:
    """Take back goods of an order, whatever status it has, and pay them back.

    In one transaction: the pieces are counted, never more than were sent, however many take back
    at once; what is to be sold again goes into stock, where the line had taken stock; and the
    refunds of what was paid for the pieces are written down: after discount and with tax, without
    shipping; returning a line in any split adds up to the line. Not more is refunded than was paid
    beyond what the customer has to pay for the rest. After the commit the gateways are asked, the
    latest payments first; what a crash leaves is finished by `payments.recover`. Of `manual`
    payments, and of those recorded without a gateway, a refund is recorded as made: sending the
    money is up to staff.

    With an idempotency key, repeating the same request returns the same return, and asks for what
    of its refunds has no outcome yet. Waits for others who are changing the order or the stock,
    and then for the gateways.

    Raises:
        NotFoundError: when there is no such order, the order has no such line, or the actor is no
            such user.
        LineQuantityError: with every line of which less was sent and not returned.
        IdempotencyKeyTakenError: when another return was made with this key.
        InvalidInputError: for lines, a reason or a key that cannot be.
        TransactionError: inside of `run_transaction`: gateways are asked after the commit.
    """
    _check(request)
    written, refunds = await run_transaction(
        pool, lambda connection: _return(connection, request, actor)
    )
    outcomes = await execute_all(pool, gateways, refunds, actor=actor)
    return Returned(written.id, written.refund_amount, outcomes)


async def _return(
    connection: AsyncConnection[Any], request: ReturnRequest, actor: UserId | None
) -> tuple[_Written, list[PaymentOperationId]]:
    order_id = request.order_id
    held = await hold_order(connection, order_id, actor=actor, reason=request.reason)
    fingerprint = None if request.idempotency_key is None else fingerprint_of(request)
    written: _Written | None = None
    if fingerprint is not None:
        written = await _before(connection, request, fingerprint)
    if written is None:
        written = await _write(
            connection, request, fingerprint, actor, cancelled=held.status == "cancelled"
        )
    return written, await refunds_of_return(connection, order_id, written.id)


async def _write(
    connection: AsyncConnection[Any],
    request: ReturnRequest,
    fingerprint: bytes | None,
    actor: UserId | None,
    *,
    cancelled: bool,
) -> _Written:
    order_id = request.order_id
    found = await QUERIES["read_sold_lines"].rows(connection, SoldLine, order_id=order_id)
    back = _back(request, found)
    (written,) = await QUERIES["write_return"].rows(
        connection,
        _Written,
        order_id=order_id,
        reason=request.reason,
        refund_amount=sum((refund_of(line, back[line.id]) for line in found), ZERO),
        refunded_elsewhere=not request.refund,
        actor=actor,
        idempotency_key=request.idempotency_key,
        fingerprint=fingerprint,
    )
    if request.refund:
        # Before the lines, which lock stock: payments come first.
        await intend_refund_of_return(
            connection,
            order_id,
            written.id,
            cancelled=cancelled,
            worth=written.refund_amount,
            lines=[returned(line, back[line.id]) for line in found],
            reason=request.reason,
            close_order=request.close_order,
        )
    await QUERIES["write_return_lines"].execute(
        connection,
        return_id=written.id,
        lines=msgspec.json.encode(_added_up(request.lines)).decode(),
    )
    # The last piece that was under way may have come back.
    await QUERIES["deliver_order"].execute(connection, order_id=order_id)
    return written


async def _before(
    connection: AsyncConnection[Any], request: ReturnRequest, fingerprint: bytes
) -> _Written | None:
    before = await QUERIES["get_return_by_key"].row(
        connection,
        _Before,
        order_id=request.order_id,
        idempotency_key=request.idempotency_key,
        fingerprint=fingerprint,
    )
    if before is not None and not before.same_request:
        raise IdempotencyKeyTakenError(request.idempotency_key or "", "return")
    return before


def _back(request: ReturnRequest, found: list[SoldLine]) -> Counter[OrderItemId]:
    """Return how many pieces of each line come back."""
    back: Counter[OrderItemId] = Counter()
    for line in request.lines:
        back[line.order_item_id] += line.quantity
    refuse_unknown(request.order_id, back, found)
    excesses = [
        Excess(line.id, line.sku, back[line.id], line.returnable)
        for line in found
        if back[line.id] > line.returnable
    ]
    if excesses:
        raise LineQuantityError("less was sent and is still with the customer", excesses)
    return back


def _added_up(lines: Sequence[ReturnLine]) -> list[ReturnLine]:
    """Return the lines with those that differ in nothing but their quantity made one."""
    quantities: Counter[tuple[OrderItemId, bool]] = Counter()
    for line in lines:
        quantities[line.order_item_id, line.restock] += line.quantity
    return [
        ReturnLine(item_id, quantity, restock)
        for (item_id, restock), quantity in quantities.items()
    ]


def _check(request: ReturnRequest) -> None:
    if not request.lines:
        raise InvalidInputError("lines", [], "must not be empty")
    for place, line in enumerate(request.lines):
        if line.quantity < 1:
            raise InvalidInputError(f"lines[{place}].quantity", line.quantity, "must be at least 1")
    if request.reason is not None:
        check_text("reason", request.reason, LONGEST_REASON)
    if request.idempotency_key is not None:
        check_text("idempotency_key", request.idempotency_key, LONGEST_KEY)
