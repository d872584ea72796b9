"""A guest's cart becomes part of the user's, also while others change or order them."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.carts.errors import CartOwnerError
from shopflow.carts.models import Shortened
from shopflow.ids import CartId, UserId
from shopflow.orders.errors import EmptyCartError
from tests.catalogue import a_coupon, a_product, a_user, a_variant, run
from tests.orders.conftest import order
from tests.waiting import waiting

SESSION = "guest"


@pytest.fixture
async def user_id(shop: Shop) -> UserId:
    return await a_user(shop)


async def quantities(shop: Shop, user_id: UserId) -> list[tuple[object, object, int, Decimal]]:
    items = (await shop.carts.get(user_id=user_id)).items
    return [(line.product_id, line.variant_id, line.quantity, line.unit_price) for line in items]


async def test_lines_add_up_and_the_guests_cart_is_gone(shop: Shop, user_id: UserId) -> None:
    both, guests, users = [await a_product(shop, price=f"{n}.00") for n in (1, 2, 3)]
    sized = await a_product(shop)
    small, large = await a_variant(shop, sized), await a_variant(shop, sized)
    guest = await shop.carts.open(session_id=SESSION)
    user = await shop.carts.open(user_id=user_id)
    await shop.carts.add(user, both, quantity=2)
    await shop.carts.add(user, users)
    await shop.carts.add(user, sized, small, 1)
    for product_id, variant_id in ((both, None), (guests, None), (sized, small), (sized, large)):
        await shop.carts.add(guest, product_id, variant_id, 3)
    await run(shop, "UPDATE products SET price = 1.50 WHERE id = %(id)s", id=both)

    merged = await shop.carts.merge(session_id=SESSION, user_id=user_id)

    assert (merged.cart_id, merged.shortened) == (user, ())
    assert await quantities(shop, user_id) == [
        (both, None, 5, Decimal("1.50")),
        (users, None, 1, Decimal("3.00")),
        (sized, small, 4, Decimal("30.00")),
        (guests, None, 3, Decimal("2.00")),
        (sized, large, 3, Decimal("30.00")),
    ]
    with pytest.raises(NotFoundError):
        await shop.carts.get(cart_id=guest)
    before = await run(
        shop, "SELECT xmin::text FROM carts UNION ALL SELECT xmin::text FROM cart_items"
    )
    again = await shop.carts.merge(session_id=SESSION, user_id=user_id)
    after = await run(
        shop, "SELECT xmin::text FROM carts UNION ALL SELECT xmin::text FROM cart_items"
    )
    assert (again, after) == (merged, before)


async def test_a_user_without_cart_gets_one(shop: Shop, user_id: UserId) -> None:
    product_id = await a_product(shop)
    await shop.carts.add(await shop.carts.open(session_id=SESSION), product_id, quantity=2)
    merged = await shop.carts.merge(session_id=SESSION, user_id=user_id)
    assert (await shop.carts.get(user_id=user_id)).id == merged.cart_id
    assert await quantities(shop, user_id) == [(product_id, None, 2, Decimal("20.00"))]
    assert await run(shop, "SELECT count(*) FROM carts") == [(1,)]


async def test_quantities_add_up_to_what_can_be_bought(shop: Shop, user_id: UserId) -> None:
    scarce = await a_product(shop, sku="SCARCE", stock_quantity=4)
    short = await a_product(shop, sku="SHORT", stock_quantity=2)
    sold_out = await a_product(shop, sku="OUT", stock_quantity=0)
    closed = await a_product(shop, sku="CLOSED")
    grown = await a_product(shop, sku="GROWN")
    endless = await a_product(shop, sku="FILE", track_inventory=False, stock_quantity=0)
    user = await shop.carts.open(user_id=user_id)
    guest = await shop.carts.open(session_id=SESSION)
    await shop.carts.add(user, scarce, quantity=3)
    await shop.carts.add(user, short, quantity=5)
    await shop.carts.add(user, endless, quantity=60_000)
    for product_id in (scarce, short, sold_out, closed, grown):
        await shop.carts.add(guest, product_id, quantity=3)
    await shop.carts.add(guest, endless, quantity=60_000)
    await run(shop, "UPDATE products SET is_active = false WHERE sku = 'CLOSED'")
    await a_variant(shop, grown)

    merged = await shop.carts.merge(session_id=SESSION, user_id=user_id)

    assert merged.shortened == (
        Shortened(scarce, None, "SCARCE", 6, 4),
        Shortened(short, None, "SHORT", 8, 5),
        Shortened(sold_out, None, "OUT", 3, 0),
        Shortened(closed, None, "CLOSED", 3, 0),
        Shortened(grown, None, "GROWN", 3, 0),
        Shortened(endless, None, "FILE", 120_000, 100_000),
    )
    found = {line[0]: line[2] for line in await quantities(shop, user_id)}
    assert found == {scarce: 4, short: 5, endless: 100_000}


@pytest.mark.parametrize(
    ("users", "guests", "left"),
    [("ONE", "TWO", "ONE"), (None, "TWO", "TWO"), ("ONE", None, "ONE"), (None, None, None)],
)
async def test_the_users_coupon_stays_or_the_guests_comes(
    shop: Shop, user_id: UserId, users: str | None, guests: str | None, left: str | None
) -> None:
    product_id = await a_product(shop)
    for each in ("ONE", "TWO"):
        await a_coupon(shop, code=each)
    carts = await shop.carts.open(user_id=user_id), await shop.carts.open(session_id=SESSION)
    for cart_id, code in zip(carts, (users, guests), strict=True):
        await shop.carts.add(cart_id, product_id)
        if code:
            await shop.carts.apply_coupon(cart_id, code)
    await shop.carts.merge(session_id=SESSION, user_id=user_id)
    assert (await shop.carts.get(user_id=user_id)).coupon_code == left


async def test_only_a_guests_cart_is_taken(shop: Shop, user_id: UserId) -> None:
    other = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(other, await a_product(shop))
    await run(shop, "UPDATE carts SET session_id = %(session)s", session=SESSION)
    await shop.carts.merge(session_id=SESSION, user_id=user_id)
    assert len((await shop.carts.get(cart_id=other)).items) == 1
    assert await quantities(shop, user_id) == []


@pytest.mark.parametrize("session_id", ["", "secret" * 50, "secret\0"])
async def test_a_session_id_that_cannot_be_is_refused_unseen(
    shop: Shop, user_id: UserId, session_id: str
) -> None:
    with pytest.raises(InvalidInputError, match="session_id") as refused:
        await shop.carts.merge(session_id=session_id, user_id=user_id)
    assert "secret" not in str(refused.value)


async def test_a_user_who_is_not_there_gets_nothing(shop: Shop, user_id: UserId) -> None:
    guest = await shop.carts.open(session_id=SESSION)
    await shop.carts.add(guest, await a_product(shop))
    await run(shop, "UPDATE users SET deleted_at = now()")
    for nobody in (user_id, UserId(uuid4())):
        with pytest.raises(CartOwnerError):
            await shop.carts.merge(session_id=SESSION, user_id=nobody)
    assert len((await shop.carts.get(cart_id=guest)).items) == 1


async def test_merged_by_many_at_once_it_is_merged_once(shop: Shop, user_id: UserId) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    await shop.carts.add(await shop.carts.open(session_id=SESSION), product_id, quantity=2)
    await shop.carts.add(await shop.carts.open(user_id=user_id), product_id, quantity=1)
    merges = (shop.carts.merge(session_id=SESSION, user_id=user_id) for _ in range(16))
    assert len(set(await asyncio.gather(*merges))) == 1
    assert await quantities(shop, user_id) == [(product_id, None, 3, Decimal("20.00"))]


async def test_two_who_sign_in_with_one_session_share_nothing(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    users = [await a_user(shop) for _ in range(6)]
    guest = await shop.carts.open(session_id=SESSION)
    await shop.carts.add(guest, product_id, quantity=2)
    await asyncio.gather(*(shop.carts.merge(session_id=SESSION, user_id=u) for u in users))
    assert await run(shop, "SELECT sum(quantity) FROM cart_items") == [(2,)]


async def test_sessions_of_one_user_merged_at_once_all_arrive(shop: Shop, user_id: UserId) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    for number in range(8):
        guest = await shop.carts.open(session_id=f"{number}")
        await shop.carts.add(guest, product_id, quantity=2)
    await asyncio.gather(
        *(shop.carts.merge(session_id=f"{number}", user_id=user_id) for number in range(8))
    )
    assert await quantities(shop, user_id) == [(product_id, None, 16, Decimal("20.00"))]
    assert await run(shop, "SELECT count(*) FROM carts") == [(1,)]


async def beside(
    shop: Shop, other: Callable[[CartId], Awaitable[object]], user_id: UserId, *, first: str
) -> tuple[object, object]:
    """Merge while `other` changes the guest's cart, one of them first; what both say."""
    guest = (await shop.carts.get(session_id=SESSION)).id

    async def start(name: str) -> object:
        if name == "merge":
            return await shop.carts.merge(session_id=SESSION, user_id=user_id)
        return await other(guest)

    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM carts WHERE id = %(id)s FOR UPDATE", {"id": guest})
        names = ["merge", "other"] if first == "merge" else ["other", "merge"]
        running = {}
        for number, name in enumerate(names, 1):
            running[name] = asyncio.create_task(start(name))
            await waiting(shop, number)
    merged, done = await asyncio.gather(running["merge"], running["other"], return_exceptions=True)
    return merged, done


@pytest.mark.parametrize("first", ["merge", "other"])
async def test_a_line_added_meanwhile_is_merged_or_refused(
    shop: Shop, user_id: UserId, first: str
) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    await shop.carts.add(await shop.carts.open(session_id=SESSION), product_id, quantity=2)
    merged, added = await beside(
        shop, lambda guest: shop.carts.add(guest, product_id, quantity=5), user_id, first=first
    )
    assert not isinstance(merged, BaseException)
    if first == "merge":
        assert isinstance(added, NotFoundError)
    left = 2 if first == "merge" else 7
    assert await quantities(shop, user_id) == [(product_id, None, left, Decimal("20.00"))]


@pytest.mark.parametrize("first", ["merge", "other"])
async def test_what_is_ordered_meanwhile_is_not_in_the_cart_again(
    shop: Shop, user_id: UserId, first: str
) -> None:
    product_id = await a_product(shop, stock_quantity=100)
    await shop.carts.add(await shop.carts.open(session_id=SESSION), product_id, quantity=2)
    merged, placed = await beside(
        shop, lambda guest: shop.orders.place(order(guest)), user_id, first=first
    )
    assert not isinstance(merged, BaseException)
    if first == "merge":
        assert isinstance(placed, NotFoundError | EmptyCartError)
    ordered = await run(shop, "SELECT coalesce(sum(quantity), 0) FROM order_items")
    carried = sum(line[2] for line in await quantities(shop, user_id))
    assert (ordered[0][0], carried) == ((0, 2) if first == "merge" else (2, 0))


async def test_a_product_deleted_meanwhile_is_left_out(shop: Shop, user_id: UserId) -> None:
    gone, kept = await a_product(shop), await a_product(shop)
    guest = await shop.carts.open(session_id=SESSION)
    await shop.carts.add(guest, gone)
    await shop.carts.add(guest, kept)
    async with shop.pool.connection() as deleter, deleter.transaction():
        await deleter.execute("UPDATE products SET deleted_at = now() WHERE id = %s", [gone])
        merging = asyncio.create_task(shop.carts.merge(session_id=SESSION, user_id=user_id))
        await waiting(shop, 1)
    assert not (await merging).shortened
    assert [line[0] for line in await quantities(shop, user_id)] == [kept]


async def test_the_deletion_of_the_user_waits_and_takes_all(shop: Shop, user_id: UserId) -> None:
    product_id = await a_product(shop)
    await shop.carts.add(await shop.carts.open(session_id=SESSION), product_id)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM products FOR UPDATE")
        merging = asyncio.create_task(shop.carts.merge(session_id=SESSION, user_id=user_id))
        await waiting(shop, 1)
        deleting = asyncio.create_task(run(shop, "UPDATE users SET deleted_at = now()"))
        await waiting(shop, 2)
    await asyncio.gather(merging, deleting)
    assert await run(shop, "SELECT FROM carts") == []
