"""What a cart looks like to Python."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from shopflow.ids import CartId, CartItemId, CouponId, ProductId, UserId, VariantId


class CartItem(msgspec.Struct, frozen=True):
    """A line of a cart.

    `unit_price` is the price when the line was last written, `current_price` that of now, and
    `price_changed` says whether they differ.
    `max_quantity` is what can be bought: None without limit (stock is not counted), 0 for what is
    no longer for sale. `in_stock` says whether `quantity` is within it.
    """

    id: CartItemId
    product_id: ProductId
    variant_id: VariantId | None
    quantity: int
    unit_price: Decimal
    current_price: Decimal
    price_changed: bool
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
    coupon_code: str | None
    updated_at: datetime
    items: tuple[CartItem, ...]
    item_count: int
    subtotal: Decimal


class Shortened(msgspec.Struct, frozen=True):
    """A line that was not added in full: the cart holds `quantity`, or 0, of those `wanted`."""

    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    wanted: int
    quantity: int


class MergedCart(msgspec.Struct, frozen=True):
    """The user's cart after a guest's was merged into it, and what there was too little of."""

    cart_id: CartId
    shortened: tuple[Shortened, ...]
