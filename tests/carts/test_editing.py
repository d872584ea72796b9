"""Opening carts and changing their lines, by many callers at once too."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.carts import editing
from shopflow.carts.errors import CartOwnerError, NotForSaleError
from shopflow.ids import CartId, CartItemId, ProductId, UserId, VariantId
from tests.catalogue import a_coupon, a_product, a_user, a_variant, run
from tests.waiting import waiting


@pytest.fixture
async def cart_id(shop: Shop) -> CartId:
    return await shop.carts.open(session_id="guest")


async def lines(
    shop: Shop, cart_id: CartId
) -> list[tuple[ProductId, VariantId | None, int, Decimal]]:
    items = (await shop.carts.get(cart_id=cart_id)).items
    return [(line.product_id, line.variant_id, line.quantity, line.unit_price) for line in items]


async def test_everybody_who_opens_a_cart_gets_the_same_one(shop: Shop) -> None:
    user_id = await a_user(shop)
    users = await asyncio.gather(*(shop.carts.open(user_id=user_id) for _ in range(16)))
    guests = await asyncio.gather(*(shop.carts.open(session_id="one") for _ in range(16)))
    assert (len(set(users)), len(set(guests))) == (1, 1)
    assert await run(shop, "SELECT count(*) FROM carts") == [(2,)]


async def test_opening_a_cart_that_is_there_writes_nothing(shop: Shop, cart_id: CartId) -> None:
    before = await run(shop, "SELECT xmin::text, ctid::text, updated_at FROM carts")
    assert await shop.carts.open(session_id="guest") == cart_id
    assert await run(shop, "SELECT xmin::text, ctid::text, updated_at FROM carts") == before


async def test_a_cart_has_one_owner(shop: Shop) -> None:
    with pytest.raises(InvalidInputError):
        await shop.carts.open()
    with pytest.raises(InvalidInputError):
        await shop.carts.open(user_id=await a_user(shop), session_id="guest")


@pytest.mark.parametrize("session_id", ["", "secret" * 50, "secret\0", "secret\ud800"])
async def test_a_session_id_that_cannot_be_is_refused_unseen(shop: Shop, session_id: str) -> None:
    with pytest.raises(InvalidInputError, match="session_id") as refused:
        await shop.carts.open(session_id=session_id)
    assert "secret" not in str(refused.value)


async def test_users_who_are_not_there_have_no_cart(shop: Shop) -> None:
    with pytest.raises(CartOwnerError):
        await shop.carts.open(user_id=UserId(uuid4()))
    deleted = await a_user(shop)
    await run(shop, "UPDATE users SET deleted_at = now()")
    with pytest.raises(CartOwnerError):
        await shop.carts.open(user_id=deleted)


async def changed(connection: AsyncConnection[Any], item_id: CartItemId, change: str) -> None:
    """Change the only cart there is."""
    cursor = await connection.execute("SELECT cart_id, product_id FROM cart_items")
    ((cart_id, product_id),) = await cursor.fetchall()
    if change == "add":
        await editing.add_item(connection, cart_id, product_id)
    elif change == "set":
        await editing.set_quantity(connection, cart_id, item_id, 2)
    else:
        await editing.remove_item(connection, cart_id, item_id)


@pytest.mark.parametrize("change", ["add", "set", "remove"])
async def test_a_cart_being_changed_is_cleared_by_the_deletion_of_its_user(
    shop: Shop, change: str
) -> None:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    item_id = await shop.carts.add(cart_id, await a_product(shop))
    async with shop.pool.connection() as changer, changer.transaction():
        await changed(changer, item_id, change)
        deletion = asyncio.create_task(run(shop, "UPDATE users SET deleted_at = now()"))
        await waiting(shop, 1)
        if change != "remove":
            await changed(changer, item_id, change)
    await deletion
    assert await run(shop, "SELECT FROM carts") == []


@pytest.mark.parametrize("change", ["add", "set", "remove"])
async def test_a_cart_is_not_changed_once_its_user_is_being_deleted(
    shop: Shop, change: str
) -> None:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    item_id = await shop.carts.add(cart_id, await a_product(shop))
    async with shop.pool.connection() as changer:
        async with shop.pool.connection() as deleter, deleter.transaction():
            await deleter.execute("UPDATE users SET deleted_at = now()")
            changing = asyncio.create_task(changed(changer, item_id, change))
            await waiting(shop, 1)
        with pytest.raises(NotFoundError, match="no such cart"):
            await changing


async def test_the_same_product_is_one_line_at_the_price_of_now(
    shop: Shop, cart_id: CartId
) -> None:
    product_id = await a_product(shop, price="20.00")
    first = await shop.carts.add(cart_id, product_id, quantity=2)
    await run(shop, "UPDATE products SET price = 21")
    assert await shop.carts.add(cart_id, product_id, quantity=3) == first
    assert await lines(shop, cart_id) == [(product_id, None, 5, Decimal("21.00"))]


async def test_variants_are_lines_of_their_own_at_their_own_price(
    shop: Shop, cart_id: CartId
) -> None:
    product_id = await a_product(shop)
    small = await a_variant(shop, product_id, price="30.00")
    large = await a_variant(shop, product_id, price="35.00")
    await shop.carts.add(cart_id, product_id, small)
    await shop.carts.add(cart_id, product_id, large, 2)
    assert await lines(shop, cart_id) == [
        (product_id, small, 1, Decimal("30.00")),
        (product_id, large, 2, Decimal("35.00")),
    ]


async def test_adding_at_once_adds_up(shop: Shop, cart_id: CartId) -> None:
    product_id = await a_product(shop)
    await asyncio.gather(*(shop.carts.add(cart_id, product_id, quantity=2) for _ in range(20)))
    assert await lines(shop, cart_id) == [(product_id, None, 40, Decimal("20.00"))]


@pytest.mark.parametrize("quantity", [0, -1, 100_001, 1.5, True, "2"])
async def test_a_quantity_out_of_bounds_is_refused(
    shop: Shop, cart_id: CartId, quantity: Any
) -> None:
    product_id = await a_product(shop)
    item_id = await shop.carts.add(cart_id, product_id)
    with pytest.raises(InvalidInputError, match="quantity"):
        await shop.carts.add(cart_id, product_id, quantity=quantity)
    with pytest.raises(InvalidInputError, match="quantity"):
        await shop.carts.set_quantity(cart_id, item_id, quantity)
    assert await lines(shop, cart_id) == [(product_id, None, 1, Decimal("20.00"))]


async def test_a_line_does_not_grow_above_the_bound(shop: Shop, cart_id: CartId) -> None:
    product_id = await a_product(shop)
    await shop.carts.add(cart_id, product_id, quantity=99_999)
    await shop.carts.add(cart_id, product_id, quantity=1)
    with pytest.raises(InvalidInputError, match="with what is in the cart"):
        await shop.carts.add(cart_id, product_id, quantity=1)
    assert await lines(shop, cart_id) == [(product_id, None, 100_000, Decimal("20.00"))]


async def test_what_is_not_for_sale_is_refused(shop: Shop, cart_id: CartId) -> None:
    closed = await a_product(shop, is_active=False)
    deleted = await a_product(shop)
    await run(shop, "UPDATE products SET deleted_at = now() WHERE id = %(id)s", id=deleted)
    sized = await a_product(shop)
    closed_variant = await a_variant(shop, sized, is_active=False)
    await a_variant(shop, sized)
    refused: list[tuple[ProductId, VariantId | None, str]] = [
        (closed, None, "not for sale"),
        (deleted, None, "not for sale"),
        (sized, closed_variant, "not for sale"),
        (sized, None, "variant missing"),
        (sized, VariantId(uuid4()), "no such variant"),
        (await a_product(shop), closed_variant, "no such variant"),
    ]
    before = await shop.carts.get(cart_id=cart_id)
    for product_id, variant_id, reason in refused:
        with pytest.raises(NotForSaleError, match=str(product_id)) as error:
            await shop.carts.add(cart_id, product_id, variant_id)
        found = error.value
        assert (found.product_id, found.variant_id, found.reason) == (
            product_id,
            variant_id,
            reason,
        )
    assert await shop.carts.get(cart_id=cart_id) == before


async def test_unknown_carts_products_and_lines_are_refused(shop: Shop, cart_id: CartId) -> None:
    product_id = await a_product(shop)
    item_id = await shop.carts.add(cart_id, product_id)
    elsewhere = await shop.carts.open(session_id="other")
    with pytest.raises(NotFoundError, match="no such cart:"):
        await shop.carts.add(CartId(uuid4()), product_id)
    with pytest.raises(NotFoundError, match="no such product"):
        await shop.carts.add(cart_id, ProductId(uuid4()))
    for cart, item in ((cart_id, CartItemId(uuid4())), (elsewhere, item_id)):
        with pytest.raises(NotFoundError, match="no such cart line"):
            await shop.carts.set_quantity(cart, item, 2)
        with pytest.raises(NotFoundError, match="no such cart line"):
            await shop.carts.remove(cart, item)
    assert await lines(shop, cart_id) == [(product_id, None, 1, Decimal("20.00"))]


async def test_setting_a_quantity_takes_the_price_of_now(shop: Shop, cart_id: CartId) -> None:
    product_id = await a_product(shop)
    variant_id = await a_variant(shop, product_id)
    item_id = await shop.carts.add(cart_id, product_id, variant_id)
    await run(shop, "UPDATE product_variants SET price = 31")
    await shop.carts.set_quantity(cart_id, item_id, 4)
    assert await lines(shop, cart_id) == [(product_id, variant_id, 4, Decimal("31.00"))]


async def test_removing_a_line_leaves_the_others(shop: Shop, cart_id: CartId) -> None:
    kept, gone = await a_product(shop), await a_product(shop)
    await shop.carts.add(cart_id, kept)
    item_id = await shop.carts.add(cart_id, gone)
    await shop.carts.remove(cart_id, item_id)
    assert [line[0] for line in await lines(shop, cart_id)] == [kept]


async def test_every_change_of_the_lines_shows_in_updated_at(shop: Shop, cart_id: CartId) -> None:
    async def updated_at() -> datetime:
        return (await shop.carts.get(cart_id=cart_id)).updated_at

    times = [await updated_at()]
    item_id = await shop.carts.add(cart_id, await a_product(shop))
    times.append(await updated_at())
    await shop.carts.set_quantity(cart_id, item_id, 3)
    times.append(await updated_at())
    await shop.carts.remove(cart_id, item_id)
    times.append(await updated_at())
    assert times == sorted(set(times))


async def test_a_cleared_cart_has_no_lines_and_keeps_its_coupon(
    shop: Shop, cart_id: CartId
) -> None:
    await a_coupon(shop, code="TEN")
    other = await shop.carts.open(session_id="other")
    for cart in (cart_id, other):
        await shop.carts.add(cart, await a_product(shop))
    await shop.carts.apply_coupon(cart_id, "TEN")
    before = await shop.carts.get(cart_id=cart_id)
    await shop.carts.clear(cart_id)
    await shop.carts.clear(cart_id)
    found = await shop.carts.get(cart_id=cart_id)
    assert (found.items, found.coupon_code) == ((), "TEN")
    assert found.updated_at > before.updated_at
    assert len(await lines(shop, other)) == 1
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.clear(CartId(uuid4()))


async def test_refreshed_prices_are_those_of_now(shop: Shop, cart_id: CartId) -> None:
    plain, same, sized = [await a_product(shop) for _ in range(3)]
    small = await a_variant(shop, sized)
    for product_id, variant_id in ((plain, None), (same, None), (sized, small)):
        await shop.carts.add(cart_id, product_id, variant_id)
    await run(shop, "UPDATE products SET price = 21 WHERE id = %(id)s", id=plain)
    await run(shop, "UPDATE product_variants SET price = 31")
    before = await shop.carts.get(cart_id=cart_id)
    assert [line.price_changed for line in before.items] == [True, False, True]
    assert await shop.carts.refresh_prices(cart_id) == 2
    assert [str(line[3]) for line in await lines(shop, cart_id)] == ["21.00", "20.00", "31.00"]
    after = await shop.carts.get(cart_id=cart_id)
    assert (after.subtotal, after.updated_at > before.updated_at) == (Decimal("72.00"), True)
    assert await shop.carts.refresh_prices(cart_id) == 0
    assert (await shop.carts.get(cart_id=cart_id)).updated_at == after.updated_at
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.refresh_prices(CartId(uuid4()))
