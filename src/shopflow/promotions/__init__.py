"""Coupons and their use (§2.5)."""

from shopflow.promotions.models import Coupon, CouponChanges, CouponTerms, CouponUse, Scope

__all__ = ["Coupon", "CouponChanges", "CouponTerms", "CouponUse", "Scope"]
