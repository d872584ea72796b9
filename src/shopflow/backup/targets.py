"""What a restore goes to: a time, a named restore point, a backup, or the end of the archive."""

import string
from datetime import UTC, datetime

import msgspec

from shopflow.errors import InvalidInputError

# PostgreSQL's MAXFNAMELEN with its closing zero.
LONGEST_NAME = 63
ALLOWED = frozenset(string.ascii_letters + string.digits + "-_.")


class Target(msgspec.Struct, frozen=True):
    """Where replay stops; none given: at the end of what was archived.

    Attributes:
        at: the last moment to have, with an offset.
        restore_point: the name that `backup restore-point` gave a moment.
        backup: the name of a backup, to its own end: all that there is of an archive, whose WAL
            is kept for no longer.
    """

    at: datetime | None = None
    restore_point: str | None = None
    backup: str | None = None

    def __str__(self) -> str:
        """Say it as a message does."""
        if self.at is not None:
            return self.at.isoformat()
        if self.restore_point is not None:
            return f"restore point {self.restore_point}"
        if self.backup is not None:
            return f"the end of backup {self.backup}"
        return "the end of the archive"


LATEST = Target()


def check(target: Target) -> None:
    """Refuse what cannot be reached, before anything is made.

    Raises:
        InvalidInputError: for a time without an offset or in the future, for a name that
            PostgreSQL takes for none, and for several at once.
    """
    at, name = target.at, target.restore_point
    if [at, name, target.backup].count(None) < 2:  # noqa: PLR2004 of three
        raise InvalidInputError("target", str(target), "give one of a time, a name and a backup")
    if name is not None:
        check_name(name)
    if at is not None and at.tzinfo is None:
        raise InvalidInputError(
            "at", at.isoformat(), "needs its offset, as 2026-01-15T14:30:00+00:00, or Z for UTC"
        )
    if at is not None and at > datetime.now(UTC):
        raise InvalidInputError(
            "at", at.isoformat(), "is in the future; --latest has all that was archived"
        )


def check_name(name: str) -> None:
    """Refuse a name that is no plain one: it is an object's name in the store, too.

    Raises:
        InvalidInputError: when it is not 1 to 63 letters, digits, `-`, `_` and `.`.
    """
    plain = name.strip(".") and not set(name) - ALLOWED
    if not plain or len(name) > LONGEST_NAME:
        raise InvalidInputError(
            "restore_point", name, f"must be 1 to {LONGEST_NAME} letters, digits, -, _ and ."
        )
