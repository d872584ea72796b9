"""Import of Shopify's product CSV: files of any size, all or nothing, the same result each time."""

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
    ImportRefusedError,
    ImportReport,
    Notes,
    Progress,
    ShowProgress,
)
from shopflow.importers.shopify_file import ShopifyFile
from shopflow.importers.staging import QUERIES, Staging
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction

T = TypeVar("T")
# Below that autovacuum is soon enough.
ANALYZE_FROM = 5000


async def import_shopify(
    source: Pool | AsyncConnection[Any],
    files: Sequence[Path],
    *,
    skip_bad: bool = False,
    dry_run: bool = False,
    progress: ShowProgress | None = None,
) -> ImportReport:
    """Bring the products of Shopify's CSV exports into the shop, in one transaction.

    A product is the rows with one handle, wherever they stand in the files, and is known again by
    it. What differs is updated, what is the same is not written at all; variants that a file no
    longer has are deactivated, its images replaced; products that no file names stay as they are.
    What a file has no column for stays as it is, too. Once the files are read, the products that
    they name are locked: who changes one of them then waits until the import is over. Memory does
    not grow with the files.

    Args:
        source: where to; a connection must not be in a transaction.
        files: the exports, read in this order.
        skip_bad: leave products with a bad row out, and write their rows to NAME.rejects.csv
            beside the file; otherwise nothing is imported when there is one.
        dry_run: roll everything back, and write no rejects.
        progress: called about every thousand rows.

    Raises:
        ImportRefusedError: for bad rows, without `skip_bad`.
        MalformedFileError: when a file is not CSV, or no product export.
        ShopflowError: when a file cannot be read, or its rejects not be written.
    """
    if not files:
        raise InvalidInputError("files", [], "at least one file must be named")

    began = perf_counter()

    async def work(connection: AsyncConnection[Any]) -> ImportReport:
        async with connection.transaction(force_rollback=dry_run):
            return await _imported(connection, files, skip_bad, dry_run, progress or _ignore)

    report = await _in_transaction(source, work)
    if report.changes.total >= ANALYZE_FROM and not dry_run:
        await _in_transaction(source, _analyzed)
    seconds = perf_counter() - began
    return msgspec.structs.replace(
        report, seconds=round(seconds, 3), rows_per_second=round(report.rows / seconds, 1)
    )


async def _in_transaction(
    source: Pool | AsyncConnection[Any], work: Callable[[AsyncConnection[Any]], Awaitable[T]]
) -> T:
    if isinstance(source, Pool):
        return await run_transaction(source, work)
    if source.info.transaction_status is not TransactionStatus.IDLE:
        raise TransactionError("an import needs a connection that is not in a transaction")
    async with source.transaction():
        return await work(source)


async def _imported(
    connection: AsyncConnection[Any],
    paths: Sequence[Path],
    skip_bad: bool,
    dry_run: bool,
    progress: ShowProgress,
) -> ImportReport:
    with ExitStack() as stack:
        files = [stack.enter_context(ShopifyFile(*each)) for each in enumerate(paths)]
        notes = Notes()
        staging = Staging(connection, files)
        rows = await staging.take_rows(notes, progress)
        rejected, rejects = await staging.check(), []
        if rejected.total and not skip_bad:
            raise ImportRefusedError(rejected)
        if rejected.total:
            rejected = await staging.drop_rejected()
        size = sum(file.size for file in files)
        progress(Progress("writing", size, size, rows))
        changes = await staging.write(notes)
        if rejected.total and not dry_run:
            rejects = [await write_rejects(connection, file) for file in files]
        ignored = dict.fromkeys(name for file in files for name in file.columns.ignored)
        return ImportReport(
            rows=rows,
            changes=changes,
            rejected=rejected,
            rejects=tuple(path for path in rejects if path),
            notes=notes.all(),
            ignored_columns=tuple(ignored),
            dry_run=dry_run,
        )


async def _analyzed(connection: AsyncConnection[Any]) -> None:
    await QUERIES["analyze_shop"].execute(connection)


def _ignore(_: Progress) -> None:
    pass
