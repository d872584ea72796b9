"""`shopflow import`: catalogues of other systems."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, tell
from shopflow.cli.target import require_running
from shopflow.importers.report import (
    Changes,
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
    require_running(settings)
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
    console = Console(stderr=True)
    # Where stderr is not a terminal it would leave an empty line.
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
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
    pairs: list[tuple[str, object]] = [
        ("rows", f"{report.rows} in {report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s"),
        ("products", _counts(changes, "products", "created", "updated", "unchanged")),
        ("variants", _counts(changes, "variants", "created", "updated", "deactivated")),
        ("images", _counts(changes, "images", "created", "updated", "deleted")),
        ("brands", _counts(changes, "brands", "created")),
        ("categories", _counts(changes, "categories", "created")),
    ]
    if rejected.total:
        rows = f"{rejected.rejected_rows} rows, {rejected.bad_rows} of them bad"
        pairs.append(("rejected", f"{rejected.rejected_products} products: {rows}"))
    show_pairs([*pairs, *(("rejects", path) for path in report.rejects)])
    for note in report.notes:
        print(f"note: {note.message} ({note.count}, first in {note.file}, line {note.line})")
    if report.dry_run:
        print("dry run: nothing was changed")
    elif not changes.total:
        print("nothing changed")


def _counts(changes: Changes, things: str, *done: str) -> str:
    return ", ".join(f"{getattr(changes, f'{things}_{how}')} {how}" for how in done)
