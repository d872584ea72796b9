"""Lists of orders: whose and in which state, newest first, every one on one page."""

from base64 import urlsafe_b64encode
from decimal import Decimal

import pytest

from shopflow import InvalidInputError, Shop
from shopflow.orders.listing import OrderSummary
from shopflow.postgres.queries import timings
from tests.catalogue import a_user, run
from tests.orders.sales import a_sale


async def test_my_orders_are_mine_newest_first(shop: Shop) -> None:
    ann, bob = await a_user(shop), await a_user(shop)
    old = await a_sale(shop, 1, user_id=ann, age="2 days")
    new = await a_sale(shop, 2, 3, user_id=ann, status="pending")
    await a_sale(shop, 1, user_id=bob)
    await a_sale(shop, 1)
    page = await shop.orders.list(user_id=ann)
    assert [order.id for order in page.orders] == [new.id, old.id]
    assert page.next_cursor is None
    whole = await shop.orders.get(new.id)
    assert page.orders[0] == OrderSummary(
        id=new.id,
        user_id=ann,
        order_number=whole.order_number,
        status="pending",
        payment_status="unpaid",
        fulfillment_status="unfulfilled",
        currency_code="EUR",
        total_amount=Decimal("100.00"),
        customer_email="guest@example.com",
        pieces=5,
        placed_at=whole.placed_at,
    )
    assert [o.id for o in (await shop.orders.list(user_id=ann, status="confirmed")).orders] == [
        old.id
    ]
    assert len((await shop.orders.list(status="confirmed")).orders) == 3
    assert len((await shop.orders.list()).orders) == 4


async def test_every_order_is_on_one_page_however_many_come_meanwhile(shop: Shop) -> None:
    # Of the same moment: their ids tell them apart.
    sales = [(await a_sale(shop, 1, status="pending")).id for _ in range(7)]
    await run(shop, "UPDATE orders SET placed_at = '2026-01-01 00:00:00.123456+00'")
    seen, cursor = [], None
    for _ in range(4):
        before = timings()["list_orders"].executions if "list_orders" in timings() else 0
        page = await shop.orders.list(after=cursor, limit=2)
        assert timings()["list_orders"].executions - before == 1
        seen += [order.id for order in page.orders]
        cursor = page.next_cursor
        await run(
            shop,
            "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
            " VALUES ('EUR', 0, 0, 'a@x')",
        )
    assert cursor is None
    assert seen == sorted(sales, reverse=True)


async def test_no_order_is_an_empty_page(shop: Shop) -> None:
    page = await shop.orders.list()
    assert (page.orders, page.next_cursor) == ((), None)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "a b",
        urlsafe_b64encode(
            b'["2026-01-01T00:00:00","0199a0a0-0000-7000-8000-000000000000"]'
        ).decode(),
        urlsafe_b64encode(b'["2026-01-01T00:00:00Z"]').decode(),
        urlsafe_b64encode(b'["\\ud800"]').decode(),
    ],
)
async def test_what_is_no_cursor_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(InvalidInputError, match="after"):
        await shop.orders.list(after=cursor)


async def test_limit_and_status_are_checked(shop: Shop) -> None:
    for limit in (0, 101):
        with pytest.raises(InvalidInputError, match="limit"):
            await shop.orders.list(limit=limit)
    with pytest.raises(InvalidInputError, match="status"):
        await shop.orders.list(status="gone")  # type: ignore[arg-type]
