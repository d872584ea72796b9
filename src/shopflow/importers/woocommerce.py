"""Import of WooCommerce's product CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from shopflow.importers.csv_file import CsvFile
from shopflow.importers.loading import Request, import_files
from shopflow.importers.report import ImportReport, ShowProgress
from shopflow.importers.woocommerce_columns import WOOCOMMERCE
from shopflow.importers.woocommerce_rows import WooReader
from shopflow.postgres.pool import Pool

# The format has no handles: a product is known by its SKU, a variation by its product's SKU or ID.
LINKS = ("name_parts_by_sku", "link_parts_by_parent", "find_missing_parents")


async def import_woocommerce(
    target: Pool | AsyncConnection[Any],
    files: Sequence[Path],
    *,
    skip_bad: bool = False,
    dry_run: bool = False,
    progress: ShowProgress | None = None,
) -> ImportReport:
    """Bring the products of WooCommerce's CSV exports into the shop, in one transaction.

    A product is known by its SKU, or by its name where it has none; variations may stand anywhere
    in the files. Everything else is as for `import_shopify`, whose arguments these are.

    Raises:
        ImportRefusedError: for bad rows, without `skip_bad`.
        MalformedFileError: when a file is not CSV, or no product export.
        ShopflowError: when a file cannot be read, or its rejects not be written.
    """
    return await import_files(
        target, Request(files, _open, skip_bad, dry_run, progress, links=LINKS)
    )


def _open(number: int, path: Path) -> CsvFile:
    return CsvFile(number, path, WOOCOMMERCE, WooReader)
