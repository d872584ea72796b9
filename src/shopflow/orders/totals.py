"""What an order comes to: a pure function of its lines and the shipping method."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.money import LARGEST, ZERO, rounded


class ShippingPrice(msgspec.Struct, frozen=True):
    """What a shipping method costs; nothing from a subtotal of `free_above`, None for never."""

    price: Decimal
    free_above: Decimal | None


class Totals(msgspec.Struct, frozen=True):
    """The amounts of an order, each to the cent."""

    subtotal: Decimal
    discount_amount: Decimal
    shipping_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


def totals_of(subtotals: Iterable[Decimal], shipping: ShippingPrice | None) -> Totals:
    """Return the amounts of an order: its lines, then discount, shipping and tax.

    Discount and tax are 0 so far; shipping is 0 without a method.

    Raises:
        InvalidInputError: when the total is above what NUMERIC(12,2) holds.
    """
    subtotal = sum((rounded(each) for each in subtotals), ZERO)
    shipping_amount = _shipping(subtotal, shipping)
    total = subtotal + shipping_amount
    if total > LARGEST:
        raise InvalidInputError("total_amount", total, f"must not be above {LARGEST}")
    return Totals(
        subtotal=subtotal,
        discount_amount=ZERO,
        shipping_amount=shipping_amount,
        tax_amount=ZERO,
        total_amount=total,
    )


def _shipping(subtotal: Decimal, shipping: ShippingPrice | None) -> Decimal:
    if shipping is None:
        return ZERO
    if shipping.free_above is not None and subtotal >= shipping.free_above:
        return ZERO
    return rounded(shipping.price)
