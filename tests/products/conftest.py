"""A shop in which every caller has a connection, and orders of its products."""

from collections.abc import AsyncIterator

import msgspec
import pytest

import shopflow
from shopflow import Shop
from shopflow.ids import OrderId, ProductId, UserId
from shopflow.settings import Settings
from tests.catalogue import inserted, run

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
    await run(
        shop,
        "UPDATE orders SET payment_status = %(payment_status)s WHERE id = %(id)s",
        payment_status=payment_status,
        id=order_id,
    )
    return OrderId(order_id)
