"""ACIDRain, inventory: more is sold than there is, by a lost update or in between two transactions."""

from collections.abc import Sequence

import psycopg
import pytest
from psycopg import AsyncConnection

from shopflow import Shop
from shopflow.ids import ProductId, VariantId
from shopflow.orders.errors import OutOfStockError
from shopflow.orders.models import PlacedOrder
from shopflow.products.errors import InsufficientStockError
from tests.acid.conftest import ends, held, stopped
from tests.catalogue import a_product, a_variant, run
from tests.orders.conftest import Filled, order

pytestmark = pytest.mark.usefixtures("patient")

TAKE = "UPDATE {} SET stock_quantity = stock_quantity - {} WHERE id = '{}'"
SELL = "INSERT INTO stock_movements (product_id, variant_id, change, reason) VALUES (%s, %s, %s, 'sale')"
LEFT = """
SELECT p.stock_quantity, (SELECT sum(m.change) FROM stock_movements AS m WHERE m.product_id = p.id)
FROM products AS p WHERE p.id = %(id)s
"""


async def left(shop: Shop, product_id: ProductId) -> int:
    """What is in stock, which is what its movements come to."""
    ((stock, moved),) = await run(shop, LEFT, id=product_id)
    assert stock == moved
    return int(stock)


async def goods(shop: Shop, stock: int, *, variants: bool) -> tuple[ProductId, VariantId | None]:
    if not variants:
        return await a_product(shop, stock_quantity=stock), None
    product_id = await a_product(shop)
    return product_id, await a_variant(shop, product_id, stock_quantity=stock)


def kinds(answers: Sequence[object]) -> list[str]:
    return sorted(type(each).__name__ for each in answers)


@pytest.mark.parametrize("variants", [False, True])
async def test_two_programs_that_both_saw_the_last_piece(
    shop: Shop, other: Shop, filled: Filled, *, variants: bool
) -> None:
    """Level-based: both have read one in stock when either writes."""
    product_id, variant_id = await goods(shop, 1, variants=variants)
    carts = [await filled((product_id, variant_id, 1)) for _ in range(2)]
    async with held(shop, "product_variants" if variants else "products"):
        begun = await stopped(
            shop, shop.orders.place(order(carts[0])), other.orders.place(order(carts[1]))
        )
    answers = await ends(*begun)
    assert kinds(answers) == ["OutOfStockError", "PlacedOrder"]
    assert await left(shop, product_id) == 0


@pytest.mark.parametrize("variants", [False, True])
async def test_a_quote_promises_nothing(
    shop: Shop, other: Shop, filled: Filled, *, variants: bool
) -> None:
    """Scope-based: what one transaction was told is no longer so in the next one."""
    product_id, variant_id = await goods(shop, 1, variants=variants)
    first, second = [await filled((product_id, variant_id, 1)) for _ in range(2)]
    quotes = [await shop.orders.quote(first), await other.orders.quote(second)]
    assert [each.shortages for each in quotes] == [(), ()]
    await shop.orders.place(order(first))
    with pytest.raises(OutOfStockError):
        await other.orders.place(order(second))
    assert await left(shop, product_id) == 0


@pytest.mark.parametrize("variants", [False, True])
@pytest.mark.parametrize("way", ["update", "movement"])
async def test_psql_takes_the_last_piece_while_a_program_orders_it(
    shop: Shop, psql: AsyncConnection, filled: Filled, way: str, *, variants: bool
) -> None:
    product_id, variant_id = await goods(shop, 2, variants=variants)
    cart_id = await filled((product_id, variant_id, 2))
    if way == "movement":
        await psql.execute(SELL, [product_id, variant_id, -1])
    else:
        table, key = ("product_variants", variant_id) if variants else ("products", product_id)
        await psql.execute(TAKE.format(table, 1, key).encode())
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id)))
    await psql.commit()
    (answer,) = await ends(placing)
    assert isinstance(answer, OutOfStockError)
    assert [(each.wanted, each.available) for each in answer.shortages] == [(2, 1)]
    assert await left(shop, product_id) == 1


@pytest.mark.parametrize("variants", [False, True])
@pytest.mark.parametrize("way", ["update", "movement"])
async def test_a_program_and_psql_want_the_last_piece(
    shop: Shop, psql: AsyncConnection, filled: Filled, way: str, *, variants: bool
) -> None:
    """Whoever comes second is refused, in psql by the database alone."""
    await psql.set_autocommit(True)
    product_id, variant_id = await goods(shop, 1, variants=variants)
    cart_id = await filled((product_id, variant_id, 1))
    table, key = ("product_variants", variant_id) if variants else ("products", product_id)
    async with held(shop, table):
        placing, taking = await stopped(
            shop,
            shop.orders.place(order(cart_id)),
            psql.execute(SELL, [product_id, variant_id, -1])
            if way == "movement"
            else psql.execute(TAKE.format(table, 1, key).encode()),
        )
    placed, taken = await ends(placing, taking)
    if isinstance(placed, PlacedOrder):
        assert isinstance(taken, psycopg.errors.CheckViolation)
        assert taken.diag.constraint_name == f"{table}_stock_non_negative"
    else:
        assert isinstance(placed, OutOfStockError)
        assert not isinstance(taken, BaseException)
    assert await left(shop, product_id) == 0


async def test_a_correction_between_two_orders_is_not_lost(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    """The clerk has read five, counts them again and takes two away while three are being sold."""
    product_id = await a_product(shop, stock_quantity=5)
    cart_id = await filled((product_id, None, 3))
    async with held(shop, "products"):
        begun = await stopped(
            shop,
            shop.orders.place(order(cart_id)),
            other.products.stock.adjust(product_id, change=-3),
        )
    placed, corrected = await ends(*begun)
    assert isinstance(placed, PlacedOrder)
    assert isinstance(corrected, InsufficientStockError)
    assert await left(shop, product_id) == 2


async def test_what_a_cancelled_order_gives_back_is_sold_once(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    """Two wait for the one piece that a cancellation gives back."""
    product_id = await a_product(shop, stock_quantity=1)
    placed = await shop.orders.place(order(await filled((product_id, None, 1))))
    carts = [await filled((product_id, None, 1)) for _ in range(2)]
    async with held(shop, "products"):
        (cancelling,) = await stopped(shop, shop.orders.cancel(placed.id))
    await cancelling
    async with held(shop, "products"):
        begun = await stopped(
            shop, shop.orders.place(order(carts[0])), other.orders.place(order(carts[1]))
        )
    assert kinds(await ends(*begun)) == ["OutOfStockError", "PlacedOrder"]
    assert await left(shop, product_id) == 0
