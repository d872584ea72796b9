"""`shopflow orders`: work on orders that is done by the clock."""

import asyncio
from datetime import timedelta

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.ages import GivenAge
from shopflow.cli.output import show_json
from shopflow.cli.target import require_running
from shopflow.orders.expiring import count_unpaid_orders, expire_unpaid_orders
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

app = cyclopts.App(name="orders", help="Work on orders that is done by the clock.")


@app.command
def expire_unpaid(*, older_than: GivenAge, dry_run: bool = False, json: bool = False) -> None:
    """Cancel the orders that are pending and unpaid for too long, so that others can buy the goods.

    Each gives back its stock and the use of its coupon. An order whose payment is under way is
    left alone. Several may run at the same time, for example from cron.

    Args:
        older_than: since the order was placed, such as 24h or 30m.
        dry_run: say how many it would be, and cancel nothing.
        json: print a JSON object: older_than (seconds), cancelled, dry_run.
    """
    settings = settings_module.load()
    require_running(settings)
    orders = asyncio.run(_expire(settings, older_than, dry_run=dry_run))
    if json:
        show_json(
            {"older_than": older_than.total_seconds(), "cancelled": orders, "dry_run": dry_run}
        )
        return
    unpaid = "1 unpaid order" if orders == 1 else f"{orders} unpaid orders"
    print(f"dry run: would cancel {unpaid}" if dry_run else f"cancelled {unpaid}")


async def _expire(settings: Settings, older_than: timedelta, *, dry_run: bool) -> int:
    pool = Pool(settings)
    await pool.open()
    try:
        if not dry_run:
            return await expire_unpaid_orders(pool, older_than)
        async with pool.connection() as connection:
            return await count_unpaid_orders(connection, older_than)
    finally:
        await pool.close()
