"""What a quote is asked with, and what it looks like."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shopflow.ids import CartId, CouponId, ProductId, ShippingMethodId, UserId, VariantId
from shopflow.orders.errors import PriceChange, Shortage
from shopflow.orders.totals import ShippingPrice, Totals
from shopflow.promotions.models import Coupon


class QuoteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A cart to be priced, with the coupon that is on it.

    Without `country_code` there is no tax yet, and no shipping method can be given; without
    `shipping_method_id` shipping is not charged.
    """

    cart_id: CartId
    shipping_method_id: ShippingMethodId | None = None
    country_code: str | None = None
    state: str | None = None


class QuoteLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a cart as it would be ordered now.

    `unit_price` is that of now, `cart_price` the one when the line was last written. `available`
    is what can be bought: None without limit, 0 for what is no longer for sale. `tax_included`
    says that the price contains `tax_amount`; otherwise it is added.
    """

    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    product_name: str
    variant_name: str | None
    quantity: int
    unit_price: Decimal
    cart_price: Decimal
    available: int | None
    subtotal: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    tax_included: bool


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a cart comes to, its lines the oldest first.

    `user_id` and `user_email` are None for a guest, `shipping` is None without method.
    `price_changes` and `shortages` are what the customer has to be told: a shortage does not
    refuse a quote, it refuses the order.
    """

    cart_id: CartId
    user_id: UserId | None
    user_email: str | None
    coupon_id: CouponId | None
    coupon_code: str | None
    coupon: Coupon | None
    lines: tuple[QuoteLine, ...]
    shipping: ShippingPrice | None
    totals: Totals
    price_changes: tuple[PriceChange, ...]
    shortages: tuple[Shortage, ...]
