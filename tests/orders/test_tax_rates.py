"""Setting, listing and removing tax rates, and a shop that taxes in its own way."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

import shopflow
from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import CategoryId, TaxRateId
from shopflow.orders.tax_rates import StoredTaxRate
from shopflow.orders.taxes import Sale, Tax, Taxation, TaxRate
from shopflow.settings import Settings
from tests.catalogue import a_category, a_product, run
from tests.orders.conftest import Filled

VAT: dict[str, Any] = {
    "country_code": "DE",
    "state": None,
    "category_id": None,
    "name": "VAT 19 %",
    "rate": Decimal("0.1900"),
    "is_inclusive": True,
}


async def test_a_rate_takes_the_place_of_the_one_before(shop: Shop) -> None:
    category_id = await a_category(shop)
    terms = [
        VAT,
        VAT | {"category_id": category_id, "rate": Decimal("0.0700")},
        VAT | {"state": "Bayern"},
        VAT | {"country_code": "AT"},
    ]
    ids = [await shop.tax_rates.set(TaxRate(**each)) for each in terms]
    raised = VAT | {"rate": Decimal("0.1901"), "name": "More", "is_inclusive": False}
    assert await shop.tax_rates.set(TaxRate(**raised)) == ids[0]
    stored = [
        StoredTaxRate(id=key, **each) for key, each in zip(ids, [raised, *terms[1:]], strict=True)
    ]
    assert await shop.tax_rates.list("DE") == stored[:3]
    assert await shop.tax_rates.list() == [stored[3], *stored[:3]]
    assert await shop.tax_rates.list("FR") == []
    await shop.tax_rates.remove(ids[0])
    assert await shop.tax_rates.list("DE") == stored[1:3]
    with pytest.raises(NotFoundError, match="no such tax rate"):
        await shop.tax_rates.remove(ids[0])


async def test_set_by_many_at_once_it_is_one(shop: Shop) -> None:
    ids = await asyncio.gather(*(shop.tax_rates.set(TaxRate(**VAT)) for _ in range(8)))
    assert len(set(ids)) == 1
    assert await run(shop, "SELECT count(*) FROM tax_rates") == [(1,)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("country_code", "de"),
        ("country_code", ""),
        ("state", " "),
        ("state", ""),
        ("state", "x\0"),
        ("name", ""),
        ("name", "  "),
        ("rate", Decimal(19)),
        ("rate", Decimal("-0.1")),
        ("rate", Decimal("NaN")),
        ("rate", Decimal("0.12345")),
    ],
)
async def test_a_rate_that_cannot_be_is_refused_by_name(shop: Shop, field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.tax_rates.set(TaxRate(**(VAT | {field: value})))
    assert refused.value.field == field
    assert await shop.tax_rates.list() == []


async def test_an_unknown_category_or_rate_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no such category"):
        await shop.tax_rates.set(TaxRate(**(VAT | {"category_id": CategoryId(uuid4())})))
    with pytest.raises(NotFoundError, match="no such tax rate"):
        await shop.tax_rates.remove(TaxRateId(uuid4()))


async def test_carts_are_taxed_by_it(shop: Shop, filled: Filled) -> None:
    await shop.tax_rates.set(TaxRate(**VAT))
    cart_id = await filled((await a_product(shop, price="119.00"), None, 1))
    totals = (await shop.orders.quote(cart_id, country_code="DE")).totals
    assert (totals.included_tax_amount, totals.tax_amount) == (Decimal("19.00"), Decimal(0))
    assert totals.total_amount == Decimal("119.00")


async def test_a_shop_may_bring_its_own_taxes(
    settings: Settings, shop: Shop, filled: Filled
) -> None:
    class Flat:
        async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation]:
            one = Tax(Decimal("1.00"), is_included=False)
            return [Taxation((one,) * len(sale.lines), one) for sale in sales]

    cart_id = await filled((await a_product(shop), None, 1))
    async with shopflow.open(settings, taxes=Flat()) as own:
        found = await own.orders.quote(cart_id, country_code="DE")
    assert found.totals.tax_amount == Decimal("2.00")
