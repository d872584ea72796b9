"""`shop.products.bulk`: changing many prices or stocks on the shop's pool."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shopflow.cursors import Page
from shopflow.ids import BulkChangeId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products.bulk import applying, planning, reading, scheduling
from shopflow.products.bulk.applying import BATCH, ShowProgress
from shopflow.products.bulk.inputs import ComparePrice, Selection
from shopflow.products.bulk.models import (
    BulkChange,
    BulkLine,
    LineProblem,
    LineStatus,
    Preview,
)
from shopflow.products.bulk.planning import Draft, Line, Rule


class BulkChanges:
    """Bulk changes of a shop: drafted, then applied or scheduled, and undone."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def plan(self, draft: Draft, selection: Selection, rule: Rule) -> Preview:
        """Make a draft of what a rule makes of products; see `planning.plan_by_rule`."""
        return await run_transaction(
            self._pool,
            lambda connection: planning.plan_by_rule(connection, draft, selection, rule),
        )

    async def plan_lines(
        self,
        draft: Draft,
        lines: Iterable[Line],
        *,
        compare_at: ComparePrice = "keep",
        problems: Iterable[LineProblem] = (),
    ) -> Preview:
        """Make a draft of the lines of a file; see `planning.plan_by_lines`."""
        kept, bad = list(lines), list(problems)
        return await run_transaction(
            self._pool,
            lambda connection: planning.plan_by_lines(
                connection, draft, kept, compare_at=compare_at, problems=bad
            ),
        )

    async def apply(
        self,
        bulk_change_id: BulkChangeId,
        *,
        batch: int = BATCH,
        progress: ShowProgress | None = None,
    ) -> BulkChange:
        """Apply it now, or go on applying it; see `applying.apply_bulk_change`."""
        return await applying.apply_bulk_change(
            self._pool, bulk_change_id, batch=batch, progress=progress
        )

    async def undo(
        self,
        bulk_change_id: BulkChangeId,
        *,
        batch: int = BATCH,
        progress: ShowProgress | None = None,
    ) -> BulkChange:
        """Take it back, or go on doing so; see `applying.undo_bulk_change`."""
        return await applying.undo_bulk_change(
            self._pool, bulk_change_id, batch=batch, progress=progress
        )

    async def schedule(
        self, bulk_change_id: BulkChangeId, starts_at: datetime, ends_at: datetime | None = None
    ) -> BulkChange:
        """Have the worker apply it at a time; see `scheduling.schedule_bulk_change`."""
        return await run_transaction(
            self._pool,
            lambda connection: scheduling.schedule_bulk_change(
                connection, bulk_change_id, starts_at, ends_at
            ),
        )

    async def cancel(self, bulk_change_id: BulkChangeId) -> BulkChange:
        """Give it up before it begins; see `scheduling.cancel_bulk_change`."""
        return await run_transaction(
            self._pool,
            lambda connection: scheduling.cancel_bulk_change(connection, bulk_change_id),
        )

    async def get(self, bulk_change_id: BulkChangeId) -> BulkChange:
        """Return one and how far it is; see `reading.get_bulk_change`."""
        async with self._pool.connection() as connection:
            return await reading.get_bulk_change(connection, bulk_change_id)

    async def list(self, *, limit: int = 20, cursor: str | None = None) -> Page[BulkChange]:
        """Return a page of them, newest first; see `reading.list_bulk_changes`."""
        async with self._pool.connection() as connection:
            return await reading.list_bulk_changes(connection, limit=limit, cursor=cursor)

    async def lines(
        self,
        bulk_change_id: BulkChangeId,
        status: LineStatus | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[BulkLine]:
        """Return a page of the lines of one; see `reading.list_bulk_lines`."""
        async with self._pool.connection() as connection:
            return await reading.list_bulk_lines(
                connection, bulk_change_id, status, limit=limit, cursor=cursor
            )
