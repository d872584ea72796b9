"""Prices that change at a time, and go back at another: the worker applies and undoes them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Literal, assert_never

import msgspec
import psycopg
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, ShopflowError
from shopflow.ids import BulkChangeId
from shopflow.postgres import failures
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products.bulk.applying import apply_bulk_change, undo_bulk_change
from shopflow.products.bulk.locking import hold
from shopflow.products.bulk.models import (
    BulkChange,
    BulkStatusError,
    SchedulesOverlapError,
)
from shopflow.products.bulk.reading import QUERIES, get_bulk_change

_log = logging.getLogger(__name__)
failures.register({"bulk_changes_no_overlap": SchedulesOverlapError})


class _Due(msgspec.Struct, frozen=True):
    id: BulkChangeId
    step: Literal["apply", "undo", "cancel"]


async def schedule_bulk_change(
    connection: AsyncConnection[Any],
    bulk_change_id: BulkChangeId,
    starts_at: datetime,
    ends_at: datetime | None = None,
) -> BulkChange:
    """Have the worker apply a draft of prices at a time, and undo it at another; or change these.

    Two schedules never change the same price at the same time: one without an end lasts until it
    is applied. A price that is a sale's when the draft is made cannot be scheduled for after the
    sale, as it will not be there: make the draft again then, or before the sale.

    Args:
        connection: in a transaction.
        bulk_change_id: a draft, or one that is scheduled.
        starts_at: with a time zone; in the past it is at once.
        ends_at: when the prices go back; None leaves them.

    Raises:
        InvalidInputError: for a time without zone, or an end that is not after the start.
        NotFoundError: when there is no such bulk change.
        BulkStatusError: when it was begun or cancelled, or is of stocks.
        SchedulesOverlapError: when another one changes the same price at the same time.
    """
    for field, value in (("starts_at", starts_at), ("ends_at", ends_at)):
        if value is not None and value.utcoffset() is None:
            raise InvalidInputError(field, value, "must have a time zone")
    if ends_at is not None and ends_at <= starts_at:
        raise InvalidInputError("ends_at", ends_at, "must be after starts_at")
    found = await hold(connection, bulk_change_id)
    if found.kind != "price":
        raise InvalidInputError("bulk_change_id", bulk_change_id, "is of stocks: apply it at once")
    if found.status not in {"draft", "scheduled"}:
        raise BulkStatusError(bulk_change_id, found.status, "scheduled")
    await QUERIES["bulk_session"].execute(connection)
    await QUERIES["schedule_bulk_change"].execute(
        connection, id=bulk_change_id, starts_at=starts_at, ends_at=ends_at
    )
    return await get_bulk_change(connection, bulk_change_id)


async def cancel_bulk_change(
    connection: AsyncConnection[Any], bulk_change_id: BulkChangeId
) -> BulkChange:
    """Give up a draft, or one that is scheduled and has not begun; it is kept to be read.

    Raises:
        NotFoundError: when there is no such bulk change.
        BulkStatusError: when it was begun: undo it; or when it is cancelled.
    """
    found = await hold(connection, bulk_change_id)
    if found.status not in {"draft", "scheduled"}:
        raise BulkStatusError(bulk_change_id, found.status, "cancelled")
    await QUERIES["move_bulk_change"].execute(connection, id=bulk_change_id, status="cancelled")
    return await get_bulk_change(connection, bulk_change_id)


async def run_due_bulk_changes(pool: Pool) -> int:
    """Apply what is to start and undo what is to end; return how many bulk changes that were.

    It goes on with what was interrupted, and cancels what should have ended before it began. One
    that fails is logged, and tried again the next time; it does not hold up the others.
    """
    async with pool.connection() as connection:
        due = await QUERIES["list_due_bulk_changes"].rows(connection, _Due)
    return sum([await _done(pool, each) for each in due])


async def _done(pool: Pool, due: _Due) -> bool:
    try:
        change = await _step(pool, due)
    except (psycopg.Error, ShopflowError):
        _log.exception("bulk change %s failed to %s", due.id, due.step)
        return False
    if change.lines.conflict or change.lines.kept or due.step == "cancel":
        _log.warning(
            "bulk change %s is %s: %d lines not applied and %d not undone, as others changed them",
            change.id,
            change.status,
            change.lines.conflict,
            change.lines.kept,
        )
    return True


async def _step(pool: Pool, due: _Due) -> BulkChange:
    match due.step:
        case "apply":
            return await apply_bulk_change(pool, due.id)
        case "undo":
            return await undo_bulk_change(pool, due.id)
        case "cancel":
            return await run_transaction(
                pool, lambda connection: cancel_bulk_change(connection, due.id)
            )
    assert_never(due.step)
