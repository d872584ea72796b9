"""What a request is known again by when it is repeated."""

from __future__ import annotations

from hashlib import sha256

import msgspec

LONGEST_KEY = 255


def fingerprint_of(request: msgspec.Struct) -> bytes:
    """Return the SHA-256 of a request: the same for an equal one, only.

    A field that is None is left out, so that one added later does not change it.
    """
    fields = msgspec.structs.asdict(request).items()
    given = {name: value for name, value in fields if value is not None}
    return sha256(msgspec.json.encode(given, order="sorted")).digest()
