"""A postal address, as accounts keep it and orders are placed with it."""

from __future__ import annotations

import re

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.text import check_text

_LONGEST = {
    "first_name": 100,
    "last_name": 100,
    "address_line_1": 255,
    "address_line_2": 255,
    "city": 100,
    "state": 100,
    "postal_code": 20,
    "country_code": 2,
}
_COUNTRY_CODE = re.compile(r"[A-Z]{2}")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order, or its bill, goes; `country_code` is ISO 3166-1 alpha-2 in capitals."""

    first_name: str
    last_name: str
    address_line_1: str
    address_line_2: str | None = None
    city: str
    state: str | None = None
    postal_code: str
    country_code: str


def check_address(name: str, address: Address) -> None:
    """Refuse an address that the database could not hold.

    Raises:
        InvalidInputError: naming the field below `name`, such as `billing_address.city`.
    """
    for field, longest in _LONGEST.items():
        value = getattr(address, field)
        if value is not None:
            check_text(f"{name}.{field}", value, longest)
    check_country_code(f"{name}.country_code", address.country_code)


def check_country_code(field: str, value: str) -> None:
    """Refuse what is no ISO 3166-1 alpha-2 code in capitals.

    Raises:
        InvalidInputError: naming `field`.
    """
    if not _COUNTRY_CODE.fullmatch(value):
        raise InvalidInputError(field, value, "must be two capitals, such as DE")
