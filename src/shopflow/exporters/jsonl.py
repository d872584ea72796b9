"""Export to JSON Lines: a product a line, all of it, for `import_jsonl`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from shopflow.exporters.exporting import ExportReport, ShowExport, export_products
from shopflow.postgres.pool import Pool


async def export_jsonl(
    source: Pool | AsyncConnection[Any], file: Path, *, progress: ShowExport | None = None
) -> ExportReport:
    """Write all products that are not deleted to `file`, in the order in which they were made.

    One snapshot is read, a few hundred products are in memory, and nobody waits. What
    `shopflow.importers.json_products` describes is all there, so that an import into an empty
    shop and an export of that give the same bytes.

    Raises:
        ShopflowError: when the file cannot be written.
        TransactionError: for a connection that is in a transaction.
    """
    return await export_products(source, file, _lines, progress=progress)


def _lines(product: str) -> Iterable[str]:
    return (f"{product}\n",)
