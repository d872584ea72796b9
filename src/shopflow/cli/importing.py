"""`shopflow import`: catalogues of other systems."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, tell
from shopflow.importers.report import (
    ImportRefusedError,
    ImportReport,
    Progress,
    Rejected,
    ShowProgress,
)
from shopflow.importers.shopify import import_shopify
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

app = cyclopts.App(name="import", help="Bring in the catalogue of another system.")


@app.command
def shopify(
    file: Path,
    /,
    *files: Path,
    skip_bad: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Import product exports of Shopify (CSV), all or nothing.

    Products are known again by their handle: importing a file again changes nothing, importing a
    newer one updates what differs. Products that the files do not name stay as they are.

    Args:
        file: the export.
        files: more of them, taken together with it.
        skip_bad: leave products with a bad row out, and write their rows with the reasons to
            NAME.rejects.csv beside the file; otherwise one bad row refuses everything.
        dry_run: say what would change, and change nothing.
        json: print a JSON object.
    """
    settings = settings_module.load()
    try:
        with _bar() as progress:
            report = asyncio.run(_import(settings, (file, *files), skip_bad, dry_run, progress))
    except ImportRefusedError as error:
        _tell_problems(error.rejected)
        if json:
            show_json({"refused": error.rejected})
        raise
    _tell_problems(report.rejected)
    if json:
        show_json(report)
    else:
        _show(report)


async def _import(
    settings: Settings,
    files: tuple[Path, ...],
    skip_bad: bool,
    dry_run: bool,
    progress: ShowProgress,
) -> ImportReport:
    pool = Pool(settings)
    await pool.open()
    try:
        return await import_shopify(
            pool, files, skip_bad=skip_bad, dry_run=dry_run, progress=progress
        )
    finally:
        await pool.close()


@contextmanager
def _bar() -> Iterator[ShowProgress]:
    """Show a bar on stderr while the files are read, and then what is going on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, rows=0)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.stage,
                completed=progress.read,
                total=progress.total,
                rows=progress.rows,
            )

        yield show


def _tell_problems(rejected: Rejected) -> None:
    for problem in rejected.problems:
        tell(str(problem))
    if rejected.total > len(rejected.problems):
        tell(f"and {rejected.total - len(rejected.problems)} more")


def _show(report: ImportReport) -> None:
    changes, rejected = report.changes, report.rejected
    speed = f"{report.rows} in {report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s"
    pairs: list[tuple[str, object]] = [
        ("rows", speed),
        (
            "products",
            f"{changes.products_created} created, {changes.products_updated} updated,"
            f" {changes.products_unchanged} unchanged",
        ),
        (
            "variants",
            f"{changes.variants_created} created, {changes.variants_updated} updated,"
            f" {changes.variants_deactivated} deactivated",
        ),
        (
            "images",
            f"{changes.images_created} created, {changes.images_updated} updated,"
            f" {changes.images_deleted} deleted",
        ),
        ("brands", f"{changes.brands_created} created"),
        ("categories", f"{changes.categories_created} created"),
    ]
    if rejected.total:
        pairs.append(
            (
                "rejected",
                f"{rejected.rejected_products} products with {rejected.rejected_rows} rows,"
                f" for {rejected.bad_rows} bad rows",
            )
        )
    pairs += [("rejects", path) for path in report.rejects]
    show_pairs(pairs)
    for note in report.notes:
        print(f"note: {note.message} ({note.count}, first in {note.file}, line {note.line})")
    if report.dry_run:
        print("dry run: nothing was changed")
    elif not changes.total:
        print("nothing changed")
