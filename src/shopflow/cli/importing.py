"""`shopflow import`: catalogues from files."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, tell
from shopflow.cli.progress import bar
from shopflow.cli.target import require_running
from shopflow.importers.jsonl import import_jsonl
from shopflow.importers.report import (
    Changes,
    ImportRefusedError,
    ImportReport,
    Progress,
    Rejected,
    ShowProgress,
)
from shopflow.importers.shopify import import_shopify
from shopflow.importers.woocommerce import import_woocommerce
from shopflow.postgres.pool import Pool

app = cyclopts.App(name="import", help="Bring in a catalogue from files.")


class _Import(Protocol):
    """What imports files of one format."""

    def __call__(
        self,
        target: Pool,
        files: tuple[Path, ...],
        *,
        skip_bad: bool,
        dry_run: bool,
        progress: ShowProgress,
    ) -> Awaitable[ImportReport]:
        """Import them."""
        ...


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
    _run(import_shopify, (file, *files), skip_bad=skip_bad, dry_run=dry_run, json=json)


@app.command
def woocommerce(
    file: Path,
    /,
    *files: Path,
    skip_bad: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Import product exports of WooCommerce (CSV), all or nothing.

    Products are known again by their SKU, or by their name where they have none; variations by the
    attributes that they have values of. Otherwise as `shopflow import shopify`.

    Args:
        file: the export.
        files: more of them, taken together with it.
        skip_bad: leave products with a bad row out, and write their rows with the reasons to
            NAME.rejects.csv beside the file; otherwise one bad row refuses everything.
        dry_run: say what would change, and change nothing.
        json: print a JSON object.
    """
    _run(import_woocommerce, (file, *files), skip_bad=skip_bad, dry_run=dry_run, json=json)


@app.command
def jsonl(
    file: Path,
    /,
    *files: Path,
    skip_bad: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Import JSON Lines, a product a line, as `shopflow export jsonl` writes them; all or nothing.

    Products are known again by their slug; a key that a line does not have stays as it is.

    Args:
        file: the file.
        files: more of them, taken together with it.
        skip_bad: leave bad lines out, and write them with the reasons to NAME.rejects.jsonl beside
            the file; otherwise one bad line refuses everything.
        dry_run: say what would change, and change nothing.
        json: print a JSON object.
    """
    _run(import_jsonl, (file, *files), skip_bad=skip_bad, dry_run=dry_run, json=json)


def _run(
    import_files: _Import, files: tuple[Path, ...], *, skip_bad: bool, dry_run: bool, json: bool
) -> None:
    settings = settings_module.load()
    require_running(settings)

    async def work(show: ShowProgress) -> ImportReport:
        pool = Pool(settings)
        await pool.open()
        try:
            return await import_files(
                pool, files, skip_bad=skip_bad, dry_run=dry_run, progress=show
            )
        finally:
            await pool.close()

    try:
        report = _shown(work)
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


def _shown(work: Callable[[ShowProgress], Awaitable[ImportReport]]) -> ImportReport:
    """Run an import beside a bar: of bytes while it reads, and then of what is going on."""
    with bar("rows") as update:

        def show(progress: Progress) -> None:
            known = progress.stage == "reading"
            total = progress.total if known else None
            update(progress.stage, progress.read, total, progress.rows)

        async def run() -> ImportReport:
            return await work(show)

        return asyncio.run(run())


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
