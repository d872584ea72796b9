"""Old carts go, and what is in use stays."""

import asyncio
from datetime import timedelta

import pytest

from shopflow import InvalidInputError, Shop
from shopflow.carts.expiry import OldCarts, count_old_carts, expire_carts
from shopflow.ids import CartId
from tests.catalogue import a_product, a_user, run


async def age(shop: Shop, cart_id: CartId, days: float) -> None:
    """Let a cart have been changed so long ago."""
    await run(
        shop,
        "ALTER TABLE carts DISABLE TRIGGER carts_set_updated_at;",
    )
    await run(
        shop,
        "UPDATE carts SET updated_at = now() - %(age)s WHERE id = %(id)s",
        age=timedelta(days=days),
        id=cart_id,
    )
    await run(shop, "ALTER TABLE carts ENABLE TRIGGER carts_set_updated_at;")


async def left(shop: Shop) -> set[CartId]:
    return {row[0] for row in await run(shop, "SELECT id FROM carts")}


async def test_guests_and_users_have_an_age_of_their_own(shop: Shop) -> None:
    product_id = await a_product(shop)
    old_guest, new_guest = [await shop.carts.open(session_id=name) for name in ("old", "new")]
    old_user, new_user = [await shop.carts.open(user_id=await a_user(shop)) for _ in range(2)]
    for cart_id, days in ((old_guest, 31), (new_guest, 29), (old_user, 101), (new_user, 99)):
        await shop.carts.add(cart_id, product_id)
        await age(shop, cart_id, days)
    assert await count_old_carts(shop.pool, guest_days=30) == OldCarts(carts=4, old=1)
    assert await shop.carts.expire(guest_days=30) == 1
    assert await left(shop) == {new_guest, old_user, new_user}
    assert await count_old_carts(shop.pool, guest_days=30, user_days=100) == OldCarts(3, 1)
    assert await shop.carts.expire(guest_days=30, user_days=100) == 1
    assert await left(shop) == {new_guest, new_user}
    assert await run(shop, "SELECT count(*) FROM cart_items") == [(2,)]
    assert await shop.carts.expire(guest_days=30, user_days=100) == 0


@pytest.mark.parametrize("batch", [1, 7, 20, 1000])
async def test_every_cart_is_looked_at_in_batches(shop: Shop, batch: int) -> None:
    carts = [await shop.carts.open(session_id=f"{number}") for number in range(20)]
    for cart_id in carts[::2]:
        await age(shop, cart_id, 10)
    seen: list[int] = []
    found = await expire_carts(shop.pool, guest_days=5, batch=batch, progress=seen.append)
    assert (found, await left(shop), sum(seen)) == (10, set(carts[1::2]), 20)
    assert max(seen) <= batch


async def test_what_is_being_changed_or_ordered_stays_and_nobody_waits(shop: Shop) -> None:
    product_id = await a_product(shop)
    used, unused = [await shop.carts.open(session_id=name) for name in ("used", "unused")]
    for cart_id in (used, unused):
        await age(shop, cart_id, 10)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM carts WHERE id = %s FOR NO KEY UPDATE", [used])
        assert await asyncio.wait_for(shop.carts.expire(guest_days=5), 10) == 1
    assert await left(shop) == {used}
    await shop.carts.add(used, product_id)
    assert await shop.carts.expire(guest_days=5) == 0


async def test_two_who_expire_at_once_share_the_work(shop: Shop) -> None:
    for number in range(30):
        await age(shop, await shop.carts.open(session_id=f"{number}"), 10)
    done = await asyncio.gather(*(expire_carts(shop.pool, guest_days=5, batch=3) for _ in range(4)))
    assert sum(done) == 30
    assert await left(shop) == set()


@pytest.mark.parametrize("days", [0, -1, 36_501])
async def test_an_age_that_cannot_be_is_refused(shop: Shop, days: int) -> None:
    await shop.carts.open(session_id="guest")
    for name, params in (
        ("guest_days", {"guest_days": days}),
        ("user_days", {"guest_days": 1, "user_days": days}),
    ):
        with pytest.raises(InvalidInputError, match=name):
            await shop.carts.expire(**params)
    assert len(await left(shop)) == 1
