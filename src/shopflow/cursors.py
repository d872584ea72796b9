"""Keyset cursors: the place in a list after which the next page begins, opaque to its holder."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from typing import Generic, TypeVar

import msgspec

from shopflow.errors import InvalidInputError

T = TypeVar("T")
K = TypeVar("K", bound=msgspec.Struct)
LARGEST_LIMIT = 100


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list; `next` is the cursor of the page after it, None when this is the last."""

    items: tuple[T, ...]
    next: str | None


def encode(place: msgspec.Struct) -> str:
    """Return the cursor for a place in a list: letters, digits, `-` and `_`."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode(cursor: str | None, kind: type[K], field: str = "cursor") -> K | None:
    """Return the place that a cursor stands for, None for None; `field` is what it was given as.

    Raises:
        InvalidInputError: for what is no cursor, or one of another list.
    """
    if cursor is None:
        return None
    try:
        document = b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        return msgspec.json.decode(document, type=kind)
    except ValueError as error:
        reason = "must be the cursor that a page of this list came with"
        raise InvalidInputError(field, cursor, reason) from error


def check_limit(limit: int) -> None:
    """Refuse a page of other than 1 to 100 rows.

    Raises:
        InvalidInputError: naming `limit`.
    """
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidInputError("limit", limit, f"must be from 1 to {LARGEST_LIMIT}")
