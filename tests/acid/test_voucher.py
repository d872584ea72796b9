"""ACIDRain, voucher: a coupon is used more often than it may, by phantoms or between transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection

from shopflow import Shop
from shopflow.ids import CartId, UserId
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import PlacedOrder
from shopflow.promotions.errors import CouponRefusedError, Reason
from tests.acid.conftest import ends, held, stopped
from tests.catalogue import a_coupon, a_product, a_user, run
from tests.orders.conftest import order
from tests.waiting import waiting

pytestmark = pytest.mark.usefixtures("patient")

USES = """
SELECT c.used_count, (SELECT count(*) FROM coupon_usage AS u WHERE u.coupon_id = c.id)
FROM coupons AS c
"""
# What somebody who sells by telephone writes.
USE = """
WITH sold AS (
    INSERT INTO orders (user_id, currency_code, subtotal, total_amount, customer_email)
    VALUES (%(user)s, 'USD', 0, 0, 'a@example.com') RETURNING id, user_id
)
INSERT INTO coupon_usage (coupon_id, order_id, user_id, discount_amount)
SELECT c.id, sold.id, sold.user_id, 0 FROM sold, coupons AS c
"""
SAME_KEY = """
INSERT INTO orders (
    currency_code, subtotal, total_amount, customer_email, idempotency_key, idempotency_fingerprint
)
VALUES ('USD', 0, 0, 'a@example.com', %(key)s, sha256(''))
"""
RULES = [
    ({"usage_limit": 1}, "used up", "coupons_used_within_limit"),
    ({"per_user_limit": 1}, "used up by you", "coupon_usage_within_user_limit"),
    ({"first_order_only": True}, "first order only", "coupon_usage_first_order_only"),
]


async def two_carts(shop: Shop) -> tuple[UserId, CartId, CartId]:
    """One user's cart and, since a user has one at a time, a second as psql could give them."""
    user_id = await a_user(shop)
    first = await shop.carts.open(user_id=user_id)
    await shop.carts.add(first, await a_product(shop))
    await shop.carts.apply_coupon(first, "CODE")
    stranger = await a_user(shop)
    second = await shop.carts.open(user_id=stranger)
    await shop.carts.add(second, await a_product(shop))
    await shop.carts.apply_coupon(second, "CODE")
    return user_id, first, second


async def placed_and_reordered(shop: Shop, cart_id: CartId) -> None:
    """Nothing is left in a cart that was ordered: fill it again."""
    await shop.carts.add(cart_id, await a_product(shop))
    await shop.carts.apply_coupon(cart_id, "CODE")


@asynccontextmanager
async def key_held(shop: Shop, checkout: Checkout) -> AsyncIterator[None]:
    """Have an order with this key under way, which comes to nothing when the block ends."""
    async with shop.pool.connection() as holder, holder.transaction(force_rollback=True):
        await holder.execute(SAME_KEY, {"key": checkout.idempotency_key})
        yield


async def test_two_programs_that_both_saw_the_last_use(shop: Shop, other: Shop) -> None:
    """Level-based, a phantom: neither sees the row that the other is about to write."""
    await a_coupon(shop, code="CODE", usage_limit=1)
    _, first, second = await two_carts(shop)
    async with held(shop, "coupons"):
        begun = await stopped(
            shop, shop.orders.place(order(first)), other.orders.place(order(second))
        )
    answers = await ends(*begun)
    assert [type(each) for each in answers] == [PlacedOrder, CouponRefusedError]
    assert await run(shop, USES) == [(1, 1)]


@pytest.mark.parametrize(("rule", "reason", "constraint"), RULES)
async def test_psql_uses_it_while_a_program_orders(
    shop: Shop,
    psql: AsyncConnection,
    rule: dict[str, object],
    reason: Reason,
    constraint: str,
) -> None:
    del constraint
    await a_coupon(shop, code="CODE", **rule)
    user_id, cart_id, _ = await two_carts(shop)
    await psql.execute(USE.encode(), {"user": user_id})
    (placing,) = await stopped(shop, shop.orders.place(order(cart_id)))
    await psql.commit()
    (answer,) = await ends(placing)
    assert isinstance(answer, CouponRefusedError)
    assert answer.reason == reason
    assert [uses for _, uses in await run(shop, USES)] == [1]
    assert len(await run(shop, "SELECT FROM orders")) == 1


@pytest.mark.parametrize(("rule", "reason", "constraint"), RULES)
async def test_a_program_orders_while_psql_uses_it(
    shop: Shop,
    psql: AsyncConnection,
    rule: dict[str, object],
    reason: Reason,
    constraint: str,
) -> None:
    """The database alone refuses the second."""
    del reason
    await a_coupon(shop, code="CODE", **rule)
    user_id, cart_id, _ = await two_carts(shop)
    checkout = order(cart_id)
    # Where the order stops when it has what this rule is kept by.
    limited = "usage_limit" in rule
    async with key_held(shop, checkout) if limited else held(shop, "products"):
        placing, using = await stopped(
            shop, shop.orders.place(checkout), psql.execute(USE.encode(), {"user": user_id})
        )
    placed, used = await ends(placing, using)
    assert isinstance(placed, PlacedOrder)
    assert isinstance(used, psycopg.errors.CheckViolation)
    assert used.diag.constraint_name == constraint
    await psql.rollback()
    assert [uses for _, uses in await run(shop, USES)] == [1]


async def test_a_coupon_that_applied_when_it_was_put_on(shop: Shop, other: Shop) -> None:
    """Scope-based: two transactions apart, it is used up by the time of the order."""
    await a_coupon(shop, code="CODE", usage_limit=1)
    _, first, second = await two_carts(shop)
    await shop.orders.place(order(first))
    with pytest.raises(CouponRefusedError) as refused:
        await other.orders.place(order(second))
    assert refused.value.reason == "used up"
    assert await run(shop, USES) == [(1, 1)]


async def test_a_use_is_given_back_once_by_whoever_cancels(
    shop: Shop, other: Shop, psql: AsyncConnection
) -> None:
    """Customer, staff, expiry and psql at once."""
    await a_coupon(shop, code="CODE", usage_limit=2)
    _, first, second = await two_carts(shop)
    placed = await shop.orders.place(order(first))
    await shop.orders.place(order(second))
    await run(
        shop,
        "UPDATE orders SET placed_at = now() - interval '2 hours' WHERE id = %(id)s",
        id=placed.id,
    )
    cancel = "UPDATE orders SET status = 'cancelled' WHERE id = %s"
    async with held(shop, "coupons"):
        begun = await stopped(
            shop,
            shop.orders.cancel(placed.id),
            other.orders.cancel(placed.id),
            psql.execute(cancel, [placed.id]),
        )
        assert await other.orders.expire_unpaid(timedelta(hours=1)) == 0
    await ends(*begun[:2])
    await ends(begun[2])
    await psql.commit()
    assert await other.orders.expire_unpaid(timedelta(hours=1)) == 0
    assert await run(shop, USES) == [(1, 1)]
    # And it can be used once more, not twice.
    await placed_and_reordered(shop, first)
    await shop.orders.place(order(first))
    await shop.carts.add(second, await a_product(shop))
    with pytest.raises(CouponRefusedError):
        await shop.carts.apply_coupon(second, "CODE")


async def test_a_limit_that_is_set_while_it_is_used_counts_that_use(
    shop: Shop, psql: AsyncConnection
) -> None:
    await a_coupon(shop, code="CODE")
    _, first, second = await two_carts(shop)
    async with held(shop, "products"):
        (placing,) = await stopped(shop, shop.orders.place(order(first)))
    await placing
    await psql.execute("UPDATE coupons SET usage_limit = 1")
    (late,) = await stopped(shop, shop.orders.place(order(second)))
    await psql.commit()
    (answer,) = await ends(late)
    assert isinstance(answer, CouponRefusedError)
    assert await run(shop, USES) == [(1, 1)]
    await waiting(shop, 0)
