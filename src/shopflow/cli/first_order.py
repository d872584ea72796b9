"""`shopflow demo order`: the path of an order, taken once and shown."""

import asyncio

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs
from shopflow.cli.target import refuse_production, require_running
from shopflow.demo.first_order import take_order
from shopflow.orders.models import Order
from shopflow.settings import Settings
from shopflow.shop import open_shop


def order(*, json: bool = False) -> None:
    """Buy one piece of the newest product in stock, as a guest with a card, and show the order.

    Refused when the environment is production: the order would be a real one.

    Args:
        json: print the whole order as a JSON object.
    """
    settings = settings_module.load()
    refuse_production(settings)
    require_running(settings)
    taken = asyncio.run(_take(settings))
    if json:
        show_json(taken)
        return
    (item,) = taken.items
    bought = " ".join(filter(None, (item.product_name, item.variant_name)))
    show_pairs(
        (
            ("order", f"{taken.order_number} ({taken.status}, {taken.payment_status})"),
            ("bought", f"{item.quantity} x {bought}, SKU {item.sku}"),
            ("total", f"{taken.total_amount} {taken.currency_code}"),
            (
                "history",
                ", ".join(f"{step.status} {step.created_at:%T}" for step in taken.status_history),
            ),
        )
    )


async def _take(settings: Settings) -> Order:
    async with open_shop(settings) as shop:
        return await take_order(shop)
