"""Import of Shopify's product CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from shopflow.importers.csv_file import CsvFile
from shopflow.importers.loading import Request, import_files
from shopflow.importers.report import ImportReport, ShowProgress
from shopflow.importers.shopify_columns import SHOPIFY
from shopflow.importers.shopify_rows import ShopifyReader
from shopflow.postgres.pool import Pool


async def import_shopify(
    target: Pool | AsyncConnection[Any],
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
    they name are locked: who changes one of them then waits until the import is over, and nobody
    waits who reads. Memory does not grow with the files.

    Args:
        target: where to; a connection must not be in a transaction.
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
    request = Request(files, open_shopify, skip_bad, dry_run, progress)
    return await import_files(target, request)


def open_shopify(number: int, path: Path) -> CsvFile:
    """Open the `number`th of the files.

    Raises:
        ShopflowError: when it cannot be read.
        MalformedFileError: when it is no product export of Shopify.
    """
    return CsvFile(number, path, SHOPIFY, ShopifyReader)
