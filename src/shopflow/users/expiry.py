"""What is over, deleted in bounded steps, for a worker to call from time to time."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.users.limiting import QUERIES

MOST = 10_000


async def expire_sessions(connection: AsyncConnection[Any], *, most: int = MOST) -> int:
    """Delete refresh tokens that are over, up to `most` of them; return how many.

    As all of these it waits for nobody, and leaves out what somebody else is working on.
    """
    return await QUERIES["expire_sessions"].execute(connection, most=most)


async def expire_password_resets(connection: AsyncConnection[Any], *, most: int = MOST) -> int:
    """Delete reset tokens that are over, used or not (§9.2)."""
    return await QUERIES["expire_password_resets"].execute(connection, most=most)


async def expire_email_verifications(connection: AsyncConnection[Any], *, most: int = MOST) -> int:
    """Delete verification tokens that are over, used or not."""
    return await QUERIES["expire_email_verifications"].execute(connection, most=most)


async def expire_rate_limits(connection: AsyncConnection[Any], *, most: int = MOST) -> int:
    """Delete the rate limits that limit nobody any more."""
    return await QUERIES["expire_rate_limits"].execute(connection, most=most)
