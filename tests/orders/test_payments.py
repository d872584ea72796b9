"""Marking an order as paid, once."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId, UserId
from shopflow.orders.errors import OrderStateError
from shopflow.orders.models import PlacedOrder
from tests.catalogue import a_product, a_user, run
from tests.orders.conftest import Filled, order


@pytest.fixture
async def placed(shop: Shop, filled: Filled) -> PlacedOrder:
    return await shop.orders.place(order(await filled((await a_product(shop), None, 2))))


async def test_a_paid_order_is_confirmed_and_says_by_whom(shop: Shop, placed: PlacedOrder) -> None:
    actor = await a_user(shop)
    payment_id = await shop.orders.mark_paid(
        placed.id,
        amount=Decimal(40),
        method="card",
        card_brand="visa",
        card_last_four="4242",
        actor=actor,
    )
    found = await shop.orders.get(placed.id)
    assert (found.status, found.payment_status) == ("confirmed", "paid")
    (payment,) = found.payments
    assert (payment.id, payment.status, payment.method) == (payment_id, "captured", "card")
    assert (payment.amount, payment.captured_amount) == (Decimal("40.00"), Decimal("40.00"))
    assert (payment.card_brand, payment.card_last_four) == ("visa", "4242")
    assert payment.captured_at is not None
    last = found.status_history[-1]
    assert (last.status, last.notes, last.created_by) == ("confirmed", "paid by card", actor)


async def test_the_actor_of_one_change_is_not_that_of_the_next(
    shop: Shop, placed: PlacedOrder, filled: Filled
) -> None:
    await shop.orders.mark_paid(
        placed.id, amount=placed.total_amount, method="cash", actor=await a_user(shop)
    )
    cart_id = await filled((await a_product(shop), None, 1))
    other = await shop.orders.get((await shop.orders.place(order(cart_id))).id)
    assert [(h.notes, h.created_by) for h in other.status_history] == [(None, None)]


async def test_an_order_is_paid_once_by_however_many(shop: Shop, placed: PlacedOrder) -> None:
    calls = [
        shop.orders.mark_paid(placed.id, amount=placed.total_amount, method="transfer")
        for _ in range(16)
    ]
    done = await asyncio.gather(*calls, return_exceptions=True)
    errors = [each for each in done if isinstance(each, BaseException)]
    assert len(errors) == 15
    assert {type(error) for error in errors} == {OrderStateError}
    assert "confirmed and paid" in str(errors[0])
    assert await run(shop, "SELECT sum(captured_amount) FROM payments") == [(Decimal("40.00"),)]
    assert len((await shop.orders.get(placed.id)).status_history) == 2


async def test_a_cancelled_order_is_not_paid(shop: Shop, placed: PlacedOrder) -> None:
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    with pytest.raises(OrderStateError, match="cancelled and unpaid"):
        await shop.orders.mark_paid(placed.id, amount=placed.total_amount, method="card")
    assert await run(shop, "SELECT FROM payments") == []


async def test_another_amount_is_refused(shop: Shop, placed: PlacedOrder) -> None:
    with pytest.raises(InvalidInputError, match=r"amount: must be the order's total, 40\.00"):
        await shop.orders.mark_paid(placed.id, amount=Decimal("39.99"), method="card")
    assert (await shop.orders.get(placed.id)).status == "pending"


async def test_an_unknown_order_is_refused(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no such order"):
        await shop.orders.mark_paid(OrderId(uuid4()), amount=Decimal(1), method="card")


async def test_an_unknown_actor_is_refused(shop: Shop, placed: PlacedOrder) -> None:
    actor = UserId(uuid4())
    with pytest.raises(NotFoundError, match=f"no such user: {actor}"):
        await shop.orders.mark_paid(
            placed.id, amount=placed.total_amount, method="card", actor=actor
        )
    assert (await shop.orders.get(placed.id)).status == "pending"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", ""),
        ("method", "m" * 51),
        ("method", "card\0"),
        ("card_brand", "b" * 21),
        ("card_brand", "visa\0"),
        ("card_last_four", "4242424242424242"),
    ],
)
async def test_what_a_payment_cannot_hold_is_refused(
    shop: Shop, placed: PlacedOrder, field: str, value: str
) -> None:
    payment: dict[str, Any] = {"amount": placed.total_amount, "method": "card"} | {field: value}
    with pytest.raises(InvalidInputError) as refused:
        await shop.orders.mark_paid(placed.id, **payment)
    assert refused.value.field == field
    assert "4242424242424242" not in str(refused.value)
