"""What tax an order carries: the protocol, and the way of the table tax_rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from shopflow.errors import ShopflowError
from shopflow.ids import CategoryId, ProductId, VariantId
from shopflow.money import ZERO, rounded


class TaxRate(msgspec.Struct, frozen=True, kw_only=True):
    """A row of tax_rates: `rate` is a share of the net price, 0.19 for 19 %.

    `state` None is the whole country; `category_id` None is every product that no other rate of
    the place names, and shipping. `is_inclusive` says that prices contain the tax.
    """

    country_code: str
    state: str | None
    category_id: CategoryId | None
    name: str
    rate: Decimal
    is_inclusive: bool


class TaxableLine(msgspec.Struct, frozen=True):
    """A line to be taxed: `amount` is what is paid for it, after the discount.

    `category_path` is the product's category and those above it, the nearest first.
    """

    product_id: ProductId
    variant_id: VariantId | None
    sku: str
    category_path: tuple[CategoryId, ...]
    quantity: int
    amount: Decimal


class Sale(msgspec.Struct, frozen=True):
    """What is to be taxed, and where it goes.

    `rates` are the rows of tax_rates for this country that are for all of it or for this state.
    """

    country_code: str
    state: str | None
    lines: tuple[TaxableLine, ...]
    shipping_amount: Decimal
    rates: tuple[TaxRate, ...]


class Tax(msgspec.Struct, frozen=True):
    """An amount of tax to the cent, and whether the price contains it; else it is added."""

    amount: Decimal
    is_included: bool


class Taxation(msgspec.Struct, frozen=True):
    """The tax on each line, in their order, and on shipping."""

    lines: tuple[Tax, ...]
    shipping: Tax


class Taxes(Protocol):
    """How a shop taxes; for one of your own, such as a tax service, write this one method."""

    async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation | ShopflowError]:
        """Return the tax on each of these sales, in their order.

        What cannot be taxed gets a ShopflowError in its place, which is then the answer to that
        order alone; an exception is the answer to all. Called with a connection held, so that it
        should not take long.
        """
        ...


NO_TAX = Tax(ZERO, is_included=False)


class TableTaxes:
    """Taxes by the table tax_rates; what no rate is for is not taxed."""

    async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation]:
        """Return the tax by the rates of each sale; nothing is read or waited for."""
        return [taxation_of(sale) for sale in sales]


def taxation_of(sale: Sale) -> Taxation:
    """Tax each line and the shipping by the rate for it, each rounded to the cent."""
    return Taxation(
        tuple(tax_on(line.amount, rate_for(sale.rates, line.category_path)) for line in sale.lines),
        tax_on(sale.shipping_amount, rate_for(sale.rates, ())),
    )


def rate_for(rates: Iterable[TaxRate], category_path: Sequence[CategoryId]) -> TaxRate | None:
    """Return the most specific of the rates of a place, None when none is for these categories.

    A rate of the state wins over every rate of the country; within each the nearest category
    wins, and any over a rate without category.
    """
    nearness: dict[CategoryId | None, int] = {each: n for n, each in enumerate(category_path)}
    nearness[None] = len(category_path)
    return min(
        (rate for rate in rates if rate.category_id in nearness),
        key=lambda rate: (rate.state is None, nearness[rate.category_id]),
        default=None,
    )


def tax_on(amount: Decimal, rate: TaxRate | None) -> Tax:
    """Return the tax on an amount, to the cent: contained in it, or to be added."""
    if rate is None:
        return NO_TAX
    if rate.is_inclusive:
        return Tax(rounded(amount * rate.rate / (1 + rate.rate)), is_included=True)
    return Tax(rounded(amount * rate.rate), is_included=False)
