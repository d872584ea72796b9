"""Why a coupon does not apply to a cart now: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shopflow.money import ZERO
from shopflow.promotions.discounts import Line, is_eligible
from shopflow.promotions.errors import Reason
from shopflow.promotions.models import Coupon


class Buyer(msgspec.Struct, frozen=True):
    """Who would use a coupon.

    `uses` is how often this user has used it, `has_ordered` whether there is an order of theirs
    that is not cancelled; both are looked at only where the coupon asks for them.
    """

    signed_in: bool
    uses: int = 0
    has_ordered: bool = False


def refusal(coupon: Coupon, lines: Sequence[Line], buyer: Buyer, now: datetime) -> Reason | None:
    """Return the first reason why a coupon does not apply, None when it does.

    First what concerns everybody, then the customer, then the cart: so that a customer hears of
    a larger order only where that would help. The limits are kept by the database as well, for
    many orders at once; the rest is kept here alone.
    """
    return (
        _refusal_to_all(coupon, now)
        or _refusal_to_buyer(coupon, buyer)
        or _refusal_of_cart(coupon, lines)
    )


def _refusal_to_all(coupon: Coupon, now: datetime) -> Reason | None:
    if not coupon.is_active:
        return "inactive"
    if coupon.starts_at is not None and now < coupon.starts_at:
        return "not yet"
    if coupon.expires_at is not None and now >= coupon.expires_at:
        return "expired"
    if coupon.usage_limit is not None and coupon.used_count >= coupon.usage_limit:
        return "used up"
    return None


def _refusal_to_buyer(coupon: Coupon, buyer: Buyer) -> Reason | None:
    if coupon.per_user_limit is None and not coupon.first_order_only:
        return None
    if not buyer.signed_in:
        return "sign in"
    if coupon.per_user_limit is not None and buyer.uses >= coupon.per_user_limit:
        return "used up by you"
    return "first order only" if coupon.first_order_only and buyer.has_ordered else None


def _refusal_of_cart(coupon: Coupon, lines: Sequence[Line]) -> Reason | None:
    subtotal = sum((line.subtotal for line in lines), ZERO)
    if coupon.min_order is not None and subtotal < coupon.min_order:
        return "below minimum"
    if not any(is_eligible(coupon.scope, line) for line in lines):
        return "nothing eligible"
    return None
