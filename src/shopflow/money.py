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


def is_amount(value: object) -> bool:
    """Return whether `value` is a Decimal and a number; a float never is an amount of money."""
    return isinstance(value, Decimal) and value.is_finite()


def check_amount(field: str, amount: Decimal | None) -> None:
    """Refuse what is no amount of money: negative, above NUMERIC(12,2), or with parts of a cent.

    Raises:
        InvalidInputError: naming `field`; None is for the caller.
    """
    if amount is None:
        return
    if not is_amount(amount):
        raise InvalidInputError(field, amount, "is not an amount of money: a Decimal")
    if not 0 <= amount <= LARGEST:
        raise InvalidInputError(field, amount, f"must be from 0 to {LARGEST}")
    if amount != rounded(amount):
        raise InvalidInputError(field, amount, "has more than two decimal places")


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
