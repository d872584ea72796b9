"""What a coupon looks like to Python (§2.5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from shopflow.ids import CategoryId, CouponId, OrderId, ProductId, UserId
from shopflow.money import ZERO

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


class CouponTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a coupon is made with; as in `Coupon`, None without limit."""

    code: str
    discount_type: DiscountType
    discount_value: Decimal = ZERO
    min_order: Decimal | None = None
    max_discount: Decimal | None = None
    usage_limit: int | None = None
    per_user_limit: int | None = None
    first_order_only: bool = False
    is_active: bool = True
    starts_at: datetime | None = None
    expires_at: datetime | None = None


class CouponChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another in a coupon; what is not given stays, and None lifts a limit."""

    code: str | UnsetType = UNSET
    discount_type: DiscountType | UnsetType = UNSET
    discount_value: Decimal | UnsetType = UNSET
    min_order: Decimal | UnsetType | None = UNSET
    max_discount: Decimal | UnsetType | None = UNSET
    usage_limit: int | UnsetType | None = UNSET
    per_user_limit: int | UnsetType | None = UNSET
    first_order_only: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    starts_at: datetime | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET


class CouponUse(msgspec.Struct, frozen=True):
    """An order that used a coupon; `user_id` is None for a guest and for an erased user."""

    order_id: OrderId
    order_number: str
    user_id: UserId | None
    discount_amount: Decimal
    created_at: datetime
