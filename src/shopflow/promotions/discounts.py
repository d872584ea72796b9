"""What a coupon takes off a cart: pure functions of the coupon and the lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import assert_never

import msgspec

from shopflow.ids import CategoryId, ProductId
from shopflow.money import ZERO, rounded
from shopflow.promotions.models import Coupon, Scope


class Line(msgspec.Struct, frozen=True):
    """What a coupon looks at in a line; `category_path` is its category and all above it."""

    product_id: ProductId
    category_path: Sequence[CategoryId]
    subtotal: Decimal


class Discount(msgspec.Struct, frozen=True):
    """What is taken off each line, in their order, and whether shipping costs nothing."""

    line_amounts: tuple[Decimal, ...]
    free_shipping: bool

    @property
    def amount(self) -> Decimal:
        """What is taken off all lines."""
        return sum(self.line_amounts, ZERO)


def is_eligible(scope: Scope | None, line: Line) -> bool:
    """Return whether a coupon of this scope takes something off this line."""
    return (
        scope is None
        or line.product_id in scope.product_ids
        or not scope.category_ids.isdisjoint(line.category_path)
    )


def discount_of(coupon: Coupon, lines: Sequence[Line]) -> Discount:
    """Return what a coupon that applies takes off these lines.

    A percentage is of the eligible lines together, rounded half up to the cent; a fixed amount is
    taken off at most once. Neither is above `max_discount` or above the eligible lines. It is
    spread over them in proportion, see `spread`; other lines get 0.
    """
    eligible = [line.subtotal if is_eligible(coupon.scope, line) else ZERO for line in lines]
    return Discount(spread(_amount(coupon, sum(eligible, ZERO)), eligible), _ships_free(coupon))


def spread(amount: Decimal, over: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Split `amount` in proportion to the amounts `over`, to the cent.

    The parts sum to `amount` exactly and none is above its own. What rounding down leaves goes
    a cent each to the largest remainders, the first of equal ones.

    Args:
        amount: to the cent, from 0 to the sum of `over`.
        over: to the cent, none negative.
    """
    cents, weights = _cents(amount), [_cents(each) for each in over]
    whole = sum(weights)
    if not cents:
        return (ZERO,) * len(weights)
    parts = [cents * weight // whole for weight in weights]
    remainders = [cents * weight % whole for weight in weights]
    largest = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in largest[: cents - sum(parts)]:
        parts[place] += 1
    return tuple(_amounts(parts))


def _amount(coupon: Coupon, eligible: Decimal) -> Decimal:
    match coupon.discount_type:
        case "percentage":
            wanted = rounded(eligible * coupon.discount_value / 100)
        case "fixed_amount":
            wanted = rounded(coupon.discount_value)
        case "free_shipping":
            return ZERO
        case _:
            assert_never(coupon.discount_type)
    most = eligible if coupon.max_discount is None else min(eligible, coupon.max_discount)
    return min(wanted, most)


def _ships_free(coupon: Coupon) -> bool:
    return coupon.discount_type == "free_shipping"


def _cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def _amounts(cents: Iterable[int]) -> Iterable[Decimal]:
    return (rounded(Decimal(each).scaleb(-2)) for each in cents)
