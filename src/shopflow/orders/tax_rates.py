"""`shop.tax_rates`: setting, listing and removing the rates that `taxes.TableTaxes` goes by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.addresses import check_country_code
from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import TaxRateId
from shopflow.orders.reading import QUERIES
from shopflow.orders.taxes import TaxRate
from shopflow.postgres.changes import Rules, broken_rule
from shopflow.postgres.pool import Pool
from shopflow.text import check_text

LONGEST_TEXT = 100
PLACES = Decimal("0.0001")
_RULES: Rules = {
    "tax_rates_state_check": ("state", "must not be blank"),
    "tax_rates_name_check": ("name", "must not be blank"),
}


class _Set(msgspec.Struct, frozen=True):
    id: TaxRateId


class StoredTaxRate(TaxRate, frozen=True, kw_only=True):
    """A tax rate with its key."""

    id: TaxRateId


async def set_tax_rate(connection: AsyncConnection[Any], rate: TaxRate) -> TaxRateId:
    """Tax what is sold to a place, in place of a rate for the same country, state and category.

    Carts are taxed by it from now on; orders keep what they were charged.

    Raises:
        InvalidInputError: for a value that cannot be, naming its field: such as a `rate` that is
            not from 0 to below 1, or has more than four decimal places.
        NotFoundError: when there is no such category.
    """
    values = msgspec.structs.asdict(rate)
    _check(rate)
    try:
        (made,) = await QUERIES["set_tax_rate"].rows(connection, _Set, **values)
    except ConstraintViolatedError as error:
        if error.constraint == "tax_rates_category_id_fkey":
            raise NotFoundError("category", rate.category_id) from error
        raise broken_rule(error, _RULES, values) from error
    return made.id


async def list_tax_rates(
    connection: AsyncConnection[Any], country_code: str | None = None
) -> list[StoredTaxRate]:
    """Return the rates of a country, None for all: first those of the whole country.

    Raises nothing of its own.
    """
    return await QUERIES["list_tax_rates"].rows(
        connection, StoredTaxRate, country_code=country_code
    )


async def remove_tax_rate(connection: AsyncConnection[Any], rate_id: TaxRateId) -> None:
    """Remove a rate; what it was for is then taxed by the next that is for it, or not at all.

    Raises:
        NotFoundError: when there is no such rate.
    """
    if not await QUERIES["remove_tax_rate"].execute(connection, id=rate_id):
        raise NotFoundError("tax rate", rate_id)


class TaxRates:
    """The tax rates of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def set(self, rate: TaxRate) -> TaxRateId:
        """Set the rate of a place and category; see `set_tax_rate`."""
        async with self._pool.connection() as connection:
            return await set_tax_rate(connection, rate)

    async def remove(self, rate_id: TaxRateId) -> None:
        """Remove a rate; see `remove_tax_rate`."""
        async with self._pool.connection() as connection:
            await remove_tax_rate(connection, rate_id)

    async def list(self, country_code: str | None = None) -> list[StoredTaxRate]:
        """Return the rates of a country, or all; see `list_tax_rates`."""
        async with self._pool.connection() as connection:
            return await list_tax_rates(connection, country_code)


def _check(rate: TaxRate) -> None:
    check_country_code("country_code", rate.country_code)
    check_text("name", rate.name, LONGEST_TEXT)
    if rate.state is not None:
        check_text("state", rate.state, LONGEST_TEXT)
    share = rate.rate
    if not share.is_finite() or not 0 <= share < 1:
        raise InvalidInputError("rate", share, "must be from 0 to below 1: 0.19 is 19 %")
    if share != share.quantize(PLACES):
        raise InvalidInputError("rate", share, "has more than four decimal places")
