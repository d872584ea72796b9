"""What sells: counted now and then, so that no sale waits for another at a counter."""

from __future__ import annotations

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.postgres.pool import Pool
from shopflow.products.detail import QUERIES
from shopflow.settings import LONGEST_DAYS

BATCH = 10_000


class _Changed(msgspec.Struct, frozen=True):
    changed: int


async def count_sales(pool: Pool, *, days: int, batch: int = BATCH) -> int:
    """Bring `product_stats.sold_count` up to the orders of the last days; return how many changed.

    Counted are the pieces of orders that are neither cancelled nor refunded, without those that
    came back. Each batch is a transaction of its own; only what has another count is written.

    Args:
        pool: the shop's.
        days: how far back, 1 to 36,500.
        batch: how many products are written at a time.

    Raises:
        InvalidInputError: for other days.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInputError("days", days, f"must be from 1 to {LONGEST_DAYS}")
    total = 0
    while True:
        async with pool.connection() as connection:
            (found,) = await QUERIES["count_sales"].rows(
                connection, _Changed, days=days, batch=batch
            )
        total += found.changed
        if found.changed < batch:
            return total
