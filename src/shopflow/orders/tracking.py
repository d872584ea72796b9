"""What becomes of a parcel on its way: tracking, and how it ends."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.ids import ShipmentId, UserId
from shopflow.orders.errors import OrderStateError
from shopflow.orders.holding import hold_order_of
from shopflow.orders.reading import QUERIES
from shopflow.orders.shipments import LONGEST_CARRIER, LONGEST_TRACKING_NUMBER
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

End = Literal["delivered", "lost", "returned"]
UNDER_WAY = ("pending", "shipped", "in_transit")


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a parcel's way; None leaves what was known before.

    `in_transit` says that the carrier has it.
    """

    carrier: str | None = None
    tracking_number: str | None = None
    estimated_delivery: date | None = None
    in_transit: bool = False


class _Shipment(msgspec.Struct, frozen=True):
    status: str


async def update_tracking(
    pool: Pool, shipment_id: ShipmentId, tracking: Tracking, *, actor: UserId | None = None
) -> None:
    """Change what is known of a parcel. Waits for others who are changing its order.

    Raises:
        NotFoundError: when there is no such shipment, or the actor is no such user.
        OrderStateError: when it is to be in transit and was delivered, lost or returned.
        InvalidInputError: for a carrier or tracking number that cannot be.
    """
    if tracking.carrier is not None:
        check_text("carrier", tracking.carrier, LONGEST_CARRIER)
    if tracking.tracking_number is not None:
        check_text("tracking_number", tracking.tracking_number, LONGEST_TRACKING_NUMBER)

    async def work(connection: AsyncConnection[Any]) -> None:
        await hold_order_of(connection, shipment_id, actor=actor)
        if tracking.in_transit:
            status = await _status(connection, shipment_id)
            if status not in UNDER_WAY:
                raise _ended(shipment_id, status, "in_transit")
        await QUERIES["track_shipment"].execute(
            connection,
            shipment_id=shipment_id,
            carrier=tracking.carrier,
            tracking_number=tracking.tracking_number,
            estimated_delivery=tracking.estimated_delivery,
            status="in_transit" if tracking.in_transit else None,
        )

    await run_transaction(pool, work)


async def end_shipment(
    pool: Pool,
    shipment_id: ShipmentId,
    end: End,
    *,
    at: datetime | None = None,
    actor: UserId | None = None,
) -> None:
    """Say that a parcel was delivered, was lost, or came back undelivered.

    Nothing happens when that was said before. A shipped order is delivered once every piece of it
    was delivered or came back. The goods of a lost or returned parcel were sent all the same: take
    them back with `return_items`, for their money and, of a returned one, for the stock. What
    replaces a lost parcel is an order of its own, which takes stock.

    Args:
        pool: where to take a connection from.
        shipment_id: the parcel.
        end: what became of it.
        at: when it was delivered; None for now.
        actor: who says so; None for the shop itself.

    Raises:
        NotFoundError: when there is no such shipment, or the actor is no such user.
        OrderStateError: when it ended in another way.
        InvalidInputError: for a time without a time zone.
    """
    if at is not None and at.tzinfo is None:
        raise InvalidInputError("at", at, "must have a time zone")

    async def work(connection: AsyncConnection[Any]) -> None:
        held = await hold_order_of(connection, shipment_id, actor=actor)
        changed = await QUERIES["end_shipment"].execute(
            connection, shipment_id=shipment_id, status=end, at=at
        )
        if not changed:
            status = await _status(connection, shipment_id)
            if status != end:
                raise _ended(shipment_id, status, end)
        elif end == "delivered":
            await QUERIES["deliver_order"].execute(connection, order_id=held.id)

    await run_transaction(pool, work)


async def _status(connection: AsyncConnection[Any], shipment_id: ShipmentId) -> str:
    (shipment,) = await QUERIES["get_shipment_status"].rows(
        connection, _Shipment, shipment_id=shipment_id
    )
    return shipment.status


def _ended(shipment_id: ShipmentId, status: str, wanted: str) -> OrderStateError:
    return OrderStateError(f"shipment {shipment_id} is {status}, and cannot be {wanted} any more")
