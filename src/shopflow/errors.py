"""The errors a caller of ShopFlow can meet; one base, and attributes instead of parsed messages."""

from __future__ import annotations

# Characters of a refused value that a message shows.
LONGEST_SHOWN = 200


class ShopflowError(Exception):
    """Something ShopFlow refused or could not do."""

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, or else the first line of the class's docstring."""
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class ConfigurationError(ShopflowError):
    """A setting has a value that cannot work; the message names the key and the value."""


class InvalidInputError(ShopflowError):
    """A value was refused.

    Attributes:
        field: the name of the field at fault.
        value: what was given, never a secret; cut in the message when it is long.
        reason: what is wrong with it, to be read after the name of the field.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {reason} (got {_cut(repr(value))})")
        self.field = field
        self.value = value
        self.reason = reason


def _cut(shown: str) -> str:
    if len(shown) <= LONGEST_SHOWN:
        return shown
    return f"{shown[:LONGEST_SHOWN]}… of {len(shown)} characters"


class NotFoundError(ShopflowError):
    """There is no such thing.

    Attributes:
        kind: what was looked for, such as `product`.
        key: the id, slug or number it was looked for by.
    """

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"no such {kind}: {key}")
        self.kind = kind
        self.key = key


class ConstraintViolatedError(ShopflowError):
    """A rule that the database keeps was broken, and nothing was changed.

    Attributes:
        constraint: the name of the constraint or trigger that refused.
    """

    def __init__(self, constraint: str, message: str | None = None) -> None:
        super().__init__(message or f"the database refused: {constraint}")
        self.constraint = constraint


class ServerError(ShopflowError):
    """The PostgreSQL server could not be started, stopped or reached."""


class PoolTimeoutError(ShopflowError):
    """No connection came free in time.

    Attributes:
        timeout: seconds waited.
        in_use: connections that were in use.
        max_size: connections the pool may have.
    """

    def __init__(self, timeout: float, in_use: int, max_size: int) -> None:
        super().__init__(
            f"no connection came free within {timeout:g} s: {in_use} of {max_size} were in use"
        )
        self.timeout = timeout
        self.in_use = in_use
        self.max_size = max_size


class TransactionError(ShopflowError):
    """A transaction was used in a way that cannot work; nothing was changed."""


class TransactionConflictError(ShopflowError):
    """Other transactions got in the way each time it was tried; nothing was changed.

    Attributes:
        attempts: how often it was tried.
    """

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"other transactions got in the way {attempts} times; nothing was changed, try again"
        )
        self.attempts = attempts


class CommitOutcomeUnknownError(ShopflowError):
    """The connection was lost during COMMIT: see whether it took effect before repeating it."""


class MigrationError(ShopflowError):
    """The schema could not be brought to the wanted version; the message says what to do."""
