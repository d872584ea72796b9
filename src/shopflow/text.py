"""Text that PostgreSQL can hold, and within the length of its column; e-mail addresses."""

from __future__ import annotations

import re

from shopflow.errors import InvalidInputError

# Valid in a Python string, and not in PostgreSQL's UTF-8.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
LONGEST_EMAIL = 255
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def storable(value: str) -> bool:
    """Return whether PostgreSQL can hold `value`: no NUL, no lone surrogate."""
    return not _UNSTORABLE.search(value)


def check_text(
    field: str, value: str, longest: int, *, shortest: int = 1, secret: bool = False
) -> None:
    """Refuse text that a column of `longest` characters could not hold; a secret is not shown.

    Raises:
        InvalidInputError: naming `field`.
    """
    shown = "…" if secret else value
    if not shortest <= len(value) <= longest:
        raise InvalidInputError(field, shown, f"must have {shortest} to {longest} characters")
    if not storable(value):
        raise InvalidInputError(field, shown, "must not have a NUL or a lone surrogate")


def check_email(field: str, value: str) -> None:
    """Refuse what cannot be an e-mail address; whether it is one, only a mail to it tells.

    Raises:
        InvalidInputError: naming `field`.
    """
    check_text(field, value, LONGEST_EMAIL)
    if not _EMAIL.fullmatch(value):
        raise InvalidInputError(field, value, "is not an e-mail address")
