"""Applying and undoing a bulk change, a batch of lines a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.ids import BulkChangeId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products.bulk.locking import Held, hold
from shopflow.products.bulk.models import (
    BulkChange,
    BulkStatus,
    BulkStatusError,
    LineStatus,
)
from shopflow.products.bulk.reading import QUERIES, get_bulk_change
from shopflow.products.checks import LARGEST_STOCK

# Rows are locked for as long as a batch takes, about a tenth of a second.
BATCH = 200
LARGEST_BATCH = 10_000
# How many lines are done, and how many there are to do.
ShowProgress: TypeAlias = Callable[[int, int], None]


class _Direction(msgspec.Struct, frozen=True):
    """Which way: the statuses on it, and the words for it."""

    undo: bool
    begins_from: frozenset[BulkStatus]
    under_way: BulkStatus
    finished: BulkStatus
    pending: LineStatus
    changed: LineStatus
    unchanged: LineStatus
    stock_reason: Literal["import", "correction"]
    word: str


_APPLY = _Direction(
    undo=False,
    begins_from=frozenset({"draft", "scheduled"}),
    under_way="running",
    finished="done",
    pending="pending",
    changed="applied",
    unchanged="conflict",
    stock_reason="import",
    word="applied",
)
_UNDO = _Direction(
    undo=True,
    begins_from=frozenset({"running", "done"}),
    under_way="undoing",
    finished="undone",
    pending="applied",
    changed="undone",
    unchanged="kept",
    stock_reason="correction",
    word="undone",
)


class _Batch(msgspec.Struct, frozen=True):
    lines: int
    last: int | None


async def apply_bulk_change(
    pool: Pool,
    bulk_change_id: BulkChangeId,
    *,
    batch: int = BATCH,
    progress: ShowProgress | None = None,
) -> BulkChange:
    """Apply a draft, or one that is scheduled at once; go on with one that was interrupted.

    Each batch is a transaction, and what is done stays done: called again it goes on where it was.
    Several may apply the same one, and share the work. A price that is not the old one of its line
    is somebody else's by now: it stays, and the line becomes a `conflict`. To a stock the
    difference of its line is added, so that sales since the preview count; where that cannot be
    the line is a `conflict`, too. Who reads waits for nobody; who changes one of these products
    waits for a batch at most.

    Args:
        pool: where to take connections from.
        bulk_change_id: which one.
        batch: lines a transaction, 1 to 10,000.
        progress: called after each batch.

    Raises:
        NotFoundError: when there is no such bulk change.
        BulkStatusError: when it is done, undone or cancelled, or somebody undoes it.
        InvalidInputError: for a batch that cannot be.
    """
    return await _run(pool, bulk_change_id, _APPLY, batch, progress)


async def undo_bulk_change(
    pool: Pool,
    bulk_change_id: BulkChangeId,
    *,
    batch: int = BATCH,
    progress: ShowProgress | None = None,
) -> BulkChange:
    """Take back what a bulk change did, also one that was interrupted; batches as in applying.

    Only a price that is still the line's new one goes back to the old one; one that somebody else
    has changed since stays, and its line becomes `kept`. From a stock the difference is taken
    again; where too little is left it is `kept`.

    Raises:
        NotFoundError: when there is no such bulk change.
        BulkStatusError: when it was not begun, or is undone.
        InvalidInputError: for a batch that cannot be.
    """
    return await _run(pool, bulk_change_id, _UNDO, batch, progress)


async def _run(
    pool: Pool,
    bulk_change_id: BulkChangeId,
    way: _Direction,
    batch: int,
    progress: ShowProgress | None,
) -> BulkChange:
    if not 1 <= batch <= LARGEST_BATCH:
        raise InvalidInputError("batch", batch, f"must be from 1 to {LARGEST_BATCH}")
    await run_transaction(pool, lambda connection: _begin(connection, bulk_change_id, way))
    async with pool.connection() as connection:
        begun = await get_bulk_change(connection, bulk_change_id)
    left = _count(begun, way.pending)
    done = after = 0
    while True:
        found = await run_transaction(
            pool,
            partial(_batch, bulk_change_id=bulk_change_id, way=way, after=after, size=batch),
        )
        done += found.lines
        # What is before it is done, whoever did it, and its dead entries in the index are passed.
        after = found.last or after
        if progress is not None:
            progress(done, left)
        if found.lines < batch:
            break
    async with pool.connection() as connection:
        return await get_bulk_change(connection, bulk_change_id)


async def _begin(
    connection: AsyncConnection[Any], bulk_change_id: BulkChangeId, way: _Direction
) -> None:
    found = await hold(connection, bulk_change_id)
    if found.status == way.under_way:
        return
    if found.status not in way.begins_from:
        raise BulkStatusError(bulk_change_id, found.status, way.word)
    await QUERIES["move_bulk_change"].execute(connection, id=bulk_change_id, status=way.under_way)


async def _batch(
    connection: AsyncConnection[Any],
    *,
    bulk_change_id: BulkChangeId,
    way: _Direction,
    after: int,
    size: int,
) -> _Batch:
    """Do the next lines, and return how many; fewer than `size` when these were the last."""
    found = await hold(connection, bulk_change_id)
    if found.status == way.finished:
        return _Batch(0, None)
    if found.status != way.under_way:
        raise BulkStatusError(bulk_change_id, found.status, way.word)
    await QUERIES["explain_bulk_change"].execute(
        connection, id=bulk_change_id, actor=found.created_by
    )
    which = {"id": bulk_change_id, "pending": way.pending, "after": after, "size": size}
    await QUERIES["lock_bulk_rows"].execute(connection, **which)
    batch = await _change(connection, found, way, which)
    if batch.lines < size:
        await QUERIES["move_bulk_change"].execute(
            connection, id=bulk_change_id, status=way.finished
        )
    return batch


async def _change(
    connection: AsyncConnection[Any],
    found: Held,
    way: _Direction,
    which: Mapping[str, object],
) -> _Batch:
    marks = {"undo": way.undo, "changed": way.changed, "unchanged": way.unchanged}
    if found.kind == "price":
        (batch,) = await QUERIES["change_bulk_prices"].rows(connection, _Batch, **which, **marks)
    else:
        (batch,) = await QUERIES["change_bulk_stocks"].rows(
            connection,
            _Batch,
            **which,
            **marks,
            reason=way.stock_reason,
            actor=found.created_by,
            largest_stock=LARGEST_STOCK,
        )
    return batch


def _count(change: BulkChange, status: LineStatus) -> int:
    count: int = getattr(change.lines, status)
    return count
