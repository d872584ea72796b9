"""Lists of orders, newest first: a customer's own, or the shop's by status."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, sql

from shopflow import cursors
from shopflow.errors import InvalidInputError
from shopflow.ids import OrderId, UserId
from shopflow.orders.states import FulfillmentStatus, PaymentStatus, Status
from shopflow.postgres.queries import Query


class OrderSummary(msgspec.Struct, frozen=True):
    """An order in a list; `pieces` are those of all its lines."""

    id: OrderId
    user_id: UserId | None
    order_number: str
    status: Status
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    currency_code: str
    total_amount: Decimal
    customer_email: str
    pieces: int
    placed_at: datetime


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, newest first, and where the next page begins: None on the last one."""

    orders: tuple[OrderSummary, ...]
    next_cursor: str | None


class _Position(msgspec.Struct, frozen=True, array_like=True):
    placed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


_CONDITIONS = {
    "user_id": sql.SQL("o.user_id = %(user_id)s"),
    "status": sql.SQL("o.status = %(status)s"),
    "after": sql.SQL("(o.placed_at, o.id) < (%(placed_at)s::timestamptz, %(id)s::uuid)"),
}
# The page is cut first; the pieces are counted for its rows alone.
_STATEMENT = sql.SQL(
    """
    SELECT coalesce(json_agg(json_build_object(
        'id', o.id,
        'user_id', o.user_id,
        'order_number', o.order_number,
        'status', o.status,
        'payment_status', o.payment_status,
        'fulfillment_status', o.fulfillment_status,
        'currency_code', o.currency_code,
        'total_amount', o.total_amount,
        'customer_email', o.customer_email,
        'pieces', (
            SELECT coalesce(sum(i.quantity), 0) FROM order_items AS i WHERE i.order_id = o.id
        ),
        'placed_at', o.placed_at
    ) ORDER BY o.placed_at DESC, o.id DESC), '[]')
    FROM (
        SELECT
            o.id, o.user_id, o.order_number, o.status, o.payment_status, o.fulfillment_status,
            o.currency_code, o.total_amount, o.customer_email, o.placed_at
        FROM orders AS o
        WHERE {condition}
        ORDER BY o.placed_at DESC, o.id DESC
        LIMIT %(limit)s::int
    ) AS o
    """
)


async def list_orders(
    connection: AsyncConnection[Any],
    *,
    user_id: UserId | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: int = 20,
) -> OrderPage:
    """Return a page of orders, the newest first, in one round trip.

    Every order is on exactly one page, however many are placed meanwhile. Who may see which is the
    caller's business: for "my orders" give the user.

    Args:
        connection: where to ask.
        user_id: whose; None for everybody's.
        status: in which; None for all.
        after: the page before's `next_cursor`; None for the first page.
        limit: rows a page, 1 to 100.

    Raises:
        InvalidInputError: for a status, cursor or limit that cannot be.
    """
    cursors.check_limit(limit)
    if status is not None and status not in get_args(Status):
        raise InvalidInputError("status", status, f"must be one of {', '.join(get_args(Status))}")
    params: dict[str, object] = {"user_id": user_id, "status": status}
    given = {name: value for name, value in params.items() if value is not None}
    filters = set(given)
    position = cursors.decode(after, _Position, "after")
    if position is not None:
        filters.add("after")
        given |= msgspec.structs.asdict(position)
    # One more tells whether there is a next page.
    query = order_list_query(frozenset(filters))
    found = await query.document(connection, list[OrderSummary], **given, limit=limit + 1) or []
    page = found[:limit]
    return OrderPage(tuple(page), _cursor(page[-1]) if len(found) > limit else None)


@cache
def order_list_query(filters: frozenset[str]) -> Query:
    """Return the statement for the filters in use.

    It is planned for its values: a rare status is found by its own index, a common one on the way
    down from the newest order.
    """
    conditions = [_CONDITIONS[name] for name in _CONDITIONS if name in filters]
    condition = sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("TRUE")
    return Query(
        "list_orders",
        "A page of orders for the filters in use.",
        _STATEMENT.format(condition=condition).as_bytes(None),
        custom_plan=True,
    )


def _cursor(last: OrderSummary) -> str:
    return cursors.encode(_Position(last.placed_at, last.id))
