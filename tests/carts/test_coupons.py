"""A coupon on a cart and off it."""

import asyncio
from uuid import uuid4

import pytest

from shopflow import NotFoundError, Shop
from shopflow.ids import CartId
from shopflow.orders.errors import EmptyCartError
from shopflow.promotions.errors import CouponRefusedError
from tests.catalogue import a_coupon, a_product, a_user, run
from tests.waiting import waiting


@pytest.fixture
async def cart_id(shop: Shop) -> CartId:
    """A guest's cart of 20.00."""
    found = await shop.carts.open(session_id="guest")
    await shop.carts.add(found, await a_product(shop, price="20.00"))
    return found


async def on(shop: Shop, cart_id: CartId) -> str | None:
    return (await shop.carts.get(cart_id=cart_id)).coupon_code


@pytest.mark.parametrize("typed", ["Welcome", "WELCOME", " welcome "])
async def test_a_code_is_taken_however_it_is_written(
    shop: Shop, cart_id: CartId, typed: str
) -> None:
    coupon_id = await a_coupon(shop, code="Welcome")
    await shop.carts.apply_coupon(cart_id, typed)
    cart = await shop.carts.get(cart_id=cart_id)
    assert (cart.coupon_id, cart.coupon_code) == (coupon_id, "Welcome")


async def test_another_code_takes_its_place_and_none_is_none(shop: Shop, cart_id: CartId) -> None:
    await a_coupon(shop, code="ONE")
    await a_coupon(shop, code="TWO")
    await shop.carts.apply_coupon(cart_id, "one")
    await shop.carts.apply_coupon(cart_id, "two")
    assert await on(shop, cart_id) == "TWO"
    await shop.carts.remove_coupon(cart_id)
    assert await on(shop, cart_id) is None
    before = await run(shop, "SELECT xmin::text, updated_at FROM carts")
    await shop.carts.remove_coupon(cart_id)
    assert await run(shop, "SELECT xmin::text, updated_at FROM carts") == before


async def test_what_does_not_apply_is_refused_and_the_other_stays(
    shop: Shop, cart_id: CartId
) -> None:
    await a_coupon(shop, code="GOOD")
    await a_coupon(shop, code="OVER", expires_at="2001-01-01")
    await a_coupon(shop, code="LARGE", min_order="20.01")
    await a_coupon(shop, code="MEMBER", per_user_limit=1)
    await shop.carts.apply_coupon(cart_id, "GOOD")
    for code, reason in (("OVER", "expired"), ("large", "below minimum"), ("MEMBER", "sign in")):
        with pytest.raises(CouponRefusedError) as refused:
            await shop.carts.apply_coupon(cart_id, code)
        assert (refused.value.reason, refused.value.code) == (reason, code.upper())
    for code in ("NONE", "", "\0", "\ud800"):
        with pytest.raises(NotFoundError, match="no such coupon"):
            await shop.carts.apply_coupon(cart_id, code)
    assert await on(shop, cart_id) == "GOOD"


async def test_a_user_can_use_what_a_guest_cannot(shop: Shop) -> None:
    await a_coupon(shop, code="FIRST", first_order_only=True)
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(cart_id, await a_product(shop))
    await shop.carts.apply_coupon(cart_id, "FIRST")
    assert await on(shop, cart_id) == "FIRST"


async def test_an_empty_or_unknown_cart_has_no_coupon(shop: Shop) -> None:
    await a_coupon(shop, code="GOOD")
    empty = await shop.carts.open(session_id="guest")
    with pytest.raises(EmptyCartError):
        await shop.carts.apply_coupon(empty, "GOOD")
    assert await on(shop, empty) is None
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.apply_coupon(CartId(uuid4()), "GOOD")
    with pytest.raises(NotFoundError, match="no such cart"):
        await shop.carts.remove_coupon(CartId(uuid4()))


async def test_it_is_tried_on_the_cart_as_it_is_once_its_lock_is_had(
    shop: Shop, cart_id: CartId
) -> None:
    await a_coupon(shop, code="LARGE", min_order="20.00")
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM carts FOR UPDATE")
        await holder.execute("DELETE FROM cart_items")
        applying = asyncio.create_task(shop.carts.apply_coupon(cart_id, "LARGE"))
        await waiting(shop, 1)
    with pytest.raises(EmptyCartError):
        await applying
    assert await on(shop, cart_id) is None
