"""Unpaid orders are cancelled in time, once, and never beside a payment."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

import shopflow
from shopflow import InvalidInputError, Shop
from shopflow.orders.errors import OrderStateError
from shopflow.orders.expiring import count_unpaid_orders, expire_unpaid_orders
from shopflow.orders.payments.intents import QUERIES as PAYMENT_QUERIES
from shopflow.orders.reading import QUERIES
from shopflow.settings import Settings
from tests.catalogue import inserted, run
from tests.orders.sales import Sale, a_sale, a_used_coupon, stock, uses
from tests.waiting import waiting

HOUR = timedelta(hours=1)
OLD = "61 minutes"


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    roomy = msgspec.structs.replace(settings, pool_max_size=20)
    async with shopflow.open(roomy) as found:
        yield found


async def status(shop: Shop, sale: Sale) -> str:
    return (await shop.orders.get(sale.id)).status


async def expirable(shop: Shop) -> int:
    async with shop.pool.connection() as connection:
        return await count_unpaid_orders(connection, HOUR)


async def pay(shop: Shop, sale: Sale) -> None:
    amount = (await shop.orders.get(sale.id)).total_amount
    await shop.orders.mark_paid(sale.id, amount=amount, method="transfer")


async def test_only_what_is_pending_and_old_is_cancelled(shop: Shop) -> None:
    old = await a_sale(shop, 2, status="pending", age=OLD)
    coupon = await a_used_coupon(shop, old)
    young = await a_sale(shop, 2, status="pending", age="59 minutes")
    confirmed = await a_sale(shop, 2, age=OLD)
    paid = await a_sale(shop, 2, status="pending", age=OLD)
    await pay(shop, paid)
    await a_sale(shop, 1, status="pending", age=OLD, discount_amount=20, total_amount=0)
    assert await expirable(shop) == 1
    assert await shop.orders.expire_unpaid(HOUR) == 1
    found = await shop.orders.get(old.id)
    last = found.status_history[-1]
    assert (last.status, last.notes, last.created_by) == ("cancelled", "not paid in time", None)
    assert [await status(shop, each) for each in (young, confirmed, paid)] == [
        "pending",
        "confirmed",
        "confirmed",
    ]
    assert (await stock(shop, old.products[0]), await uses(shop, coupon)) == (10, 0)
    assert await stock(shop, young.products[0]) == 8
    assert await shop.orders.expire_unpaid(HOUR) == await expirable(shop) == 0


@pytest.mark.parametrize(
    ("payment", "age", "cancelled"),
    [
        ("pending", "0 minutes", 0),
        ("pending", "31 minutes", 1),
        ("authorized", "0 minutes", 0),
        ("authorized", "31 minutes", 0),
        ("failed", "0 minutes", 1),
        ("voided", "0 minutes", 1),
    ],
)
async def test_a_payment_under_way_is_given_time(
    shop: Shop, payment: str, age: str, cancelled: int
) -> None:
    sale = await a_sale(shop, 1, status="pending", age=OLD)
    columns = {"order_id": sale.id, "amount": 20, "status": payment, "payment_method": "card"}
    await inserted(shop, "payments", columns)
    await run(shop, "UPDATE payments SET created_at = now() - %(age)s::interval", age=age)
    assert await expirable(shop) == cancelled
    assert await shop.orders.expire_unpaid(HOUR) == cancelled


async def test_batches_go_on_until_all_is_done(shop: Shop) -> None:
    sales = [await a_sale(shop, 1, status="pending", age=OLD) for _ in range(7)]
    assert await expire_unpaid_orders(shop.pool, HOUR, batch=3) == 7
    assert {await status(shop, sale) for sale in sales} == {"cancelled"}


async def test_several_runs_at_once_cancel_once_and_give_back_once(shop: Shop) -> None:
    sales = [await a_sale(shop, 2, 1, status="pending", age=OLD) for _ in range(20)]
    coupons = [await a_used_coupon(shop, sale) for sale in sales]
    # All of them hold pieces of the first one's goods, so that the runs meet in the stock.
    shared = sales[0].products[0]
    for sale in sales[1:]:
        await run(
            shop,
            "UPDATE order_items SET product_id = %(shared)s WHERE id = %(id)s",
            shared=shared,
            id=sale.lines[1],
        )
        movement = {"product_id": shared, "change": -1, "reason": "sale", "order_id": sale.id}
        await run(shop, "UPDATE products SET stock_quantity = stock_quantity + 1")
        await inserted(shop, "stock_movements", movement)
    before = await stock(shop, shared)
    runs = [expire_unpaid_orders(shop.pool, HOUR, batch=3) for _ in range(6)]
    done = await asyncio.gather(*runs)
    # A run ends when it finds less than a batch: what others held is theirs.
    assert sum(done) == 20
    assert await stock(shop, shared) == before + 2 + 19
    assert [await uses(shop, coupon) for coupon in coupons] == [0] * 20
    cancelled = "SELECT count(*) FROM order_status_history WHERE status = 'cancelled'"
    assert await run(shop, cancelled) == [(20,)]


async def test_an_order_that_is_being_paid_is_left_alone(shop: Shop) -> None:
    sale = await a_sale(shop, 1, status="pending", age=OLD)
    async with shop.pool.connection() as payer, payer.transaction():
        await PAYMENT_QUERIES["record_payment"].execute(
            payer,
            order_id=sale.id,
            amount=Decimal(20),
            method="card",
            card_brand=None,
            card_last_four=None,
        )
        await PAYMENT_QUERIES["confirm_paid_order"].execute(payer, order_id=sale.id)
        assert await shop.orders.expire_unpaid(HOUR) == 0
    assert await shop.orders.expire_unpaid(HOUR) == 0
    found = await shop.orders.get(sale.id)
    assert (found.status, found.payment_status) == ("confirmed", "paid")
    assert await stock(shop, sale.products[0]) == 9


async def test_a_payment_that_is_being_begun_saves_the_order(shop: Shop) -> None:
    """Its row is not visible yet, and does not change the order's: only its lock tells of it."""
    sale = await a_sale(shop, 1, status="pending", age=OLD)
    async with shop.pool.connection() as payer, payer.transaction():
        await payer.execute(
            "INSERT INTO payments (order_id, amount, payment_method) VALUES (%s, 20, 'card')",
            [sale.id],
        )
        assert await shop.orders.expire_unpaid(HOUR) == 0
    assert await shop.orders.expire_unpaid(HOUR) == 0
    assert await status(shop, sale) == "pending"


async def test_a_payment_waits_for_the_expiry_and_is_refused(shop: Shop) -> None:
    sale = await a_sale(shop, 1, status="pending", age=OLD)
    async with shop.pool.connection() as holder, holder.transaction():
        # The expiry holds the order and waits for its goods.
        await holder.execute("SELECT FROM products FOR UPDATE")
        expiring = asyncio.create_task(shop.orders.expire_unpaid(HOUR))
        await waiting(shop, 1)
        paying = asyncio.create_task(pay(shop, sale))
        await waiting(shop, 2)
    assert await expiring == 1
    with pytest.raises(OrderStateError, match="is cancelled and unpaid"):
        await paying
    assert await run(shop, "SELECT FROM payments") == []
    assert await stock(shop, sale.products[0]) == 10


async def test_a_payment_begun_just_before_the_lock_saves_the_order(shop: Shop) -> None:
    """It was committed after the search had looked at the payments, and before it locked."""
    sale = await a_sale(shop, 1, status="pending", age=OLD)
    async with shop.pool.connection() as connection, connection.transaction():
        grace = timedelta(minutes=30)
        columns = {"order_id": sale.id, "amount": 20, "payment_method": "card"}
        await inserted(shop, "payments", columns)
        params = {"orders": [sale.id], "grace": grace}
        assert await QUERIES["cancel_unpaid_orders"].execute(connection, **params) == 0
    assert await status(shop, sale) == "pending"


async def test_payments_and_expiries_at_once_leave_no_order_both(shop: Shop) -> None:
    sales = [await a_sale(shop, 1, status="pending", age=OLD) for _ in range(12)]
    paying = [pay(shop, sale) for sale in sales]
    expiring = [expire_unpaid_orders(shop.pool, HOUR, batch=2) for _ in range(3)]
    done = await asyncio.gather(*paying, *expiring, return_exceptions=True)
    paid, cancelled = done[:12], done[12:]
    assert all(isinstance(number, int) for number in cancelled)
    for sale, outcome in zip(sales, paid, strict=True):
        found = await shop.orders.get(sale.id)
        expected = ("confirmed", "paid") if outcome is None else ("cancelled", "unpaid")
        assert (found.status, found.payment_status) == expected
        assert outcome is None or isinstance(outcome, OrderStateError)
        assert await stock(shop, sale.products[0]) == (9 if outcome is None else 10)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("older_than", {"older_than": -HOUR}),
        ("grace", {"grace": -HOUR}),
        ("batch", {"batch": 0}),
        ("batch", {"batch": 1001}),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    shop: Shop, field: str, changes: dict[str, object]
) -> None:
    given: dict[str, object] = {"older_than": HOUR} | changes
    with pytest.raises(InvalidInputError, match=field):
        await expire_unpaid_orders(shop.pool, **given)  # type: ignore[arg-type]
