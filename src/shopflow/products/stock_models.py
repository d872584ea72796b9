"""What stock looks like to Python: its movements, what runs low, and what does not add up."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from shopflow.ids import MovementId, OrderId, ProductId, UserId, VariantId

Reason = Literal["initial", "import", "sale", "cancellation", "return", "correction"]


class StockChange(msgspec.Struct, frozen=True):
    """What a change of stock came to; `movement_id` is None when nothing had to change."""

    before: int
    after: int
    movement_id: MovementId | None


class Movement(msgspec.Struct, frozen=True):
    """A change of a stock: `change` pieces came in, or went out when it is below zero.

    `variant_id` is None for the stock of a product without variants, `order_id` unless an order
    took the pieces or gave them back, `created_by` where the shop itself did it.
    """

    id: MovementId
    product_id: ProductId
    variant_id: VariantId | None
    change: int
    reason: Reason
    order_id: OrderId | None
    notes: str | None
    created_by: UserId | None
    created_at: datetime


class LowStock(msgspec.Struct, frozen=True):
    """A product without variants, or a variant, of which little is left."""

    product_id: ProductId
    variant_id: VariantId | None
    name: str
    variant_name: str | None
    sku: str
    stock_quantity: int


class StockMismatch(msgspec.Struct, frozen=True):
    """A stock that is not what it must be.

    `product movements` and `variant movements`: it is not the sum of its movements; a product with
    variants has no stock of its own, so there the sum must be 0. `sum of variants`: the product's
    is not the sum over its active variants, or it does not know that it has any.
    """

    rule: Literal["product movements", "variant movements", "sum of variants"]
    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    stock: int
    expected: int
