"""An order with all its details (§4.4), by id or by number."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import OrderId
from shopflow.orders.models import Order
from shopflow.postgres import queries
from shopflow.text import storable

QUERIES = queries.load(__package__)


async def get_order(connection: AsyncConnection[Any], order_id: OrderId) -> Order:
    """Return the order with this id, in one round trip.

    Raises:
        NotFoundError: when there is none.
    """
    return await _get(connection, order_id, id=order_id, order_number=None)


async def get_order_by_number(connection: AsyncConnection[Any], order_number: str) -> Order:
    """Return the order with this number, as the customer knows it, in one round trip.

    Raises:
        NotFoundError: when there is none.
    """
    if not storable(order_number):
        raise NotFoundError("order", repr(order_number))
    return await _get(connection, order_number, id=None, order_number=order_number)


async def _get(connection: AsyncConnection[Any], key: object, **params: object) -> Order:
    order = await QUERIES["get_order"].document(connection, Order, **params)
    if order is None:
        raise NotFoundError("order", key)
    return order
