"""Coupons as the rules see them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from shopflow.ids import CategoryId, CouponId, ProductId
from shopflow.promotions.discounts import Line
from shopflow.promotions.models import Coupon, Scope

ROOT, CHILD, OTHER = (CategoryId(UUID(int=number)) for number in (1, 2, 3))
PRODUCTS = tuple(ProductId(UUID(int=number)) for number in range(100, 110))


def a_coupon(**changes: Any) -> Coupon:
    """A coupon of 10 % on everything, without any limit."""
    defaults: dict[str, Any] = {
        "id": CouponId(UUID(int=7)),
        "code": "TEN",
        "discount_type": "percentage",
        "discount_value": Decimal(10),
        "min_order": None,
        "max_discount": None,
        "usage_limit": None,
        "per_user_limit": None,
        "used_count": 0,
        "is_active": True,
        "first_order_only": False,
        "starts_at": None,
        "expires_at": None,
        "scope": None,
    }
    return Coupon(**(defaults | changes))


def scope(
    *, products: tuple[ProductId, ...] = (), categories: tuple[CategoryId, ...] = ()
) -> Scope:
    return Scope(frozenset(products), frozenset(categories))


def a_line(subtotal: str, number: int = 0, path: tuple[CategoryId, ...] = ()) -> Line:
    return Line(PRODUCTS[number], path, Decimal(subtotal))
