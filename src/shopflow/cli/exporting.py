"""`shopflow export`: the catalogue to files."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs
from shopflow.cli.progress import bar
from shopflow.cli.target import require_running
from shopflow.exporters.exporting import ExportProgress, ExportReport, ShowExport
from shopflow.exporters.jsonl import export_jsonl
from shopflow.exporters.shopify import export_shopify
from shopflow.postgres.pool import Pool

app = cyclopts.App(name="export", help="Write the catalogue to a file.")


class _Export(Protocol):
    """What exports in one format."""

    def __call__(
        self, source: Pool, file: Path, *, progress: ShowExport
    ) -> Awaitable[ExportReport]:
        """Export."""
        ...


@app.command
def shopify(file: Path, /, *, json: bool = False) -> None:
    """Write all products as Shopify's product CSV, from one snapshot.

    Importing the file again changes nothing; what the format cannot say is in the notes.

    Args:
        file: where to; replaced once the export is whole.
        json: print a JSON object.
    """
    _run(export_shopify, file, json=json)


@app.command
def jsonl(file: Path, /, *, json: bool = False) -> None:
    """Write all products as JSON Lines, a product a line with all that belongs to it.

    From one snapshot. Importing the file into an empty shop and exporting that gives the same file.

    Args:
        file: where to; replaced once the export is whole.
        json: print a JSON object.
    """
    _run(export_jsonl, file, json=json)


def _run(export: _Export, file: Path, *, json: bool) -> None:
    settings = settings_module.load()
    require_running(settings)

    async def work(progress: ShowExport) -> ExportReport:
        pool = Pool(settings)
        await pool.open()
        try:
            return await export(pool, file, progress=progress)
        finally:
            await pool.close()

    with bar("products") as update:

        def show(progress: ExportProgress) -> None:
            update("writing", progress.products, progress.total, progress.products)

        report = asyncio.run(work(show))
    if json:
        show_json(report)
    else:
        _show(report)


def _show(report: ExportReport) -> None:
    rate = f"{report.seconds:.1f} s, {report.products_per_second:,.0f} products/s"
    show_pairs(
        [
            ("products", f"{report.products} in {rate}"),
            ("rows", report.rows),
            ("bytes", report.bytes),
            ("file", report.file),
        ]
    )
    for note in report.notes:
        print(f"note: {note.message} ({note.count}, first at line {note.line})")
