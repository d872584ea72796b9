"""Why a coupon does not apply."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest

from shopflow.promotions.errors import CouponRefusedError, Reason
from shopflow.promotions.rules import Buyer, refusal
from tests.promotions.coupons import CHILD, OTHER, PRODUCTS, ROOT, a_coupon, a_line, scope

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GUEST, NEW, OLD = Buyer(signed_in=False), Buyer(signed_in=True), Buyer(True, 2, has_ordered=True)
LINES = [a_line("30.00", 0, (CHILD, ROOT)), a_line("10.00", 1)]


@pytest.mark.parametrize(
    ("changes", "buyer", "reason"),
    [
        ({}, GUEST, None),
        ({"is_active": False}, NEW, "inactive"),
        ({"starts_at": NOW + SECOND}, NEW, "not yet"),
        ({"starts_at": NOW}, NEW, None),
        ({"expires_at": NOW}, NEW, "expired"),
        ({"expires_at": NOW + SECOND}, NEW, None),
        ({"usage_limit": 3, "used_count": 3}, NEW, "used up"),
        ({"usage_limit": 3, "used_count": 2}, NEW, None),
        ({"per_user_limit": 2}, GUEST, "sign in"),
        ({"first_order_only": True}, GUEST, "sign in"),
        ({"per_user_limit": 2}, OLD, "used up by you"),
        ({"per_user_limit": 3}, OLD, None),
        ({"first_order_only": True}, OLD, "first order only"),
        ({"first_order_only": True}, NEW, None),
        ({"min_order": Decimal("40.01")}, NEW, "below minimum"),
        # The minimum is of the whole cart, not of what the coupon is for.
        ({"min_order": Decimal(40), "scope": scope(products=PRODUCTS[1:2])}, NEW, None),
        ({"scope": scope(categories=(OTHER,))}, NEW, "nothing eligible"),
        ({"scope": scope()}, NEW, "nothing eligible"),
        ({"scope": scope(categories=(ROOT,))}, NEW, None),
    ],
)
def test_each_reason(changes: dict[str, object], buyer: Buyer, reason: Reason | None) -> None:
    assert refusal(a_coupon(**changes), LINES, buyer, NOW) == reason


def test_a_customer_is_not_sent_for_more_in_vain() -> None:
    coupon = a_coupon(is_active=False, per_user_limit=1, min_order=Decimal(1000))
    assert refusal(coupon, LINES, OLD, NOW) == "inactive"
    coupon = a_coupon(per_user_limit=1, min_order=Decimal(1000))
    assert refusal(coupon, LINES, OLD, NOW) == "used up by you"


def test_every_reason_is_said_in_words() -> None:
    said = {str(CouponRefusedError(reason, "TEN")) for reason in get_args(Reason)}
    assert len(said) == len(get_args(Reason))
    assert all(sentence.startswith("coupon TEN ") for sentence in said)
