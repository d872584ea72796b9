"""A shop in which every caller has a connection, and orders of its products."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

import shopflow
from shopflow import Shop
from shopflow.ids import OrderId, ProductId, UserId
from shopflow.settings import Settings
from tests.catalogue import inserted

CALLERS = 32


@pytest.fixture
async def roomy(settings: Settings) -> AsyncIterator[Shop]:
    """The shop, open with a connection for each of many callers."""
    large = msgspec.structs.replace(settings, pool_max_size=CALLERS + 1)
    async with shopflow.open(large) as found:
        yield found


async def an_order(
    shop: Shop, user_id: UserId, product_id: ProductId, *, payment_status: str = "unpaid"
) -> OrderId:
    """A user's order of a product, as bookkeeping would bring it in."""
    order_id = await inserted(
        shop,
        "orders",
        {
            "user_id": user_id,
            "currency_code": "EUR",
            "subtotal": 20,
            "total_amount": 20,
            "customer_email": "a@example.com",
        },
    )
    line = {
        "order_id": order_id,
        "product_id": product_id,
        "product_name": "P",
        "sku": "S",
        "quantity": 1,
        "unit_price": 20,
        "subtotal": 20,
    }
    await inserted(shop, "order_items", line)
    await pay(shop, order_id, payment_status)
    return OrderId(order_id)


REFUNDED = {"partially_refunded": 5, "refunded": 20}


async def pay(shop: Shop, order_id: UUID, payment_status: str) -> None:
    """The payment and refund that give an order of 20.00 this payment status."""
    if payment_status == "unpaid":
        return
    payment: dict[str, object] = {"order_id": order_id, "amount": 20, "payment_method": "card"}
    if payment_status == "authorized":
        payment |= {"status": "authorized"}
    else:
        payment |= {"status": "captured", "captured_amount": 20, "captured_at": datetime.now(UTC)}
    payment_id = await inserted(shop, "payments", payment)
    if amount := REFUNDED.get(payment_status):
        refund = {"payment_id": payment_id, "amount": amount, "status": "succeeded"}
        await inserted(shop, "refunds", refund)
