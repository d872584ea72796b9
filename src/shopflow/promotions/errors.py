"""Why a coupon is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shopflow.errors import ShopflowError
from shopflow.postgres import failures

Reason = Literal[
    "inactive",
    "not yet",
    "expired",
    "used up",
    "sign in",
    "used up by you",
    "first order only",
    "below minimum",
    "nothing eligible",
]
_SENTENCES: Mapping[Reason, str] = {
    "inactive": "is not in force",
    "not yet": "is not valid yet",
    "expired": "has expired",
    "used up": "has been used as often as it can be",
    "sign in": "is for customers who are signed in",
    "used up by you": "has been used as often as one customer can",
    "first order only": "is for a first order",
    "below minimum": "needs a larger order",
    "nothing eligible": "is for nothing of what is in the cart",
}


class CouponRefusedError(ShopflowError):
    """This coupon does not apply to this cart now.

    Attributes:
        reason: why; one of `Reason`.
        code: what the customer typed, None when only the database knew.
    """

    def __init__(self, reason: Reason, code: str | None = None) -> None:
        super().__init__(f"coupon {code or 'in the cart'} {_SENTENCES[reason]}")
        self.reason = reason
        self.code = code


class CouponCodeTakenError(ShopflowError):
    """Another coupon has this code, perhaps in other capitals."""


failures.register(
    {
        "coupons_code_key": CouponCodeTakenError,
        "coupons_used_within_limit": lambda _: CouponRefusedError("used up"),
        "coupon_usage_user_required": lambda _: CouponRefusedError("sign in"),
        "coupon_usage_within_user_limit": lambda _: CouponRefusedError("used up by you"),
        "coupon_usage_first_order_only": lambda _: CouponRefusedError("first order only"),
    }
)
