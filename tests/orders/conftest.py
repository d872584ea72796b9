"""Carts that are ready to be ordered."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest

from shopflow import Shop
from shopflow.ids import CartId, ProductId, VariantId
from shopflow.orders.addresses import Address
from shopflow.orders.checkout import Checkout

_numbers = count(1)
Line = tuple[ProductId, VariantId | None, int]
Filled = Callable[..., Awaitable[CartId]]
Order = Callable[..., Checkout]

BERLIN = Address(
    first_name="Ann",
    last_name="Archer",
    address_line_1="Unter den Linden 1",
    city="Berlin",
    postal_code="10117",
    country_code="DE",
)


def order(cart_id: CartId, **changes: object) -> Checkout:
    """A guest's order of this cart, under a key of its own."""
    defaults: dict[str, Any] = {
        "idempotency_key": f"key-{next(_numbers)}",
        "shipping_address": BERLIN,
        "customer_email": "guest@example.com",
    }
    return Checkout(cart_id=cart_id, **(defaults | changes))


@pytest.fixture
def filled(shop: Shop) -> Filled:
    """A guest's cart with these lines."""

    async def fill(*lines: Line) -> CartId:
        cart_id = await shop.carts.open(session_id=f"guest-{next(_numbers)}")
        for line in lines:
            await shop.carts.add(cart_id, *line)
        return cart_id

    return fill
