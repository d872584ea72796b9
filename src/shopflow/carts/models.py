"""What a cart looks like to Python."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from shopflow.ids import CartId, CartItemId, CouponId, ProductId, UserId, VariantId


class CartItem(msgspec.Struct, frozen=True):
    """A line of a cart.

    `unit_price` is the price when the line was last written, `current_price` that of now.
    `max_quantity` is what can be bought: None without limit (stock is not counted), 0 for what is
    no longer for sale. `in_stock` says whether `quantity` is within it.
    """

    id: CartItemId
    product_id: ProductId
    variant_id: VariantId | None
    quantity: int
    unit_price: Decimal
    current_price: Decimal
    name: str
    slug: str
    variant_name: str | None
    image: str | None
    in_stock: bool
    max_quantity: int | None


class Cart(msgspec.Struct, frozen=True):
    """A cart with its lines, the oldest first (§4.3).

    `item_count` is the sum of the quantities, `subtotal` that of the lines at `unit_price`.
    """

    id: CartId
    user_id: UserId | None
    session_id: str | None
    coupon_id: CouponId | None
    updated_at: datetime
    items: tuple[CartItem, ...]
    item_count: int
    subtotal: Decimal
