"""What an order comes to."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow import InvalidInputError
from shopflow.ids import ProductId
from shopflow.money import LARGEST, rounded
from shopflow.orders.taxes import NO_TAX, Sale, Tax, TaxableLine, Taxation, TaxRate, taxation_of
from shopflow.orders.totals import ShippingPrice, Totals, charges_of, totals_of
from shopflow.promotions.discounts import Discount, Line, discount_of
from shopflow.promotions.models import Coupon
from tests.promotions.coupons import a_coupon
from tests.promotions.test_discounts import COUPONS, LINES

CENTS = st.integers(min_value=0, max_value=100_000)
AMOUNTS = CENTS.map(lambda cents: Decimal(cents) / 100).map(rounded)
SHIPPINGS = st.none() | st.builds(ShippingPrice, AMOUNTS, st.none() | AMOUNTS)
RATES = st.none() | st.builds(
    TaxRate,
    country_code=st.just("DE"),
    state=st.none(),
    category_id=st.none(),
    name=st.just("VAT"),
    rate=st.integers(0, 9_999).map(lambda each: Decimal(each) / 10_000),
    is_inclusive=st.booleans(),
)
STANDARD = ShippingPrice(Decimal("4.90"), free_above=Decimal("50.00"))


def plain(*subtotals: str, shipping: ShippingPrice | None = None) -> Totals:
    """The totals of these lines without coupon and tax."""
    return totals_of(charges_of([Decimal(each) for each in subtotals], None, shipping))


@given(LINES, st.none() | COUPONS, SHIPPINGS, RATES)
def test_it_adds_up_to_the_cent_and_nothing_is_negative(
    lines: list[Line], coupon: Coupon | None, shipping: ShippingPrice | None, rate: TaxRate | None
) -> None:
    discount = None if coupon is None else discount_of(coupon, lines)
    subtotals = [line.subtotal for line in lines]
    charges = charges_of(subtotals, discount, shipping)
    taxable = tuple(
        TaxableLine(line.product_id, None, "S", (), 1, net)
        for line, net in zip(lines, charges.nets, strict=True)
    )
    rates = (rate,) if rate else ()
    taxation = taxation_of(Sale("DE", None, taxable, charges.shipping_amount, rates))
    totals = totals_of(charges, taxation)

    amounts = [
        totals.subtotal,
        totals.discount_amount,
        totals.shipping_amount,
        totals.tax_amount,
        totals.included_tax_amount,
        totals.total_amount,
        totals.saved,
    ]
    assert all(amount >= 0 and amount.as_tuple().exponent == -2 for amount in amounts)
    assert totals.subtotal == sum(subtotals)
    assert (
        totals.total_amount
        == totals.subtotal + totals.tax_amount + totals.shipping_amount - totals.discount_amount
    )
    assert totals.discount_amount == sum(line.discount_amount for line in totals.lines)
    assert totals.discount_amount <= totals.subtotal
    assert (
        totals.tax_amount + totals.included_tax_amount
        == sum(line.tax_amount for line in totals.lines) + taxation.shipping.amount
    )
    assert totals.included_tax_amount <= totals.total_amount
    assert totals.saved == totals.discount_amount + charges.shipping_waived
    free = discount is not None and discount.free_shipping
    assert totals.shipping_amount == 0 if free else charges.shipping_waived == 0


@pytest.mark.parametrize(
    ("subtotal", "shipping"), [("49.99", "4.90"), ("50.00", "0.00"), ("50.01", "0.00")]
)
def test_shipping_is_free_from_the_subtotal_on(subtotal: str, shipping: str) -> None:
    assert plain(subtotal, shipping=STANDARD).shipping_amount == Decimal(shipping)


@pytest.mark.parametrize(("off", "shipping"), [("9.99", "4.90"), ("9.98", "0.00")])
def test_what_counts_for_it_is_the_subtotal_after_the_discount(off: str, shipping: str) -> None:
    discount = Discount((Decimal(off),), free_shipping=False)
    totals = totals_of(charges_of([Decimal("59.98")], discount, STANDARD))
    assert totals.shipping_amount == Decimal(shipping)


def test_without_method_nothing_is_charged_for_shipping() -> None:
    totals = plain("10.00")
    assert (totals.shipping_amount, totals.total_amount) == (Decimal(0), Decimal("10.00"))


@pytest.mark.parametrize(("subtotal", "saved"), [("20.00", "4.90"), ("60.00", "0.00")])
def test_a_coupon_for_free_shipping_saves_what_would_be_charged(subtotal: str, saved: str) -> None:
    discount = Discount((Decimal("0.00"),), free_shipping=True)
    totals = totals_of(charges_of([Decimal(subtotal)], discount, STANDARD))
    assert (totals.shipping_amount, totals.discount_amount) == (Decimal(0), Decimal(0))
    assert (totals.total_amount, totals.saved) == (Decimal(subtotal), Decimal(saved))


def test_added_and_contained_tax_stand_apart() -> None:
    added, contained = (
        Tax(Decimal("1.90"), is_included=False),
        Tax(Decimal("0.65"), is_included=True),
    )
    charges = charges_of([Decimal("10.00"), Decimal("10.00")], None, STANDARD)
    shipping = Tax(Decimal("0.78"), is_included=True)
    totals = totals_of(charges, Taxation((added, contained), shipping))
    assert (totals.tax_amount, totals.included_tax_amount) == (Decimal("1.90"), Decimal("1.43"))
    assert totals.total_amount == Decimal("26.80")
    assert [(line.tax_amount, line.tax_included) for line in totals.lines] == [
        (Decimal("1.90"), False),
        (Decimal("0.65"), True),
    ]


def test_tax_is_on_what_is_paid_for_a_line() -> None:
    line = Line(ProductId(UUID(int=1)), (), Decimal("100.00"))
    charges = charges_of([line.subtotal], discount_of(a_coupon(), [line]), None)
    assert charges.nets == (Decimal("90.00"),)


def test_half_a_cent_is_rounded_up() -> None:
    assert plain("0.005").total_amount == Decimal("0.01")


def test_what_the_database_cannot_hold_is_refused() -> None:
    assert plain(str(LARGEST)).total_amount == LARGEST
    with pytest.raises(InvalidInputError, match="total_amount"):
        plain(str(LARGEST), "0.01")


@pytest.mark.parametrize(
    "tax",
    [
        Tax(Decimal("-0.01"), is_included=False),
        Tax(Decimal("10.01"), is_included=True),
        Tax(Decimal("0.001"), is_included=False),
        Tax(Decimal("NaN"), is_included=False),
    ],
)
def test_a_tax_that_cannot_be_is_refused(tax: Tax) -> None:
    charges = charges_of([Decimal("10.00")], None, None)
    with pytest.raises(InvalidInputError, match="tax_amount"):
        totals_of(charges, Taxation((tax,), NO_TAX))
