"""Many callers at once: no oversell, one order a cart and a key, no deadlock, no line lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from itertools import cycle

import pytest

import shopflow
from shopflow import Shop
from shopflow.orders.checkout import Checkout
from shopflow.orders.errors import EmptyCartError, IdempotencyKeyTakenError, OutOfStockError
from shopflow.orders.models import PlacedOrder
from shopflow.settings import Settings
from tests.catalogue import a_product, a_variant, run
from tests.orders.conftest import Filled, Line, order
from tests.waiting import waiting

CALLERS, PROGRAMS = 32, 8
Place = Callable[[Checkout], Awaitable[PlacedOrder]]
OTHER_PRODUCTS = """
INSERT INTO products (name, slug, sku, price, stock_quantity)
SELECT 'Other', 'other-' || n, 'OTHER-' || n, 1, 1000 FROM generate_series(1, 3000) AS n
"""
TOOK_WHAT_WAS_ORDERED = """
SELECT id FROM products AS p
WHERE stock_quantity <> %(stock)s - coalesce(
    (SELECT sum(quantity) FROM order_items WHERE product_id = p.id), 0)
"""


@pytest.fixture
async def shops(settings: Settings) -> AsyncIterator[list[Shop]]:
    """The same shop opened by several programs, so that their orders meet in the database."""
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(shopflow.open(settings)) for _ in range(PROGRAMS)]


@pytest.fixture
def shop(shops: list[Shop]) -> Shop:
    return shops[0]


@pytest.fixture
def place(shops: list[Shop]) -> Place:
    """Order in one program after the other."""
    turns = cycle(shops)

    def in_turn(checkout: Checkout) -> Awaitable[PlacedOrder]:
        return next(turns).orders.place(checkout)

    return in_turn


async def deadlocks(shop: Shop) -> int:
    """How many the server has met in this database; each of its sessions tells when it ends."""
    for _ in range(1000):
        ((sessions, found),) = await run(
            shop,
            "SELECT numbackends, deadlocks FROM pg_stat_database WHERE datname = current_database()",
        )
        if sessions == 1:
            return int(found)
    raise AssertionError("sessions stay")


async def outcomes(
    calls: Iterable[Awaitable[PlacedOrder]],
) -> tuple[list[PlacedOrder], list[BaseException]]:
    """The orders that were placed, and the errors."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    placed = [each for each in done if isinstance(each, PlacedOrder)]
    return placed, [each for each in done if not isinstance(each, PlacedOrder)]


async def test_one_product_is_not_oversold(shop: Shop, place: Place, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=20)
    carts = [await filled((product_id, None, 2)) for _ in range(CALLERS)]
    placed, errors = await outcomes(place(order(cart)) for cart in carts)
    assert len(placed) == 10
    assert [type(error) for error in errors] == [OutOfStockError] * (CALLERS - 10)
    assert await run(shop, "SELECT stock_quantity FROM products") == [(0,)]
    assert await run(shop, "SELECT sum(quantity) FROM order_items") == [(20,)]


async def test_variants_are_not_oversold(shop: Shop, place: Place, filled: Filled) -> None:
    product_id = await a_product(shop)
    small = await a_variant(shop, product_id, stock_quantity=5)
    large = await a_variant(shop, product_id, stock_quantity=7)
    sizes = [small, large] * (CALLERS // 2)
    carts = [await filled((product_id, size, 1)) for size in sizes]
    placed, errors = await outcomes(place(order(cart)) for cart in carts)
    assert len(placed) == 12
    assert {type(error) for error in errors} == {OutOfStockError}
    sold = "SELECT variant_id, sum(quantity) FROM order_items GROUP BY 1"
    assert dict(await run(shop, sold)) == {small: 5, large: 7}
    assert await run(shop, "SELECT stock_quantity FROM products") == [(0,)]


@pytest.mark.parametrize("variants", [0, 2])
async def test_carts_with_the_same_lines_in_any_order_do_not_deadlock(
    shops: list[Shop], shop: Shop, place: Place, filled: Filled, variants: int
) -> None:
    # So many that a checkout finds its own by key, in the order of the lines if not told otherwise.
    await run(shop, OTHER_PRODUCTS)
    lines: list[Line] = []
    for _ in range(6):
        product_id = await a_product(shop, stock_quantity=1000)
        for _ in range(variants):
            size = await a_variant(shop, product_id, stock_quantity=500)
            lines.append((product_id, size, 1))
        if not variants:
            lines.append((product_id, None, 1))
    carts = [await filled(*(lines if n % 2 else reversed(lines))) for n in range(CALLERS)]
    await run(shop, "ANALYZE")
    placed, errors = await outcomes(place(order(cart)) for cart in carts)
    assert (len(placed), errors) == (CALLERS, [])
    assert await run(shop, TOOK_WHAT_WAS_ORDERED, stock=1000) == []
    # One would have been tried again.
    for other in shops:
        await other.pool.close()
    async with shopflow.open(shop.settings) as later:
        assert await deadlocks(later) == 0


async def test_one_cart_is_ordered_once(shop: Shop, place: Place, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    cart_id = await filled((product_id, None, 3))
    placed, errors = await outcomes(place(order(cart_id)) for _ in range(CALLERS))
    assert len(placed) == 1
    assert {type(error) for error in errors} == {EmptyCartError}
    assert await run(shop, "SELECT stock_quantity FROM products") == [(97,)]


async def test_one_key_is_one_order_for_everybody(shop: Shop, place: Place, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    checkout = order(await filled((product_id, None, 3)))
    placed, errors = await outcomes(place(checkout) for _ in range(CALLERS))
    assert errors == []
    assert len(set(placed)) == 1
    assert await run(shop, "SELECT stock_quantity FROM products") == [(97,)]


async def test_one_key_with_several_carts_orders_one_of_them(
    shop: Shop, place: Place, filled: Filled
) -> None:
    # Products of their own, so that only the key brings them together.
    carts = [await filled((await a_product(shop, stock_quantity=9), None, 2)) for _ in range(8)]
    placed, errors = await outcomes(
        place(order(cart, idempotency_key="the same")) for cart in carts
    )
    assert len(placed) == 1
    assert [type(error) for error in errors] == [IdempotencyKeyTakenError] * 7
    assert await run(shop, "SELECT count(*) FROM orders") == [(1,)]
    assert await run(shop, TOOK_WHAT_WAS_ORDERED, stock=9) == []


@pytest.mark.parametrize("change", ["add", "set", "remove"])
async def test_a_line_that_changes_during_the_checkout_is_not_lost(
    shop: Shop, place: Place, filled: Filled, change: str
) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    cart_id = await filled((product_id, None, 1))
    (line,) = (await shop.carts.get(cart_id=cart_id)).items
    async with shop.pool.connection() as holder, holder.transaction():
        # The checkout has locked the cart and waits for this product.
        await holder.execute("SELECT FROM products FOR UPDATE")
        placing = asyncio.create_task(shop.orders.place(order(cart_id)))
        await waiting(shop, 1)
        changes: dict[str, Callable[[], Awaitable[object]]] = {
            "add": lambda: shop.carts.add(cart_id, product_id, quantity=5),
            "set": lambda: shop.carts.set_quantity(cart_id, line.id, 5),
            "remove": lambda: shop.carts.remove(cart_id, line.id),
        }
        changing = asyncio.ensure_future(changes[change]())
        await waiting(shop, 2)
    await placing
    (changed,) = await asyncio.gather(changing, return_exceptions=True)
    left = [item.quantity for item in (await shop.carts.get(cart_id=cart_id)).items]
    # What was ordered was ordered, and what came later is in the cart or was refused.
    assert await run(shop, "SELECT quantity FROM order_items") == [(1,)]
    assert left == ([5] if change == "add" else [])
    assert isinstance(changed, Exception) == (change != "add")
