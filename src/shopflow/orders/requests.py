"""What the database is asked with in a document: the ids in it, and what it is known again by."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID

import msgspec

from shopflow.errors import InvalidInputError

LONGEST_KEY = 255


def fingerprint_of(request: msgspec.Struct, **changes: object) -> bytes:
    """Return the SHA-256 of a request: the same for an equal one, only.

    A field that is None is left out, so that one added later does not change it. `changes` take
    the place of fields of the request.
    """
    given = {
        name: _with_keys_of_text(value)
        for name, value in (msgspec.structs.asdict(request) | changes).items()
        if value is not None
    }
    return sha256(msgspec.json.encode(given, order="sorted")).digest()


def _with_keys_of_text(value: object) -> object:
    # JSON has no UUID for a key.
    return {str(key): each for key, each in value.items()} if isinstance(value, Mapping) else value


def check_id(field: str, value: object) -> None:
    """Refuse what is no UUID, nor the text of one; None is one that is left out.

    For ids that go to the database inside of a document; others are refused there (see
    `failures.wrong_id`).

    Raises:
        InvalidInputError: naming `field`.
    """
    if value is None or isinstance(value, UUID):
        return
    try:
        UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise InvalidInputError(field, value, "must be a UUID") from error
