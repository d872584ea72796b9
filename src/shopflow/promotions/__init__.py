"""Coupons and their use (§2.5)."""

from shopflow.promotions.errors import CouponCodeTakenError, CouponRefusedError, Reason
from shopflow.promotions.models import (
    Coupon,
    CouponChanges,
    CouponTerms,
    CouponUse,
    DiscountType,
    Scope,
)

__all__ = [
    "Coupon",
    "CouponChanges",
    "CouponCodeTakenError",
    "CouponRefusedError",
    "CouponTerms",
    "CouponUse",
    "DiscountType",
    "Reason",
    "Scope",
]
