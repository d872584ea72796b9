"""`shopflow stock`: whether every stock adds up."""

import asyncio
from operator import attrgetter

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_table
from shopflow.cli.target import require_running
from shopflow.postgres.pool import Pool
from shopflow.products.stock import Stock
from shopflow.products.stock_models import StockMismatch
from shopflow.settings import Settings

app = cyclopts.App(name="stock", help="See that every stock adds up.")


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


async def _check(settings: Settings) -> list[StockMismatch]:
    pool = Pool(settings)
    await pool.open()
    try:
        return await Stock(pool).check()
    finally:
        await pool.close()
