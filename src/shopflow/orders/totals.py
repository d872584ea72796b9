"""What an order comes to: pure functions of its lines, coupon, shipping method and taxes.

The steps, in this order, each amount rounded half up to the cent where it arises:

1. lines: quantity times unit price; the subtotal is their sum;
2. discount: what the coupon takes off, spread over the lines that it is for;
3. shipping: the method's price; nothing from `free_above` on, measured by the subtotal after the
   discount, as that is what the customer buys for; nothing either with a coupon for it;
4. tax: on each line after its discount, and on shipping; added, or contained in the prices.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.money import LARGEST, ZERO, rounded
from shopflow.orders.taxes import NO_TAX, Tax, Taxation
from shopflow.promotions.discounts import Discount


class ShippingPrice(msgspec.Struct, frozen=True):
    """What a shipping method costs; nothing from a subtotal of `free_above`, None for never."""

    price: Decimal
    free_above: Decimal | None


class Charges(msgspec.Struct, frozen=True):
    """Steps 1 to 3, before tax; `shipping_waived` is what a coupon took off the shipping."""

    subtotals: tuple[Decimal, ...]
    discounts: tuple[Decimal, ...]
    shipping_amount: Decimal
    shipping_waived: Decimal

    @property
    def nets(self) -> tuple[Decimal, ...]:
        """What is paid for each line, before tax that is added."""
        pairs = zip(self.subtotals, self.discounts, strict=True)
        return tuple(subtotal - discount for subtotal, discount in pairs)


class LineTotals(msgspec.Struct, frozen=True):
    """The amounts of a line; `tax_included` says that its price contains `tax_amount`."""

    subtotal: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    tax_included: bool


class Totals(msgspec.Struct, frozen=True):
    """The amounts of an order, each to the cent and none negative.

    total_amount = subtotal + tax_amount + shipping_amount - discount_amount. `tax_amount` is
    added, `included_tax_amount` is contained in the prices; together they are the tax of the lines
    and of shipping. `saved` is what the coupon takes off, from the lines or the shipping.
    """

    subtotal: Decimal
    discount_amount: Decimal
    shipping_amount: Decimal
    tax_amount: Decimal
    included_tax_amount: Decimal
    total_amount: Decimal
    saved: Decimal
    lines: tuple[LineTotals, ...]


def charges_of(
    subtotals: Iterable[Decimal], discount: Discount | None, shipping: ShippingPrice | None
) -> Charges:
    """Do the steps before tax; None is without coupon, and without charge for shipping."""
    lines = tuple(rounded(each) for each in subtotals)
    discounts = (ZERO,) * len(lines) if discount is None else discount.line_amounts
    price = _shipping(sum(lines, ZERO) - sum(discounts, ZERO), shipping)
    waived = price if discount is not None and discount.free_shipping else ZERO
    return Charges(lines, discounts, price - waived, waived)


def totals_of(charges: Charges, taxation: Taxation | None = None) -> Totals:
    """Add the tax, None for none, and return what the order comes to.

    Raises:
        InvalidInputError: when an amount is above what NUMERIC(12,2) holds, or the tax cannot be:
            negative, or contained in a price that is less.
    """
    taxation = taxation or Taxation((NO_TAX,) * len(charges.subtotals), NO_TAX)
    taxed = [*zip(charges.nets, taxation.lines, strict=True)]
    taxed.append((charges.shipping_amount, taxation.shipping))
    taxes = [_checked(tax, price) for price, tax in taxed]
    added = sum((tax.amount for tax in taxes if not tax.is_included), ZERO)
    subtotal, discount = sum(charges.subtotals, ZERO), sum(charges.discounts, ZERO)
    gross = subtotal + added + charges.shipping_amount
    if gross > LARGEST:
        raise InvalidInputError("total_amount", gross, f"must not be above {LARGEST}")
    amounts = zip(charges.subtotals, charges.discounts, taxation.lines, strict=True)
    return Totals(
        subtotal=subtotal,
        discount_amount=discount,
        shipping_amount=charges.shipping_amount,
        tax_amount=added,
        included_tax_amount=sum((tax.amount for tax in taxes if tax.is_included), ZERO),
        total_amount=gross - discount,
        saved=discount + charges.shipping_waived,
        lines=tuple(
            LineTotals(line, off, tax.amount, tax.is_included) for line, off, tax in amounts
        ),
    )


def _shipping(subtotal: Decimal, shipping: ShippingPrice | None) -> Decimal:
    if shipping is None:
        return ZERO
    if shipping.free_above is not None and subtotal >= shipping.free_above:
        return ZERO
    return rounded(shipping.price)


def _checked(tax: Tax, price: Decimal) -> Tax:
    """Refuse what a way of taxing of the shop's own got wrong."""
    amount = tax.amount
    if not amount.is_finite() or amount != rounded(amount):
        raise InvalidInputError("tax_amount", amount, "is not an amount to the cent")
    if amount < 0 or (tax.is_included and amount > price):
        raise InvalidInputError("tax_amount", amount, f"cannot be the tax on {price}")
    return tax
