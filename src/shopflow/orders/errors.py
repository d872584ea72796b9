"""What placing and paying an order refuses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import msgspec

from shopflow.errors import ConstraintViolatedError, ShopflowError
from shopflow.ids import OrderItemId, ProductId, VariantId
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


class Excess(msgspec.Struct, frozen=True):
    """A line of which more was to be sent or taken back than `available`."""

    order_item_id: OrderItemId
    sku: str
    wanted: int
    available: int


class LineQuantityError(ShopflowError):
    """More was to be sent than was bought, or to come back than was sent; nothing was changed.

    Attributes:
        excesses: every line at fault; none when another request took the last pieces meanwhile.
    """

    def __init__(self, message: str | None = None, excesses: Sequence[Excess] = ()) -> None:
        listed = "; ".join(f"{e.sku}: {e.wanted} wanted, {e.available} left" for e in excesses)
        super().__init__(": ".join(filter(None, [message, listed])) or None)
        self.excesses = tuple(excesses)


class IdempotencyKeyTakenError(ShopflowError):
    """Another request was made with this idempotency key; nothing was done.

    Also for the same checkout again once its customer was erased: then nobody can tell any more.

    Attributes:
        idempotency_key: the key.
    """

    def __init__(self, idempotency_key: str, thing: str = "order") -> None:
        nothing = "nothing was ordered" if thing == "order" else "nothing was changed"
        super().__init__(
            f"idempotency key {idempotency_key!r} has been used for another {thing}, {nothing}:"
            f" a new {thing} needs a new key"
        )
        self.idempotency_key = idempotency_key


KEY_TAKEN = "orders_idempotency_key_key"

failures.register(
    {
        "orders_status_step": OrderStateError,
        "order_shipment_items_order_status": OrderStateError,
        "order_items_fulfilled_quantity_check": LineQuantityError,
        "order_items_returned_quantity_check": LineQuantityError,
        # Only who placed the order knows the key, and whether it is the same request.
        KEY_TAKEN: partial(ConstraintViolatedError, KEY_TAKEN),
    }
)
