"""`shopflow demo`: a generated shop to try things out with."""

import asyncio

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from shopflow import demo
from shopflow import settings as settings_module
from shopflow.cli.first_order import order
from shopflow.cli.output import show_json, show_pairs
from shopflow.errors import ServerError
from shopflow.postgres.embedded import Server
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

app = cyclopts.App(name="demo", help="Fill an empty shop with a generated one, to try things out.")
app.command(order)


@app.command
def load(*, products: int = 1000, seed: int = 1, json: bool = False) -> None:
    """Fill the shop, which must be empty, with a generated one, or leave it as it is.

    The same products and seed make the same shop. Its users cannot sign in.

    Args:
        products: how many products; users, reviews, orders and the rest follow from it.
        seed: any number; another one makes another shop.
        json: print a JSON object: products, seed, rows by table, seconds, rows_per_second.
    """
    settings = settings_module.load()
    if settings.embedded and Server(settings).state() != "running":
        raise ServerError("the server does not run: start it with shopflow up")
    report = load_with_progress(settings, products=products, seed=seed)
    if json:
        show_json(report)
        return
    show_pairs((table.replace("_", " "), f"{count:,}") for table, count in report.rows.items())
    print(f"loaded in {report.seconds:.1f} s, {report.rows_per_second:,.0f} rows/s")


def load_with_progress(settings: Settings, *, products: int, seed: int) -> demo.DemoReport:
    """Load the demo with a progress bar on stderr; raises as `shopflow.demo.load`."""
    return asyncio.run(_load(settings, products, seed))


async def _load(settings: Settings, products: int, seed: int) -> demo.DemoReport:
    pool = Pool(settings)
    await pool.open()
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        _Rate(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("preparing", total=None)
            return await demo.load(
                pool,
                products=products,
                seed=seed,
                progress=lambda what, done, total: bar.update(
                    task, description=what, completed=done, total=total
                ),
            )
    finally:
        await pool.close()


class _Rate(ProgressColumn):
    """How many of the things that progress counts are done a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")
