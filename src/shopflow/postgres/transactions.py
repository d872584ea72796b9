"""One transaction around a piece of work, tried again when others got in its way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncTransaction
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus

from shopflow.errors import (
    CommitOutcomeUnknownError,
    ServerError,
    TransactionConflictError,
    TransactionError,
)
from shopflow.postgres.failures import translate
from shopflow.postgres.pool import Pool

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

# SQLSTATE and how the message begins.
CONFLICTS = {"40001": "could not serialize access", "40P01": "deadlock detected"}
INTERNAL_ERROR = "XX000"
# Seconds: the ceiling of the first pause; it doubles, up to the second number.
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5

_current: ContextVar[AsyncTransaction | None] = ContextVar("current transaction", default=None)


async def run_transaction(pool: Pool, work: Work[T], *, attempts: int = 5) -> T:
    """Run `work` with a connection of `pool` in a transaction, commit, and return its result.

    `work` may run several times, so it must do nothing but use its connection: after a
    serialization failure, a deadlock, or when the connection was lost before COMMIT was sent
    (the server rolls back what was not committed), everything is rolled back and tried again
    after a random pause. A lock timeout is not tried again.

    Raises:
        TransactionConflictError: when the last attempt failed that way too.
        ServerError: when the connection was lost in the last attempt too.
        CommitOutcomeUnknownError: when the connection was lost during COMMIT; never tried again.
        TransactionError: inside another transaction, or when `work` swallowed the error of a
            statement, after which PostgreSQL answers COMMIT with a rollback.
        ShopflowError: the domain's error, when a deferred constraint failed at COMMIT.
        psycopg.Error: any other failure of a statement, as it is: such as LockNotAvailable
            (55P03) after lock_timeout and QueryCanceled (57014) after statement_timeout.
    """
    refuse_inside_transaction()
    failure: _Again | None = None
    for attempt in range(attempts):
        if attempt:
            await asyncio.sleep(pause_before(attempt))
        try:
            return await _attempt(pool, work)
        except _Again as again:
            failure = again
    if failure is not None and failure.connection_lost:
        raise ServerError("the connection was lost; nothing was changed") from failure.__cause__
    raise TransactionConflictError(attempts) from failure and failure.__cause__


def refuse_inside_transaction() -> None:
    """Refuse what takes a connection of its own, and so would not be part of the transaction.

    Raises:
        TransactionError: inside of `run_transaction`.
    """
    outer = _current.get()
    if outer is not None and outer.status is AsyncTransaction.Status.ACTIVE:
        raise TransactionError("already in a transaction: pass on its connection instead")


class _Again(Exception):  # noqa: N818 never leaves this module
    """Nothing was committed, and the next attempt may succeed."""

    def __init__(self, *, connection_lost: bool) -> None:
        super().__init__()
        self.connection_lost = connection_lost


async def _attempt(pool: Pool, work: Work[T]) -> T:
    committing = False
    warned: list[str | None] = []

    def note(notice: Diagnostic) -> None:
        # Read here: the notice is freed when this returns.
        warned.append(notice.sqlstate)

    async with pool.connection() as connection:
        connection.add_notice_handler(note)
        try:
            async with connection.transaction() as transaction:
                result = await _inside(transaction, work)
                committing = True
                return result
        except psycopg.Error as error:
            if connection.closed and committing:
                raise CommitOutcomeUnknownError from error
            if connection.closed or is_conflict(error, warned):
                raise _Again(connection_lost=connection.closed) from error
            if isinstance(error, psycopg.IntegrityError):
                raise translate(error) from error
            raise
        finally:
            connection.remove_notice_handler(note)
    raise TransactionError("the work rolled its transaction back with psycopg.Rollback")


async def _inside(transaction: AsyncTransaction, work: Work[T]) -> T:
    connection = transaction.connection
    token = _current.set(transaction)
    try:
        result = await work(connection)
    finally:
        _current.reset(token)
    # In any other state psycopg and PostgreSQL both end the transaction without an error, and
    # without its changes.
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        raise TransactionError(
            "the work went on after a statement of its transaction had failed; nothing was changed"
        )
    return result


def is_conflict(error: psycopg.Error, warned: Iterable[str | None] = ()) -> bool:
    """Return whether others got in the way: tried again it may succeed.

    `warned` are the SQLSTATEs of the warnings that came before the error.
    """
    if error.sqlstate in CONFLICTS:
        return True
    # Citus reports a failure on another node as an internal error; the node's own SQLSTATE is
    # in its wording, or at COMMIT only in a warning before it.
    return error.sqlstate == INTERNAL_ERROR and (
        any(wording in (error.diag.message_primary or "") for wording in CONFLICTS.values())
        or any(sqlstate in CONFLICTS for sqlstate in warned)
    )


def pause_before(attempt: int) -> float:
    """Return how many seconds to wait before this attempt, the first repetition being 1."""
    # Random, so that those who collided do not collide again.
    ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
    return random.uniform(0, ceiling)  # noqa: S311 no secret
