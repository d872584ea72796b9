"""`shopflow demo`: a generated shop to try things out with."""

import asyncio
from contextlib import ExitStack

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from shopflow import demo
from shopflow import settings as settings_module
from shopflow.cli.first_order import order
from shopflow.cli.output import show_json, show_pairs
from shopflow.cli.target import refuse_production, require_running
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

app = cyclopts.App(name="demo", help="Try things out: a generated shop, an order, a gateway.")
app.command(order)
app.command("shopflow.cli.sandbox_gateway:gateway", name="gateway")


@app.command
def load(*, products: int = 1000, seed: int = 1, json: bool = False) -> None:
    """Fill the shop, which must be empty, with a generated one, or leave it as it is.

    The same products and seed make the same shop, as of 1 January 2026. Its users cannot sign in,
    and its stocks are what is left after its sales, which have no stock movements. Refused when
    the environment is production.

    Args:
        products: how many products; users, reviews, orders and the rest follow from it.
        seed: any number; another one makes another shop.
        json: print a JSON object: products, seed, rows by table, seconds, rows_per_second.
    """
    settings = settings_module.load()
    refuse_production(settings)
    require_running(settings)
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
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("", total=None)
    try:
        with ExitStack() as shown:

            def show(what: str, done: int, total: int) -> None:
                # Not before there is progress: a refused load has none.
                if not bar.live.is_started:
                    shown.enter_context(bar)
                bar.update(task, description=what, completed=done, total=total)

            return await demo.load(pool, products=products, seed=seed, progress=show)
    finally:
        await pool.close()


class _Rate(ProgressColumn):
    """How many of the things that progress counts are done a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")
