"""What a coupon looks like to Python (§2.5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.ids import CategoryId, CouponId, ProductId

DiscountType = Literal["percentage", "fixed_amount", "free_shipping"]


class Scope(msgspec.Struct, frozen=True):
    """What a restricted coupon takes something off: these products, and these whole subtrees."""

    product_ids: frozenset[ProductId]
    category_ids: frozenset[CategoryId]


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A discount code.

    `discount_value` is a percentage or an amount, and unused for free shipping. `min_order` is the
    subtotal of the whole cart from which it is valid, `max_discount` the most that it takes off
    the lines. It is valid from `starts_at` and before `expires_at`. `used_count` is kept while
    there is a `usage_limit`. `scope` None means everything in the shop. None of the others means
    without limit.
    """

    id: CouponId
    code: str
    discount_type: DiscountType
    discount_value: Decimal
    min_order: Decimal | None
    max_discount: Decimal | None
    usage_limit: int | None
    per_user_limit: int | None
    used_count: int
    is_active: bool
    first_order_only: bool
    starts_at: datetime | None
    expires_at: datetime | None
    scope: Scope | None
