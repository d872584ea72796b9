"""An import of any format: files of any size, all or nothing, the same result each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from shopflow.errors import InvalidInputError, TransactionError
from shopflow.importers.rejects import write_rejects
from shopflow.importers.report import (
    Changes,
    ImportRefusedError,
    ImportReport,
    Notes,
    Progress,
    ShowProgress,
)
from shopflow.importers.source import Source
from shopflow.importers.staging import QUERIES, Staging
from shopflow.importers.writing import Writing
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction

T = TypeVar("T")
# Below that autovacuum is soon enough.
ANALYZE_FROM = 5000


class Request(msgspec.Struct, frozen=True):
    """What to import, and how.

    Attributes:
        files: in the order in which they are read.
        open: opens the nth of them.
        links: see `Writing.check`.
        skip_bad, dry_run, progress: as for `import_shopify`.
    """

    files: Sequence[Path]
    open: Callable[[int, Path], Source]
    skip_bad: bool
    dry_run: bool
    progress: ShowProgress | None
    links: Sequence[str] = ()

    def show(self, progress: Progress) -> None:
        """Say how far it is, to who wants to know."""
        if self.progress is not None:
            self.progress(progress)


async def import_files(target: Pool | AsyncConnection[Any], request: Request) -> ImportReport:
    """Bring the products of files into the shop, in one transaction; then ANALYZE what changed.

    Raises:
        ImportRefusedError: for bad rows, without `skip_bad`.
        MalformedFileError: when a file is not of its format.
        ShopflowError: when a file cannot be read, or its rejects not be written.
    """
    if not request.files:
        raise InvalidInputError("files", [], "at least one file must be named")
    began = perf_counter()

    async def work(connection: AsyncConnection[Any]) -> ImportReport:
        async with connection.transaction(force_rollback=request.dry_run):
            return await _imported(connection, request)

    report = await in_transaction(target, work)
    if not request.dry_run:
        await _analyze(target, report.changes)
    seconds = perf_counter() - began
    return msgspec.structs.replace(
        report, seconds=round(seconds, 3), rows_per_second=round(report.rows / seconds, 1)
    )


async def in_transaction(
    target: Pool | AsyncConnection[Any], work: Callable[[AsyncConnection[Any]], Awaitable[T]]
) -> T:
    """Run `work` in a transaction of its own.

    Raises:
        TransactionError: for a connection that is in one.
    """
    if isinstance(target, Pool):
        return await run_transaction(target, work)
    if target.info.transaction_status is not TransactionStatus.IDLE:
        raise TransactionError("this needs a connection that is not in a transaction")
    async with target.transaction():
        return await work(target)


async def _imported(connection: AsyncConnection[Any], request: Request) -> ImportReport:
    with ExitStack() as stack:
        sources = [stack.enter_context(request.open(*each)) for each in enumerate(request.files)]
        notes = Notes()
        rows = await Staging(connection).take(sources, notes, request.show)
        writing = Writing(connection, sources)
        rejected, rejects = await writing.check(request.links), []
        if rejected.total and not request.skip_bad:
            raise ImportRefusedError(rejected)
        if rejected.total:
            rejected = await writing.drop_rejected()
        size = sum(source.size for source in sources)
        request.show(Progress("writing", size, size, rows))
        changes = await writing.write(notes)
        if rejected.total and not request.dry_run:
            rejects = [await write_rejects(connection, source) for source in sources]
        ignored = dict.fromkeys(name for source in sources for name in source.ignored)
        return ImportReport(
            rows=rows,
            changes=changes,
            rejected=rejected,
            rejects=tuple(path for path in rejects if path),
            notes=notes.all(),
            ignored_columns=tuple(ignored),
            dry_run=request.dry_run,
        )


async def _analyze(target: Pool | AsyncConnection[Any], changes: Changes) -> None:
    """Let the planner know of each table that has changed much."""
    changed = {
        "analyze_products_of_shop": changes.products_created + changes.products_updated,
        "analyze_variants_of_shop": changes.variants_created + changes.variants_updated,
        "analyze_images_of_shop": changes.images_created
        + changes.images_updated
        + changes.images_deleted,
        "analyze_brands_and_categories": changes.brands_created + changes.categories_created,
    }
    for query, count in changed.items():
        if count >= ANALYZE_FROM:

            async def work(connection: AsyncConnection[Any], query: str = query) -> int:
                await QUERIES["analyze_session"].execute(connection)
                return await QUERIES[query].execute(connection)

            await in_transaction(target, work)
