"""What a coupon takes off."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.money import rounded
from shopflow.promotions.discounts import Line, discount_of, is_eligible, spread
from shopflow.promotions.models import Coupon
from tests.promotions.coupons import CHILD, OTHER, PRODUCTS, ROOT, a_coupon, a_line, scope

CENTS = st.integers(min_value=0, max_value=100_000)
AMOUNTS = CENTS.map(lambda cents: Decimal(cents) / 100).map(rounded)
LINES = st.lists(
    st.builds(
        Line, st.sampled_from(PRODUCTS), st.sampled_from([(), (ROOT,), (CHILD, ROOT)]), AMOUNTS
    ),
    max_size=8,
)
SCOPES = st.none() | st.builds(
    scope,
    products=st.lists(st.sampled_from(PRODUCTS), max_size=3).map(tuple),
    categories=st.lists(st.sampled_from([ROOT, CHILD, OTHER]), max_size=2).map(tuple),
)
COUPONS = st.builds(
    a_coupon,
    discount_type=st.sampled_from(["percentage", "fixed_amount", "free_shipping"]),
    discount_value=st.integers(0, 10_000).map(lambda cents: rounded(Decimal(cents) / 100)),
    max_discount=st.none() | AMOUNTS,
    scope=SCOPES,
)


@given(COUPONS, LINES)
def test_no_line_is_discounted_below_nothing_or_out_of_scope(
    coupon: Coupon, lines: list[Line]
) -> None:
    discount = discount_of(coupon, lines)
    assert len(discount.line_amounts) == len(lines)
    for line, amount in zip(lines, discount.line_amounts, strict=True):
        assert 0 <= amount <= line.subtotal
        assert amount == rounded(amount)
        assert is_eligible(coupon.scope, line) or amount == 0
    assert discount.amount == sum(discount.line_amounts)
    if coupon.max_discount is not None:
        assert discount.amount <= coupon.max_discount
    assert discount.free_shipping == (coupon.discount_type == "free_shipping")


@given(st.lists(AMOUNTS, min_size=1, max_size=12), st.data())
def test_a_spread_sums_to_the_cent_and_is_in_proportion(
    over: list[Decimal], data: st.DataObject
) -> None:
    whole = sum(over)
    amount = rounded(Decimal(data.draw(st.integers(0, int(whole * 100)))) / 100)
    parts = spread(amount, over)
    assert sum(parts) == amount
    for part, each in zip(parts, over, strict=True):
        assert part <= each
        assert whole == 0 or abs(part - amount * each / whole) < Decimal("0.01")


@given(st.lists(AMOUNTS, min_size=1, max_size=12))
def test_a_spread_of_everything_is_everything(over: list[Decimal]) -> None:
    assert list(spread(rounded(Decimal(sum(over))), over)) == over


@pytest.mark.parametrize(
    ("amount", "over", "parts"),
    [
        ("1.00", ["1.00", "1.00", "1.00"], ["0.34", "0.33", "0.33"]),
        ("0.01", ["1.00", "2.00"], ["0.00", "0.01"]),
        ("0.02", ["0.01", "0.01", "9.98"], ["0.00", "0.00", "0.02"]),
        ("10.00", ["0.00", "10.00"], ["0.00", "10.00"]),
        ("0.00", [], []),
        ("0.00", ["0.00"], ["0.00"]),
    ],
)
def test_the_cents_left_over_go_to_the_largest_remainders(
    amount: str, over: list[str], parts: list[str]
) -> None:
    found = spread(Decimal(amount), [Decimal(each) for each in over])
    assert [str(part) for part in found] == parts


@pytest.mark.parametrize(
    ("changes", "amounts"),
    [
        ({}, ["3.33", "1.00"]),
        ({"discount_value": Decimal("12.5")}, ["4.17", "1.25"]),
        ({"discount_value": Decimal(100)}, ["33.33", "10.00"]),
        ({"max_discount": Decimal("2.00")}, ["1.54", "0.46"]),
        ({"discount_type": "fixed_amount", "discount_value": Decimal(5)}, ["3.85", "1.15"]),
        ({"discount_type": "fixed_amount", "discount_value": Decimal(99)}, ["33.33", "10.00"]),
        (
            {
                "discount_type": "fixed_amount",
                "discount_value": Decimal(9),
                "max_discount": Decimal("4.00"),
            },
            ["3.08", "0.92"],
        ),
        ({"discount_type": "free_shipping"}, ["0.00", "0.00"]),
        ({"scope": scope(products=PRODUCTS[1:2])}, ["0.00", "1.00"]),
        ({"scope": scope(categories=(ROOT,))}, ["3.33", "0.00"]),
        ({"scope": scope(categories=(CHILD,), products=PRODUCTS[1:2])}, ["3.33", "1.00"]),
        ({"scope": scope(categories=(OTHER,))}, ["0.00", "0.00"]),
        ({"scope": scope()}, ["0.00", "0.00"]),
    ],
)
def test_each_kind_of_coupon(changes: dict[str, object], amounts: list[str]) -> None:
    # A shirt in CHILD, which is below ROOT, and something in no category.
    lines = [a_line("33.33", 0, (CHILD, ROOT)), a_line("10.00", 1)]
    found = discount_of(a_coupon(**changes), lines)
    assert [str(amount) for amount in found.line_amounts] == amounts
