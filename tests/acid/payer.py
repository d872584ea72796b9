"""A program that pays orders: `python -m tests.acid.payer`, told on its input by whom and which."""

import asyncio
import sys

import msgspec

import shopflow
from shopflow import settings as settings_module
from shopflow.ids import OrderId
from shopflow.orders.payments.sandbox import Sandbox
from tests.orders.payments.conftest import API_KEY, SECRET, VISA


class Task(msgspec.Struct, frozen=True):
    """The orders to pay, each under its own id as the key."""

    url: str
    gateway_url: str
    orders: list[OrderId]


async def _pay(task: Task) -> None:
    settings = settings_module.load({}, database_url=task.url, pool_max_size=4)
    gateway = Sandbox(task.gateway_url, api_key=API_KEY, webhook_secret=SECRET)
    async with shopflow.open(settings, gateways={"sandbox": gateway}) as shop:
        for order_id in task.orders:
            await shop.orders.payments.pay(
                order_id, gateway="sandbox", token=VISA, idempotency_key=str(order_id)
            )


if __name__ == "__main__":
    asyncio.run(_pay(msgspec.json.decode(sys.stdin.read(), type=Task)))
