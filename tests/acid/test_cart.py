"""ACIDRain, cart: what is paid for is not what is sent, since the cart changes during the checkout."""

import asyncio
from decimal import Decimal

import pytest
from psycopg import AsyncConnection

from shopflow import NotFoundError, Shop
from shopflow.orders.errors import EmptyCartError, PriceChangedError
from shopflow.orders.models import PlacedOrder
from tests.acid.conftest import ends, held, stopped
from tests.catalogue import a_coupon, a_product, a_shipping_method, a_user, run
from tests.orders.conftest import Filled, order
from tests.waiting import waiting

pytestmark = pytest.mark.usefixtures("patient")

ADD = "INSERT INTO cart_items (cart_id, product_id, quantity, unit_price) VALUES (%s, %s, 3, 0.01)"
MORE = "UPDATE cart_items SET quantity = 4 WHERE cart_id = %s"
GONE = "DELETE FROM cart_items WHERE cart_id = %s AND product_id = %s"
SOLD = "SELECT product_id, quantity FROM order_items ORDER BY quantity, product_id"
PAID = """
SELECT o.total_amount, sum(i.quantity * i.unit_price)
FROM orders AS o JOIN order_items AS i ON i.order_id = o.id GROUP BY o.id
"""


# The cart was priced at 20.00, of one piece.
CHANGES = {
    "a line is added": (ADD, Decimal("320.00")),
    "there is more of it": (MORE, Decimal("80.00")),
    "the coupon comes": ("UPDATE carts SET coupon_id = (SELECT id FROM coupons)", Decimal("18.00")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("agreed", [False, True])
async def test_the_cart_changes_after_it_was_priced(
    shop: Shop, psql: AsyncConnection, filled: Filled, change: str, *, agreed: bool
) -> None:
    """Between the pricing and the writing: it is priced again, or refused with the difference."""
    await a_coupon(shop)
    cart_id = await filled((await a_product(shop), None, 1))
    dear = await a_product(shop, price="100.00")
    # It is priced without a lock, and then waits for the cart.
    await psql.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", [cart_id])
    expected = Decimal("20.00") if agreed else None
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id, expected_total=expected)))
    statement, total = CHANGES[change]
    given = [cart_id, dear][: statement.count("%s")]
    await psql.execute(statement.encode(), given)
    await psql.commit()
    (answer,) = await ends(placing)
    if agreed:
        assert isinstance(answer, PriceChangedError)
        assert (answer.expected, answer.actual) == (Decimal("20.00"), total)
        assert await run(shop, "SELECT FROM orders") == []
    else:
        assert isinstance(answer, PlacedOrder)
        assert answer.total_amount == total
        ((_, lines),) = await run(shop, PAID)
        assert lines == (Decimal("20.00") if "coupon" in change else total)


async def test_what_leaves_the_cart_after_it_was_priced_is_not_ordered(
    shop: Shop, psql: AsyncConnection, filled: Filled
) -> None:
    stays, goes = await a_product(shop), await a_product(shop)
    cart_id = await filled((stays, None, 1), (goes, None, 2))
    await psql.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", [cart_id])
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id)))
    await psql.execute(GONE, [cart_id, goes])
    await psql.commit()
    assert (await placing).total_amount == Decimal("20.00")
    assert await run(shop, SOLD) == [(stays, 1)]


@pytest.mark.parametrize("price", ["25.00", "15.00"])
@pytest.mark.parametrize("agreed", [False, True])
async def test_the_price_changes_after_it_was_read(
    shop: Shop, psql: AsyncConnection, filled: Filled, price: str, *, agreed: bool
) -> None:
    cart_id = await filled((await a_product(shop), None, 2))
    await psql.execute("UPDATE products SET price = %s", [Decimal(price)])
    expected = Decimal("40.00") if agreed else None
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id, expected_total=expected)))
    await psql.commit()
    (answer,) = await ends(placing)
    if agreed:
        assert isinstance(answer, PriceChangedError)
        assert await run(shop, "SELECT FROM orders") == []
    else:
        assert isinstance(answer, PlacedOrder)
        assert await run(shop, PAID) == [(2 * Decimal(price), 2 * Decimal(price))]


async def test_a_line_from_psql_waits_for_the_checkout_and_is_paid_for_by_the_next(
    shop: Shop, psql: AsyncConnection, filled: Filled
) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    later = await a_product(shop, price="100.00")
    async with held(shop, "products"):
        placing, adding = await stopped(
            shop, shop.orders.place(order(cart_id)), psql.execute(ADD, [cart_id, later])
        )
    placed, _ = await ends(placing, adding)
    assert isinstance(placed, PlacedOrder)
    assert placed.total_amount == Decimal("20.00")
    await psql.commit()
    assert [item.quantity for item in (await shop.carts.get(cart_id=cart_id)).items] == [3]
    second = await shop.orders.place(order(cart_id))
    assert second.total_amount == Decimal("300.00")


async def test_a_quantity_from_psql_is_ordered_or_stays(
    shop: Shop, psql: AsyncConnection, filled: Filled
) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    await psql.execute(MORE, [cart_id])
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id)))
    await psql.commit()
    await placing
    left = await run(shop, "SELECT quantity FROM cart_items")
    assert await run(shop, "SELECT quantity FROM order_items") == [(4,)] or left == [(4,)]


async def test_one_cart_by_two_programs_and_two_keys_is_one_order(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    product_id = await a_product(shop)
    cart_id = await filled((product_id, None, 2))
    async with held(shop, "products"):
        begun = await stopped(
            shop, shop.orders.place(order(cart_id)), other.orders.place(order(cart_id))
        )
    answers = await ends(*begun)
    assert [type(each) for each in answers] == [PlacedOrder, EmptyCartError]
    assert await run(shop, SOLD) == [(product_id, 2)]


async def test_one_key_by_two_programs_is_one_order(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    """The retry arrives at another program while the first try is still under way."""
    checkout = order(await filled((await a_product(shop), None, 2)))
    async with held(shop, "products"):
        begun = await stopped(shop, shop.orders.place(checkout), other.orders.place(checkout))
    first, second = await ends(*begun)
    assert first == second
    assert await run(shop, "SELECT count(*), sum(quantity) FROM order_items") == [(1, 2)]


async def test_a_retry_is_not_refused_while_the_first_try_may_succeed(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    cart_id = await filled((await a_product(shop), None, 2))
    checkout = order(cart_id, shipping_method_id=await a_shipping_method(shop))
    async with held(shop, "products"):
        (first,) = await stopped(shop, shop.orders.place(checkout))
        # Priced by now, the order is refused.
        await run(shop, "UPDATE shipping_methods SET is_active = false")
        second = asyncio.create_task(other.orders.place(checkout))
        # It ends now, or waits for the first one.
        await asyncio.wait([second], timeout=1)
    answers = await ends(first, second)
    # Both have the order, or both were refused and there is none.
    orders = await run(shop, "SELECT id FROM orders")
    assert [type(each) for each in answers] == [PlacedOrder if orders else NotFoundError] * 2
    assert {each.id for each in answers if isinstance(each, PlacedOrder)} == {
        found for (found,) in orders
    }


async def test_a_guests_cart_merged_by_two_programs_is_merged_once(shop: Shop, other: Shop) -> None:
    product_id, user_id = await a_product(shop), await a_user(shop)
    guest = await shop.carts.open(session_id="guest")
    await shop.carts.add(guest, product_id, quantity=2)
    mine = await shop.carts.open(user_id=user_id)
    await shop.carts.add(mine, product_id)
    async with held(shop, "carts"):
        begun = await stopped(
            shop,
            shop.carts.merge(session_id="guest", user_id=user_id),
            other.carts.merge(session_id="guest", user_id=user_id),
        )
    await ends(*begun)
    assert await run(shop, "SELECT cart_id, quantity FROM cart_items") == [(mine, 3)]


async def test_a_guests_cart_that_is_ordered_while_it_is_merged_is_one_of_both(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    product_id, user_id = await a_product(shop), await a_user(shop)
    guest = await shop.carts.open(session_id="guest")
    await shop.carts.add(guest, product_id, quantity=2)
    async with held(shop, f"carts WHERE id = '{guest}'"):
        merging, placing = await stopped(
            shop,
            shop.carts.merge(session_id="guest", user_id=user_id),
            other.orders.place(order(guest)),
        )
    merged, placed = await ends(merging, placing)
    assert not isinstance(merged, BaseException)
    assert isinstance(placed, (PlacedOrder, NotFoundError))
    pieces = await run(
        shop,
        "SELECT coalesce((SELECT sum(quantity) FROM cart_items), 0)"
        " + coalesce((SELECT sum(quantity) FROM order_items), 0)",
    )
    assert pieces == [(2,)]


async def test_two_who_change_one_line_lose_nothing(
    shop: Shop, other: Shop, filled: Filled
) -> None:
    """A lost update: both have read a quantity of one."""
    product_id = await a_product(shop)
    cart_id = await filled((product_id, None, 1))
    async with held(shop, "carts"):
        begun = await stopped(
            shop, shop.carts.add(cart_id, product_id), other.carts.add(cart_id, product_id)
        )
    await ends(*begun)
    assert await run(shop, "SELECT quantity FROM cart_items") == [(3,)]
    await waiting(shop, 0)
