"""What an order comes to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow import InvalidInputError
from shopflow.money import LARGEST
from shopflow.orders.totals import ShippingPrice, totals_of

AMOUNTS = st.decimals(min_value=0, max_value=1000, places=2)
STANDARD = ShippingPrice(Decimal("4.90"), free_above=Decimal("50.00"))


@given(st.lists(AMOUNTS), AMOUNTS, st.none() | AMOUNTS)
def test_it_adds_up_to_the_cent(
    subtotals: list[Decimal], price: Decimal, free_above: Decimal | None
) -> None:
    totals = totals_of(subtotals, ShippingPrice(price, free_above))
    assert totals.subtotal == sum(subtotals)
    assert totals.shipping_amount in {Decimal(0), price}
    assert (
        totals.total_amount
        == totals.subtotal + totals.tax_amount + totals.shipping_amount - totals.discount_amount
    )
    assert totals.total_amount.as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("subtotal", "shipping"), [("49.99", "4.90"), ("50.00", "0.00"), ("50.01", "0.00")]
)
def test_shipping_is_free_from_the_subtotal_on(subtotal: str, shipping: str) -> None:
    assert totals_of([Decimal(subtotal)], STANDARD).shipping_amount == Decimal(shipping)


def test_without_method_nothing_is_charged_for_shipping() -> None:
    totals = totals_of([Decimal("10.00")], None)
    assert (totals.shipping_amount, totals.total_amount) == (Decimal(0), Decimal("10.00"))


def test_half_a_cent_is_rounded_up() -> None:
    assert totals_of([Decimal("0.005")], None).total_amount == Decimal("0.01")


def test_what_the_database_cannot_hold_is_refused() -> None:
    assert totals_of([LARGEST], None).total_amount == LARGEST
    with pytest.raises(InvalidInputError, match="total_amount"):
        totals_of([LARGEST, Decimal("0.01")], None)
