"""Orders by the public API, `shop.orders.place`; as a program, one of several processes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import psycopg

import shopflow
from bench import processes
from bench.load import Load, Place, Run, closed_loop
from shopflow import settings as settings_module
from shopflow.ids import CartId
from shopflow.orders import Address, Checkout
from shopflow.orders.errors import OutOfStockError
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

ADDRESS = Address(
    first_name="Ann",
    last_name="Archer",
    address_line_1="Main Street 1",
    city="Springfield",
    postal_code="12345",
    country_code="US",
)
# Connections of one process and of each of several: see docs/reference/benchmarks.md.
POOL, POOL_OF_SEVERAL = 8, 4


@asynccontextmanager
async def placing(shop: Settings, tag: str, pool: int = POOL) -> AsyncIterator[Place]:
    """Give the function that places an order; `tag` makes its idempotency key new."""
    carts = cart_ids(shop)
    settings = msgspec.structs.replace(shop, pool_max_size=pool, pool_timeout=30.0)
    async with shopflow.open(settings) as opened:

        async def place(number: int) -> bool:
            checkout = Checkout(
                cart_id=carts[number],
                idempotency_key=f"{tag}-{number}",
                shipping_address=ADDRESS,
            )
            try:
                await opened.orders.place(checkout)
            except OutOfStockError:
                return False
            return True

        yield place


def cart_ids(shop: Settings) -> list[CartId]:
    """Return the carts of `shops.filled` in the order of their numbers."""
    with psycopg.connect(conninfo(shop)) as connection:
        found = connection.execute("SELECT id FROM bench.carts ORDER BY n").fetchall()
    return [CartId(cart) for (cart,) in found]


def from_several(count: int, shop: Settings, load: Load) -> Run:
    """Place the orders from `count` processes, which share the callers and the orders."""
    command = [sys.executable, "-m", "bench.ours", str(shop.home)]
    return processes.run(command, processes.tasks(shop.database_url or "", load, count))


async def _work(home: str, task: processes.Task) -> Run:
    shop = settings_module.load({}, home=home, database_url=task.url)
    load = Load(task.callers, task.stop - task.first, task.within, task.tag)
    begins = task.first + task.warm_up
    async with placing(shop, task.tag, POOL_OF_SEVERAL) as place:
        await closed_loop(load, range(task.first, begins), place)
        processes.wait_for_start()
        return await closed_loop(load, range(begins, task.stop), place)


if __name__ == "__main__":
    processes.answer(asyncio.run(_work(sys.argv[1], processes.own_task())))
