"""An order's row held until the transaction's end: where every operation on an order begins."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import OrderId, ShipmentId, UserId
from shopflow.orders.reading import QUERIES
from shopflow.orders.states import Status


class Held(msgspec.Struct, frozen=True):
    """An order that nobody else changes until the end of the transaction."""

    id: OrderId
    status: Status


class _Found(Held, frozen=True):
    actor_known: bool
    actor: str
    reason: str


async def hold_order(
    connection: AsyncConnection[Any],
    order_id: OrderId,
    *,
    actor: UserId | None,
    reason: str | None = None,
) -> Held:
    """Lock an order, and say for its history who changes it and why.

    Waits for whoever else is changing the order.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
    """
    held = await _hold(connection, order_id, None, actor, reason)
    if held is None:
        raise NotFoundError("order", order_id)
    return held


async def hold_order_of(
    connection: AsyncConnection[Any],
    shipment_id: ShipmentId,
    *,
    actor: UserId | None,
    reason: str | None = None,
) -> Held:
    """Lock the order of a shipment; otherwise as `hold_order`."""
    held = await _hold(connection, None, shipment_id, actor, reason)
    if held is None:
        raise NotFoundError("shipment", shipment_id)
    return held


async def step(connection: AsyncConnection[Any], order_id: OrderId, status: Status) -> None:
    """Take a held order to `status`; nothing when it is there.

    Raises:
        OrderStateError: when there is no such step.
    """
    await QUERIES["step_order"].execute(connection, order_id=order_id, status=status)


async def _hold(
    connection: AsyncConnection[Any],
    order_id: OrderId | None,
    shipment_id: ShipmentId | None,
    actor: UserId | None,
    reason: str | None,
) -> Held | None:
    found = await QUERIES["hold_order"].row(
        connection, _Found, order_id=order_id, shipment_id=shipment_id, actor=actor, reason=reason
    )
    if found is not None and not found.actor_known:
        raise NotFoundError("user", actor)
    return found
