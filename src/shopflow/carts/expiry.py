"""Old carts go, in batches."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from shopflow.carts.reading import QUERIES
from shopflow.errors import InvalidInputError
from shopflow.ids import CartId
from shopflow.postgres.pool import Pool
from shopflow.settings import LONGEST_DAYS

BATCH = 1000
FIRST = CartId(UUID(int=0))
ShowProgress = Callable[[int], None]


class OldCarts(msgspec.Struct, frozen=True):
    """How many carts there are, and how many of them are too old."""

    carts: int
    old: int


class _Batch(msgspec.Struct, frozen=True):
    last: CartId | None
    seen: int
    expired: int


async def expire_carts(
    pool: Pool,
    *,
    guest_days: int | None,
    user_days: int | None = None,
    batch: int = BATCH,
    progress: ShowProgress | None = None,
) -> int:
    """Delete the carts that nobody has changed for so many days; return how many.

    Each batch is a statement of its own, so that a crash loses nothing of what was done and nobody
    waits for long. A cart that is being changed or ordered at the moment stays.

    Args:
        pool: where to take a connection from.
        guest_days: for carts of guests, None to keep them all.
        user_days: for carts of users, None to keep them all.
        batch: how many carts are looked at by a statement.
        progress: told after each batch how many carts it looked at.

    Raises:
        InvalidInputError: for an age that is not 1 to 36,500 days.
    """
    params = _days(guest_days, user_days)
    last: CartId | None = FIRST
    total = 0
    while last is not None:
        async with pool.connection() as connection:
            (done,) = await QUERIES["expire_carts"].rows(
                connection, _Batch, after=last, size=batch, **params
            )
        total += done.expired
        last = done.last
        if progress is not None:
            progress(done.seen)
    return total


async def count_old_carts(
    pool: Pool, *, guest_days: int | None, user_days: int | None = None
) -> OldCarts:
    """Count what `expire_carts` would look at and delete, without deleting it."""
    async with pool.connection() as connection:
        (found,) = await QUERIES["count_old_carts"].rows(
            connection, OldCarts, **_days(guest_days, user_days)
        )
    return found


def _days(guest_days: int | None, user_days: int | None) -> dict[str, int | None]:
    for name, days in (("guest_days", guest_days), ("user_days", user_days)):
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise InvalidInputError(name, days, f"must be from 1 to {LONGEST_DAYS} days")
    # An interval of NULL days ago is no time, and nothing is before it.
    return {"guest_days": guest_days, "user_days": user_days}
