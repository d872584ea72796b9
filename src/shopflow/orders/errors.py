"""What placing and paying an order refuses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import msgspec

from shopflow.errors import ConstraintViolatedError, ShopflowError
from shopflow.ids import ProductId, VariantId
from shopflow.postgres import failures


class Shortage(msgspec.Struct, frozen=True):
    """A line that cannot be filled; `available` is 0 for what is no longer for sale."""

    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    wanted: int
    available: int


class PriceChange(msgspec.Struct, frozen=True):
    """A line whose product costs another price than when it was put into the cart."""

    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    cart_price: Decimal
    unit_price: Decimal


class OutOfStockError(ShopflowError):
    """There is less in stock than the cart asks for; nothing was ordered.

    Attributes:
        shortages: every line at fault.
    """

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        listed = "; ".join(f"{s.sku}: {s.wanted} wanted, {s.available} left" for s in shortages)
        super().__init__(f"not enough in stock, nothing was ordered: {listed}")
        self.shortages = tuple(shortages)


class EmptyCartError(ShopflowError):
    """There is nothing in the cart to order."""


class PriceChangedError(ShopflowError):
    """The order comes to another total than the caller expected; nothing was ordered.

    Attributes:
        expected: what the caller expected.
        actual: what it comes to now.
        price_changes: the lines whose price is another one than when they were put into the cart.
    """

    def __init__(
        self, expected: Decimal, actual: Decimal, price_changes: Sequence[PriceChange] = ()
    ) -> None:
        super().__init__(
            f"the order comes to {actual}, not {expected}: show it to the customer and try again"
        )
        self.expected = expected
        self.actual = actual
        self.price_changes = tuple(price_changes)


class OrderStateError(ShopflowError):
    """The order is in a state that does not allow this."""


class IdempotencyKeyTakenError(ShopflowError):
    """Another request has placed an order with this idempotency key; nothing was ordered.

    Attributes:
        idempotency_key: the key.
    """

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            f"idempotency key {idempotency_key!r} has been used for another order, nothing was"
            " ordered: a new order needs a new key"
        )
        self.idempotency_key = idempotency_key


KEY_TAKEN = "orders_idempotency_key_key"

failures.register(
    {
        "orders_status_step": OrderStateError,
        # Only who placed the order knows the key, and whether it is the same request.
        KEY_TAKEN: partial(ConstraintViolatedError, KEY_TAKEN),
    }
)
