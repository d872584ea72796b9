"""Ordering and paying while users and products are deleted from plain SQL."""

import asyncio
from typing import Literal

import pytest

from shopflow import NotFoundError, Shop
from shopflow.ids import CartId, ProductId, VariantId
from shopflow.orders.errors import EmptyCartError
from shopflow.orders.models import PlacedOrder
from shopflow.postgres.queries import timings
from shopflow.settings import Settings
from tests.catalogue import a_product, a_user, a_variant, run
from tests.orders.conftest import Filled, order
from tests.waiting import waiting

DELETE_USERS = "UPDATE users SET deleted_at = now()"
DELETE_PRODUCT = "UPDATE products SET deleted_at = now() WHERE id = %(id)s"
DELETED = "SELECT deleted_at IS NOT NULL FROM users"


async def a_users_cart(shop: Shop) -> CartId:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(cart_id, await a_product(shop))
    return cart_id


def tried(query: str) -> int:
    return timings()[query].executions if query in timings() else 0


async def test_the_deletion_of_a_user_waits_for_the_checkout_under_way(shop: Shop) -> None:
    checkout = order(await a_users_cart(shop))
    before = tried("place_orders")
    async with shop.pool.connection() as holder, holder.transaction():
        # The checkout has locked the cart and waits for this product.
        await holder.execute("SELECT FROM products FOR UPDATE")
        placing = asyncio.create_task(shop.orders.place(checkout))
        await waiting(shop, 1)
        deleting = asyncio.create_task(run(shop, DELETE_USERS))
        await waiting(shop, 2)
    placed = await placing
    await deleting
    assert tried("place_orders") - before == 1  # a deadlock would have been tried again
    assert (await shop.orders.get(placed.id)).user_id is None
    assert await run(shop, DELETED) == [(True,)]
    assert await run(shop, "SELECT FROM carts") == []


async def test_a_checkout_waits_for_the_deletion_of_its_user(shop: Shop) -> None:
    cart_id = await a_users_cart(shop)
    async with shop.pool.connection() as deleter, deleter.transaction():
        await deleter.execute(DELETE_USERS)
        placing = asyncio.create_task(shop.orders.place(order(cart_id)))
        await waiting(shop, 1)
    with pytest.raises(NotFoundError, match="no such cart"):
        await placing
    assert await run(shop, "SELECT FROM orders") == []


async def test_the_deletion_of_a_user_waits_for_the_payment_under_way(shop: Shop) -> None:
    placed = await shop.orders.place(order(await a_users_cart(shop)))
    (buyer,) = await run(shop, "SELECT id FROM users")
    before = tried("explain_change")
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM orders FOR UPDATE")
        paying = asyncio.create_task(
            shop.orders.mark_paid(
                placed.id, amount=placed.total_amount, method="card", actor=buyer[0]
            )
        )
        await waiting(shop, 1)
        deleting = asyncio.create_task(run(shop, DELETE_USERS))
        await waiting(shop, 2)
    await paying
    await deleting
    assert tried("explain_change") - before == 1
    found = await shop.orders.get(placed.id)
    assert (found.status, found.user_id) == ("confirmed", None)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_checkout_gives_way_to_a_products_deletion(
    shop: Shop, settings: Settings, filled: Filled, others: Literal[0, 1]
) -> None:
    # The checkout holds the variants and wants the product, whose sum of stock changes; the deletion
    # holds the product and wants the variants. Neither order can be another.
    product_id = await a_product(shop)
    variant_id = await a_variant(shop, product_id)
    other = await a_product(shop)
    cart_id = await filled((product_id, variant_id, 2), *[(other, None, 3)] * others)
    before = tried("read_quotes")
    async with shop.pool.connection() as holder, holder.transaction(force_rollback=True):
        # Makes the deletion wait after it has locked the product.
        await holder.execute("SELECT FROM cart_items FOR UPDATE")
        deleting = asyncio.create_task(run(shop, DELETE_PRODUCT, id=product_id))
        await waiting(shop, 1)
        placing = asyncio.create_task(shop.orders.place(order(cart_id)))
        await waiting(shop, 2)
    placed, deleted = await asyncio.gather(placing, deleting, return_exceptions=True)
    assert not isinstance(deleted, BaseException)
    assert tried("read_quotes") - before >= 2
    # Its line has left the cart, and what is left is ordered.
    assert isinstance(placed, PlacedOrder if others else EmptyCartError)
    assert await run(shop, "SELECT product_id, quantity FROM order_items") == [(other, 3)] * others
    # What is no longer for sale is not in the sum.
    assert await stock(shop, product_id, variant_id, other) == (0, 10, 10 - 3 * others)


async def stock(
    shop: Shop, product_id: ProductId, variant_id: VariantId, other: ProductId
) -> tuple[int, int, int]:
    """What is left of a product, of its variant and of the other product."""
    rows = dict(
        await run(
            shop,
            "SELECT id, stock_quantity FROM products"
            " UNION ALL SELECT id, stock_quantity FROM product_variants",
        )
    )
    return rows[product_id], rows[variant_id], rows[other]
