"""Amounts of money: Decimal with two places, rounded half up, as NUMERIC(12,2) keeps them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from shopflow.errors import InvalidInputError

CENT = Decimal("0.01")
LARGEST = Decimal("9999999999.99")
ZERO = Decimal("0.00")
# Decimal() itself takes 1e3, 1_000, NaN and the digits of every script.
_WRITTEN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


def rounded(amount: Decimal) -> Decimal:
    """Return `amount` to the cent, half a cent away from zero, as PostgreSQL rounds NUMERIC."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def parse_amount(field: str, text: str) -> Decimal:
    """Read a price such as `19.90` exactly: not negative, at most two places, within NUMERIC(12,2).

    Raises:
        InvalidInputError: naming `field` and the text, when it is anything else.
    """
    if not _WRITTEN.fullmatch(text.strip()):
        raise InvalidInputError(field, text, "is not an amount of money")
    amount = Decimal(text.strip())
    if amount < 0:
        raise InvalidInputError(field, text, "must not be negative")
    if amount > LARGEST:
        raise InvalidInputError(field, text, f"must not be above {LARGEST}")
    if amount != rounded(amount):
        raise InvalidInputError(field, text, "has more than two decimal places")
    return rounded(amount)
