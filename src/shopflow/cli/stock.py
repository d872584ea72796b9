"""`shopflow stock`: whether every stock adds up, and many stocks at once."""

import asyncio
from operator import attrgetter
from pathlib import Path

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.bulk import bar, bulk_id, refusals, show_change, show_preview, with_products
from shopflow.cli.output import show_json, show_table, tell
from shopflow.cli.target import require_running
from shopflow.importers.value_file import read_stock_file
from shopflow.postgres.pool import Pool
from shopflow.products import BulkChange, Draft, Preview
from shopflow.products.products import Products
from shopflow.products.stock import Stock
from shopflow.products.stock_models import StockMismatch
from shopflow.settings import Settings

app = cyclopts.App(name="stock", help="See that every stock adds up; change many at once.")


@app.command
def check(*, json: bool = False) -> int:
    """See that each stock is the sum of its movements, and a product's that of its variants.

    The database keeps it so, whoever writes; this finds what happened with its triggers off.
    Exit code 1 when something does not add up. Nothing is changed and nobody waits.

    Args:
        json: print a JSON array of what does not add up.
    """
    settings = settings_module.load()
    require_running(settings)
    found = asyncio.run(_check(settings))
    if json:
        show_json(found)
    elif found:
        columns = ("rule", "sku", "stock", "expected", "product_id", "variant_id")
        values = attrgetter(*columns)
        show_table(
            columns, (["" if each is None else str(each) for each in values(row)] for row in found)
        )
    else:
        print("every stock is the sum of its movements")
    return 1 if found else 0


@app.command
def apply(
    file: Path,
    /,
    *,
    description: str | None = None,
    skip_bad: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Make stocks what a file says, such as what was counted in the warehouse.

    Each changes by the difference between the file and the stock when the file is read, so that
    what is sold meanwhile counts. `shopflow stock undo` takes it back.

    Args:
        file: a CSV with the columns sku and stock.
        description: what the change is known by; otherwise the file's name.
        skip_bad: leave out what cannot be; otherwise one such line refuses everything.
        dry_run: say what would change, and change nothing.
        json: print a JSON object: the change, or with --dry-run the preview.
    """
    read = read_stock_file(file)
    if read.ignored:
        tell(f"note: columns that are not looked at: {', '.join(read.ignored)}")
    draft = Draft(description or file.name, skip_bad=skip_bad, dry_run=dry_run)
    with bar("changing stocks") as progress:

        async def work(products: Products) -> tuple[Preview, BulkChange | None]:
            preview = await products.bulk.plan_lines(draft, read.lines, problems=read.problems)
            if preview.id is None:
                return preview, None
            return preview, await products.bulk.apply(preview.id, progress=progress)

        with refusals(json):
            preview, change = with_products(work)
    if change is None:
        show_preview(preview, json)
    else:
        show_change(change, json)


@app.command
def undo(change: str, /, *, json: bool = False) -> None:
    """Take back what a file did to the stocks; what was sold since stays sold.

    Args:
        change: the id that `shopflow stock apply` printed.
        json: print a JSON object.
    """
    found = bulk_id(change)
    with bar("taking stocks back") as progress:
        done = with_products(lambda products: products.bulk.undo(found, progress=progress))
    show_change(done, json)


async def _check(settings: Settings) -> list[StockMismatch]:
    pool = Pool(settings)
    await pool.open()
    try:
        return await Stock(pool).check()
    finally:
        await pool.close()
