"""Which rate is for what, and what it comes to."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.ids import CategoryId, ProductId
from shopflow.money import rounded
from shopflow.orders.taxes import (
    Sale,
    TableTaxes,
    Tax,
    TaxableLine,
    TaxRate,
    rate_for,
    tax_on,
    taxation_of,
)

SHOP, BOOKS, COMICS = (CategoryId(UUID(int=number)) for number in (1, 2, 3))
AMOUNTS = st.integers(0, 10_000_000).map(lambda cents: rounded(Decimal(cents) / 100))
SHARES = st.integers(0, 9_999).map(lambda each: Decimal(each) / 10_000)


def a_rate(
    rate: str = "0.19",
    *,
    state: str | None = None,
    category_id: CategoryId | None = None,
    is_inclusive: bool = False,
) -> TaxRate:
    return TaxRate(
        country_code="DE",
        state=state,
        category_id=category_id,
        name=f"{state} {category_id}",
        rate=Decimal(rate),
        is_inclusive=is_inclusive,
    )


COUNTRY, COUNTRY_BOOKS, COUNTRY_SHOP = a_rate(), a_rate(category_id=BOOKS), a_rate(category_id=SHOP)
STATE, STATE_BOOKS = a_rate(state="Bayern"), a_rate(state="Bayern", category_id=BOOKS)


@pytest.mark.parametrize(
    ("rates", "path", "wins"),
    [
        ([], (), None),
        ([COUNTRY_BOOKS], (), None),
        ([COUNTRY], (COMICS, BOOKS, SHOP), COUNTRY),
        ([COUNTRY, COUNTRY_SHOP, COUNTRY_BOOKS], (COMICS, BOOKS, SHOP), COUNTRY_BOOKS),
        ([COUNTRY_BOOKS, COUNTRY_SHOP, COUNTRY], (SHOP,), COUNTRY_SHOP),
        ([COUNTRY_BOOKS, COUNTRY_SHOP, COUNTRY], (), COUNTRY),
        ([COUNTRY_BOOKS, STATE], (COMICS, BOOKS), STATE),
        ([STATE, STATE_BOOKS, COUNTRY_BOOKS], (COMICS, BOOKS), STATE_BOOKS),
    ],
)
def test_the_most_specific_rate_wins(
    rates: list[TaxRate], path: tuple[CategoryId, ...], wins: TaxRate | None
) -> None:
    assert rate_for(rates, path) == wins
    assert rate_for(rates[::-1], path) == wins


@pytest.mark.parametrize(
    ("amount", "rate", "tax"),
    [
        ("100.00", None, Tax(Decimal(0), is_included=False)),
        ("100.00", a_rate("0.19"), Tax(Decimal("19.00"), is_included=False)),
        ("119.00", a_rate("0.19", is_inclusive=True), Tax(Decimal("19.00"), is_included=True)),
        ("0.10", a_rate("0.05"), Tax(Decimal("0.01"), is_included=False)),
        ("9.99", a_rate("0.0725"), Tax(Decimal("0.72"), is_included=False)),
        ("0.11", a_rate("0.10", is_inclusive=True), Tax(Decimal("0.01"), is_included=True)),
    ],
)
def test_half_a_cent_of_tax_is_rounded_up(amount: str, rate: TaxRate | None, tax: Tax) -> None:
    assert tax_on(Decimal(amount), rate) == tax


@given(AMOUNTS, SHARES)
def test_tax_is_never_negative_and_what_is_contained_is_within_the_price(
    amount: Decimal, share: Decimal
) -> None:
    added = tax_on(amount, a_rate(str(share))).amount
    contained = tax_on(amount, a_rate(str(share), is_inclusive=True)).amount
    assert 0 <= contained <= added <= amount + Decimal("0.01")
    assert contained <= amount
    # What is left is the net price: taxed again it comes to the same within a cent.
    assert abs(tax_on(amount - contained, a_rate(str(share))).amount - contained) <= Decimal("0.01")


async def test_shipping_is_taxed_by_the_rate_without_category() -> None:
    line = TaxableLine(ProductId(UUID(int=9)), None, "B", (BOOKS, SHOP), 1, Decimal("10.00"))
    rates = (a_rate("0.20"), a_rate("0.05", category_id=BOOKS))
    sale = Sale("DE", None, (line,), Decimal("5.00"), rates)
    (taxation,) = await TableTaxes().taxes_of([sale])
    assert taxation == taxation_of(sale)
    assert [tax.amount for tax in taxation.lines] == [Decimal("0.50")]
    assert taxation.shipping.amount == Decimal("1.00")
