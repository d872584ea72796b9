"""A program with several buyers: `python -m tests.acid.buyers`, told what to do on its input.

The first line is its task. It answers `ready`, begins at the second line, and says each answer on a
line of its own as soon as a buyer has it, so that what was said before a kill is known.
"""

import asyncio
import sys
from typing import Literal

import msgspec

import shopflow
from shopflow import settings as settings_module
from shopflow.ids import CartId, OrderId
from shopflow.orders.checkout import Checkout
from shopflow.orders.errors import OutOfStockError
from tests.acid.crashing import until_known
from tests.orders.conftest import BERLIN


class Task(msgspec.Struct, frozen=True):
    """The carts to order, shared by so many buyers; the key of each is its own id."""

    url: str
    buyers: int
    carts: list[CartId]


class Answer(msgspec.Struct, frozen=True):
    """What a buyer was told of a cart."""

    cart_id: CartId
    outcome: Literal["placed", "sold out"]
    order_id: OrderId | None


def checkout(cart_id: CartId) -> Checkout:
    """The same for a cart whoever asks, and however often."""
    return Checkout(
        cart_id=cart_id,
        idempotency_key=str(cart_id),
        shipping_address=BERLIN,
        customer_email="buyer@acid.example",
    )


async def answer(shop: shopflow.Shop, cart_id: CartId) -> Answer:
    """Order a cart, through every crash of the server."""
    try:
        placed = await until_known(lambda: shop.orders.place(checkout(cart_id)))
    except OutOfStockError:
        return Answer(cart_id, "sold out", None)
    return Answer(cart_id, "placed", placed.id)


async def _buy(task: Task) -> None:
    settings = settings_module.load({}, database_url=task.url, pool_max_size=8)
    waiting = iter(task.carts)
    async with shopflow.open(settings) as shop:
        _say(b'"ready"')
        await asyncio.to_thread(sys.stdin.readline)

        async def buyer() -> None:
            for cart_id in waiting:
                _say(msgspec.json.encode(await answer(shop, cart_id)))

        async with asyncio.TaskGroup() as group:
            for _ in range(task.buyers):
                group.create_task(buyer())


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_buy(msgspec.json.decode(sys.stdin.readline(), type=Task)))
