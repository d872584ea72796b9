"""Import of JSON Lines: a product a line, in ShopFlow's own format, which holds all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from shopflow.importers.jsonl_file import JsonlFile
from shopflow.importers.loading import Request, import_files
from shopflow.importers.report import ImportReport, ShowProgress
from shopflow.postgres.pool import Pool


async def import_jsonl(
    target: Pool | AsyncConnection[Any],
    files: Sequence[Path],
    *,
    skip_bad: bool = False,
    dry_run: bool = False,
    progress: ShowProgress | None = None,
) -> ImportReport:
    """Bring the products of JSON Lines files into the shop, in one transaction.

    A product is known by its slug. A key that a line does not have stays as it is in the shop;
    everything else is as for `import_shopify`, whose arguments these are. The keys are in
    `shopflow.importers.json_products`; rejects go to NAME.rejects.jsonl.

    Raises:
        ImportRefusedError: for bad lines, without `skip_bad`.
        MalformedFileError: when a line is too long to be a product.
        ShopflowError: when a file cannot be read, or its rejects not be written.
    """
    return await import_files(target, Request(files, JsonlFile, skip_bad, dry_run, progress))
