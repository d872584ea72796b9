"""Orders that nobody has paid in time: cancelled, so that others can buy what they hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.ids import OrderId
from shopflow.orders.reading import QUERIES
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction

REASON = "not paid in time"
# Orders a transaction: their stock is locked until its end.
BATCH = 100
LARGEST_BATCH = 1000
# How long a payment that was begun may take; as long as a customer may be at their bank's page.
GRACE = timedelta(minutes=30)


class _Order(msgspec.Struct, frozen=True):
    id: OrderId


class _Count(msgspec.Struct, frozen=True):
    orders: int


async def expire_unpaid_orders(
    pool: Pool, older_than: timedelta, *, batch: int = BATCH, grace: timedelta = GRACE
) -> int:
    """Cancel the orders that are pending and unpaid for longer than `older_than`; how many.

    Each gives back its stock and the use of its coupon, once: several may run at the same time and
    share the work. An order that somebody is changing is left to them, so that beside a payment
    either the order is paid and stays, or it is cancelled and the payment is refused. One with an
    authorized payment, or with one that was begun less than `grace` ago, stays too, and so does
    one that costs nothing. Stopped halfway, what was done stays done.

    Args:
        pool: where to take connections from.
        older_than: since the order was placed.
        batch: orders in a transaction, 1 to 1000.
        grace: how long a payment that was begun may take.

    Raises:
        InvalidInputError: for a time below zero, or a batch that cannot be.
    """
    _check(older_than, grace)
    if not 1 <= batch <= LARGEST_BATCH:
        raise InvalidInputError("batch", batch, f"must be from 1 to {LARGEST_BATCH}")
    cancelled = 0
    while True:
        found, done = await run_transaction(
            pool, lambda connection: _expire(connection, older_than, batch, grace)
        )
        cancelled += done
        if found < batch:
            return cancelled


async def count_unpaid_orders(
    connection: AsyncConnection[Any], older_than: timedelta, *, grace: timedelta = GRACE
) -> int:
    """Return how many orders `expire_unpaid_orders` would cancel now."""
    _check(older_than, grace)
    (count,) = await QUERIES["count_unpaid_orders"].rows(
        connection, _Count, older_than=older_than, grace=grace
    )
    return count.orders


async def _expire(
    connection: AsyncConnection[Any], older_than: timedelta, batch: int, grace: timedelta
) -> tuple[int, int]:
    """Cancel a batch; return how many were found, and how many of them were cancelled."""
    await QUERIES["explain_change"].execute(connection, actor=None, reason=REASON)
    found = await QUERIES["lock_unpaid_orders"].rows(
        connection, _Order, older_than=older_than, grace=grace, batch=batch
    )
    if not found:
        return 0, 0
    orders = [order.id for order in found]
    await QUERIES["lock_what_orders_took"].execute(connection, orders=orders)
    cancelled = await QUERIES["cancel_unpaid_orders"].execute(
        connection, orders=orders, grace=grace
    )
    return len(found), cancelled


def _check(older_than: timedelta, grace: timedelta) -> None:
    for name, value in (("older_than", older_than), ("grace", grace)):
        if value < timedelta(0):
            raise InvalidInputError(name, value, "must not be below zero")
