"""The order is placed and its answer is lost: whoever repeats it finds it, and is never told else."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

import shopflow
from shopflow import CommitOutcomeUnknownError, Shop
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import PlacedOrder
from shopflow.settings import Settings
from tests.acid.wire import Wire, wired
from tests.catalogue import a_product, run
from tests.orders.conftest import Filled, order
from tests.waiting import waiting

STOCK = "SELECT stock_quantity FROM products"


@pytest.fixture
async def wire_and_program(settings: Settings) -> AsyncIterator[tuple[Wire, Shop]]:
    """A program that gives up soon, at the end of a wire."""
    hasty = msgspec.structs.replace(settings, pool_timeout=0.2)
    async with wired(hasty) as (wire, far), shopflow.open(far) as program:
        yield wire, program


async def placed_without_answer(
    shop: Shop, wire: Wire, program: Shop, *checkouts: Checkout
) -> list[asyncio.Task[PlacedOrder]]:
    """Have orders placed and committed, and the wire cut before the program hears of it."""
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM products FOR UPDATE")
        placing = [asyncio.create_task(program.orders.place(each)) for each in checkouts]
        await waiting(shop, 1)
        wire.keep_answers()
    await wire.kept.wait()
    await wire.cut()
    return placing


async def test_once_the_server_is_back_the_caller_has_its_order(
    shop: Shop, wire_and_program: tuple[Wire, Shop], filled: Filled
) -> None:
    wire, program = wire_and_program
    checkout = order(await filled((await a_product(shop), None, 3)))
    (placing,) = await placed_without_answer(shop, wire, program, checkout)
    await wire.mend()
    placed = await placing
    assert await run(shop, "SELECT id, idempotency_key FROM orders") == [
        (placed.id, checkout.idempotency_key)
    ]
    assert await run(shop, STOCK) == [(7,)]


async def test_while_the_server_is_away_nobody_is_told_that_nothing_was_ordered(
    shop: Shop, wire_and_program: tuple[Wire, Shop], filled: Filled
) -> None:
    wire, program = wire_and_program
    checkout = order(await filled((await a_product(shop), None, 3)))
    (placing,) = await placed_without_answer(shop, wire, program, checkout)
    with pytest.raises(CommitOutcomeUnknownError):
        await placing
    assert await run(shop, STOCK) == [(7,)]
    await wire.mend()
    placed = await program.orders.place(checkout)
    assert await run(shop, "SELECT id FROM orders") == [(placed.id,)]
    assert await run(shop, STOCK) == [(7,)]


async def test_repeated_through_another_program_it_is_the_same_order(
    shop: Shop, wire_and_program: tuple[Wire, Shop], filled: Filled
) -> None:
    wire, program = wire_and_program
    checkout = order(await filled((await a_product(shop), None, 3)))
    (placing,) = await placed_without_answer(shop, wire, program, checkout)
    placing.cancel()
    await asyncio.wait([placing])
    placed = await shop.orders.place(checkout)
    assert await run(shop, "SELECT id FROM orders") == [(placed.id,)]
    assert await run(shop, STOCK) == [(7,)]
