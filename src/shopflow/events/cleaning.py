"""What is over goes, in batches: events that were delivered, sessions and tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.events.consumers import QUERIES
from shopflow.postgres.pool import Pool
from shopflow.users.expiry import (
    expire_email_verifications,
    expire_password_resets,
    expire_rate_limits,
    expire_sessions,
)

# Days. What was delivered is of interest for a week; dead letters and events for a month.
KEEP, KEEP_DELIVERED = 30, 7
BATCH = 1000


class _Count(msgspec.Struct, frozen=True):
    count: int


async def expire_events(
    pool: Pool, *, keep: int = KEEP, keep_delivered: int = KEEP_DELIVERED
) -> int:
    """Delete old events and deliveries in batches; return how many rows.

    An event stays as long as an active consumer has yet to get it, and a dead letter for `keep`
    days after its last attempt.

    Args:
        pool: the shop's.
        keep: days that events are kept, at least one.
        keep_delivered: days that it is remembered that an event was delivered, at least one.
    """

    async def some(connection: AsyncConnection[Any]) -> int:
        row = await QUERIES["expire_some_events"].row(
            connection, _Count, keep=keep, keep_delivered=keep_delivered, batch=BATCH
        )
        return row.count if row else 0

    return await in_batches(pool, some)


async def clean_accounts(pool: Pool) -> int:
    """Delete sessions, tokens and rate limits that are over; return how many."""
    kinds = (
        expire_sessions,
        expire_password_resets,
        expire_email_verifications,
        expire_rate_limits,
    )
    return sum([await in_batches(pool, some) for some in kinds])


async def in_batches(pool: Pool, some: Callable[[AsyncConnection[Any]], Awaitable[int]]) -> int:
    """Repeat `some`, each time in a transaction of its own, until it finds nothing; the sum."""
    total = 0
    while True:
        async with pool.connection() as connection:
            count = await some(connection)
        if not count:
            return total
        total += count
