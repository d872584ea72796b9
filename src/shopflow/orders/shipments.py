"""Sending the goods of an order, in one parcel or several."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import OrderId, OrderItemId, ShipmentId, UserId
from shopflow.orders.errors import (
    Excess,
    IdempotencyKeyTakenError,
    LineQuantityError,
    OrderStateError,
)
from shopflow.orders.holding import Held, hold_order, step
from shopflow.orders.reading import QUERIES
from shopflow.orders.requests import LONGEST_KEY, fingerprint_of
from shopflow.orders.worth import SoldLine
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

LONGEST_CARRIER = LONGEST_TRACKING_NUMBER = 100


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What a parcel is sent with.

    Attributes:
        order_id: the order, which has to be confirmed or processing.
        lines: pieces by line; None for all that is left to be sent.
        carrier: who carries it, 1 to 100 characters.
        tracking_number: None when there is none yet.
        estimated_delivery: the day on which it should arrive, None when not known.
        idempotency_key: the caller's own name for this parcel among those of the order, 1 to 255
            characters; None when it is not going to be repeated.
    """

    order_id: OrderId
    lines: Mapping[OrderItemId, int] | None = None
    carrier: str
    tracking_number: str | None = None
    estimated_delivery: date | None = None
    idempotency_key: str | None = None


class _Before(msgspec.Struct, frozen=True):
    id: ShipmentId
    same_request: bool


class _Written(msgspec.Struct, frozen=True):
    id: ShipmentId


async def ship(pool: Pool, parcel: Parcel, *, actor: UserId | None = None) -> ShipmentId:
    """Send a parcel with these lines, or with all that is left of the order, in one transaction.

    The order becomes processing with its first parcel, and shipped once everything was sent. Never
    is more sent than was bought, however many send at once, and nothing of an order that is being
    cancelled: whoever comes second is refused. With an idempotency key, repeating the same request
    returns the same parcel. Waits for others who are changing the order.

    Raises:
        NotFoundError: when there is no such order, the order has no such line, or the actor is no
            such user.
        OrderStateError: when the order is neither confirmed nor processing, or nothing is left.
        LineQuantityError: with every line of which less is left.
        IdempotencyKeyTakenError: when another parcel was sent with this key.
        InvalidInputError: for lines, a carrier, a tracking number or a key that cannot be.
    """
    _check(parcel)
    return await run_transaction(pool, lambda connection: _ship(connection, parcel, actor))


async def _ship(
    connection: AsyncConnection[Any], parcel: Parcel, actor: UserId | None
) -> ShipmentId:
    reason = f"sent with {parcel.carrier}"
    held = await hold_order(connection, parcel.order_id, actor=actor, reason=reason)
    fingerprint = _fingerprint(parcel)
    if fingerprint is not None:
        before = await QUERIES["get_shipment_by_key"].row(
            connection,
            _Before,
            order_id=parcel.order_id,
            idempotency_key=parcel.idempotency_key,
            fingerprint=fingerprint,
        )
        if before is not None:
            if not before.same_request:
                raise IdempotencyKeyTakenError(parcel.idempotency_key or "", "parcel")
            return before.id
    found = await QUERIES["read_sold_lines"].rows(connection, SoldLine, order_id=parcel.order_id)
    sent = _sent(held, parcel, found)
    if held.status == "confirmed":
        await step(connection, held.id, "processing")
    (written,) = await QUERIES["write_shipment"].rows(
        connection,
        _Written,
        order_id=parcel.order_id,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        estimated_delivery=parcel.estimated_delivery,
        idempotency_key=parcel.idempotency_key,
        fingerprint=fingerprint,
        lines=msgspec.json.encode(
            [{"order_item_id": item, "quantity": quantity} for item, quantity in sent.items()]
        ).decode(),
    )
    if all(line.unsent == sent.get(line.id, 0) for line in found):
        await step(connection, held.id, "shipped")
    return written.id


def _fingerprint(parcel: Parcel) -> bytes | None:
    return None if parcel.idempotency_key is None else fingerprint_of(parcel)


def _sent(held: Held, parcel: Parcel, found: list[SoldLine]) -> Mapping[OrderItemId, int]:
    if held.status not in {"confirmed", "processing", "shipped"}:
        raise OrderStateError(
            f"order {held.id} is {held.status}: its goods are sent while it is confirmed or"
            " processing"
        )
    left = {line.id: line.unsent for line in found if line.unsent}
    if not left:
        raise OrderStateError(f"order {held.id} has nothing left to be sent")
    if parcel.lines is None:
        return left
    refuse_unknown(parcel.order_id, parcel.lines, found)
    excesses = [
        Excess(line.id, line.sku, wanted, line.unsent)
        for line in found
        if (wanted := parcel.lines.get(line.id, 0)) > line.unsent
    ]
    if excesses:
        raise LineQuantityError("less is left to be sent, nothing was", excesses)
    return parcel.lines


def refuse_unknown(
    order_id: OrderId, given: Mapping[OrderItemId, int], found: list[SoldLine]
) -> None:
    """Raise NotFoundError for a line that is not one of the order's."""
    known = {line.id for line in found}
    for item_id in given:
        if item_id not in known:
            raise NotFoundError(f"line of order {order_id}", item_id)


def _check(parcel: Parcel) -> None:
    if parcel.lines is not None:
        if not parcel.lines:
            raise InvalidInputError("lines", {}, "must not be empty; None sends all that is left")
        for item_id, quantity in parcel.lines.items():
            if quantity < 1:
                raise InvalidInputError(f"lines[{item_id}]", quantity, "must be at least 1")
    check_text("carrier", parcel.carrier, LONGEST_CARRIER)
    if parcel.tracking_number is not None:
        check_text("tracking_number", parcel.tracking_number, LONGEST_TRACKING_NUMBER)
    if parcel.idempotency_key is not None:
        check_text("idempotency_key", parcel.idempotency_key, LONGEST_KEY)
