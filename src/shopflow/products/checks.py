"""The fields that are written about products, each checked before the database sees it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.money import LARGEST, rounded
from shopflow.text import check_text, storable

Check = Callable[[str, Any], None]

# Above every warehouse, and so far below INTEGER's limit that twenty variants' sum is within it.
LARGEST_STOCK = 100_000_000
LARGEST_INTEGER = 2**31 - 1
# As PostgreSQL's TEXT has no limit: a page of a book, and a picture's address.
LONGEST_TEXT, LONGEST_URL = 100_000, 2_000
_NOT_IN_SLUGS = re.compile(r"[\s/?#]")


def check_fields(fields: msgspec.Struct) -> dict[str, object]:
    """Return the fields that are given by name, each of them checked.

    Raises:
        InvalidInputError: naming the first field at fault and its value, or when none is given.
    """
    given = {
        name: value
        for name, value in msgspec.structs.asdict(fields).items()
        if value is not msgspec.UNSET
    }
    if not given:
        names = ", ".join(fields.__struct_fields__)
        raise InvalidInputError("changes", None, f"at least one of {names} must be given")
    for name, value in given.items():
        if value is not None:
            _CHECKS[name](name, value)
        elif name not in _nullable(type(fields)):
            raise InvalidInputError(name, value, "must not be None")
    return given


@cache
def _nullable(kind: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(name for name, hint in hints.items() if NoneType in get_args(hint))


def as_json(fields: Mapping[str, object]) -> str:
    """Return checked fields as the JSON object that `jsonb_populate_record` takes."""
    return msgspec.json.encode(fields, enc_hook=_as_dict).decode()


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def check_integer(field: str, value: object, smallest: int, largest: int) -> None:
    """Refuse what is not a whole number within the bounds, which are included.

    Raises:
        InvalidInputError: naming `field` and the value.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInputError(field, value, "must be a whole number")
    if not smallest <= value <= largest:
        raise InvalidInputError(field, value, f"must be from {smallest} to {largest}")


def _integer(smallest: int, largest: int) -> Check:
    return lambda field, value: check_integer(field, value, smallest, largest)


def _text(longest: int, *, blank: bool = False) -> Check:
    def check(field: str, value: object) -> None:
        if not isinstance(value, str):
            raise InvalidInputError(field, value, "must be text")
        check_text(field, value, longest, shortest=0 if blank else 1)
        if not blank and not value.strip(" "):
            raise InvalidInputError(field, value, "must not be blank")

    return check


def _slug(field: str, value: str) -> None:
    _text(255)(field, value)
    if _NOT_IN_SLUGS.search(value):
        raise InvalidInputError(field, value, "must not have white space, /, ? or #")


def _amount(field: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise InvalidInputError(field, value, "must be a Decimal amount of money")
    if not 0 <= value <= LARGEST:
        raise InvalidInputError(field, value, f"must be from 0 to {LARGEST}")
    if value != rounded(value):
        raise InvalidInputError(field, value, "has more than two decimal places")


def _flag(field: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidInputError(field, value, "must be True or False")


def _key(field: str, value: object) -> None:
    if not isinstance(value, UUID):
        raise InvalidInputError(field, value, "must be a UUID")


def _document(field: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidInputError(field, value, "must be a mapping")
    if not _fits_json(value):
        raise InvalidInputError(
            field, value, "must hold text, finite numbers, True, False, None, lists and mappings"
        )


def _fits_json(value: object) -> bool:
    match value:
        case None | bool() | int():
            return True
        case str():
            return storable(value)
        case float():
            return math.isfinite(value)
        case Mapping():
            return all(isinstance(key, str) and storable(key) for key in value) and all(
                _fits_json(each) for each in value.values()
            )
        case list() | tuple():
            return all(_fits_json(each) for each in value)
        case _:
            return False


def _tags(field: str, value: object) -> None:
    if not isinstance(value, list | tuple):
        raise InvalidInputError(field, value, "must be a tuple of texts")
    for tag in value:
        _text(255)(field, tag)


_CHECKS: Mapping[str, Check] = {
    "name": _text(255),
    "slug": _slug,
    "sku": _text(100),
    "description": _text(LONGEST_TEXT, blank=True),
    "price": _amount,
    "compare_at_price": _amount,
    "category_id": _key,
    "brand_id": _key,
    "parent_id": _key,
    "variant_id": _key,
    "stock_quantity": _integer(0, LARGEST_STOCK),
    "track_inventory": _flag,
    "attributes": _document,
    "option_values": _document,
    "tags": _tags,
    "is_active": _flag,
    "is_featured": _flag,
    "is_primary": _flag,
    "sort_order": _integer(-LARGEST_INTEGER, LARGEST_INTEGER),
    "url": _text(LONGEST_URL),
    "alt_text": _text(LONGEST_TEXT, blank=True),
    "logo_url": _text(LONGEST_URL),
    "rating": _integer(1, 5),
    "title": _text(255, blank=True),
    "content": _text(LONGEST_TEXT, blank=True),
}
