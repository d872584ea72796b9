"""What PostgreSQL refused as an error of the domain, by the constraint's or parameter's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import psycopg

from shopflow.errors import ConstraintViolatedError, InvalidInputError, ShopflowError

# Makes the domain's error; given the message of a trigger of ours, or None for a constraint.
MakeError = Callable[[str | None], ShopflowError]

_errors: dict[str, MakeError] = {}

# Citus loses the name when the shard is on another node, and adds the shard's number to it.
_QUOTED_NAME = re.compile(r'constraint "([^"]+)"')
# Parameters that are ids.
_ID = re.compile(r"(?:^|_)ids?$|^actor$|^by$")
_UNREADABLE_ID = re.compile(r'for type uuid: "(.*)"')
_NO_ID = "must be a UUID"
_SHARD_NUMBER = re.compile(r"_\d+$")


def register(errors: Mapping[str, MakeError]) -> None:
    """Add to the table of errors: constraint or trigger name → class of the domain error.

    The class is called with the trigger's own message, or None when a plain constraint failed.

    Raises:
        ValueError: when a name is already taken by another class.
    """
    for name, make in errors.items():
        if _errors.setdefault(name, make) is not make:
            raise ValueError(f"constraint {name} already has an error")


def translate(error: psycopg.Error) -> Exception:
    """Return the domain error for a broken constraint (SQLSTATE class 23), else `error` itself.

    Neither its message nor that of `error`, which a traceback shows as its cause, holds
    PostgreSQL's DETAIL line: that has the values, such as an e-mail address or a token's hash.
    """
    if not (error.sqlstate or "").startswith("23"):
        return error
    error.args = (error.diag.message_primary,)
    name = _constraint(error.diag)
    make = _errors.get(name)
    message = _message_of_trigger(error.diag)
    return make(message) if make else ConstraintViolatedError(name, message)


def wrong_id(error: psycopg.Error, params: Mapping[str, object]) -> InvalidInputError | None:
    """Return the error for the parameter that should be a UUID and is none, or None.

    Only looked for once a statement was refused, so that no other pays for it.
    """
    message = str(error)
    if "uuid" not in message.lower():
        return None
    for name, value in params.items():
        among = value if isinstance(value, (list, tuple)) else ()
        if _is_quoted(value, message) or (_ID.search(name) and not _is_id(value, among)):
            return InvalidInputError(name, value, _NO_ID)
    # In a document.
    quoted = _UNREADABLE_ID.search(message)
    return InvalidInputError("id", quoted[1], _NO_ID) if quoted else None


def _is_quoted(value: object, message: str) -> bool:
    # As PostgreSQL does it with a text that it cannot read.
    return isinstance(value, str) and f'"{value}"' in message


def _is_id(value: object, among: Sequence[object]) -> bool:
    # A text alone is read as one where it is one; in a list it would be an array of texts.
    if among:
        return all(isinstance(each, UUID) for each in among)
    return isinstance(value, (UUID, str, list, tuple)) or value is None


def _constraint(diag: psycopg.errors.Diagnostic) -> str:
    name = diag.constraint_name
    if name is None and diag.column_name:
        # NOT NULL reports no constraint; this is the name that PostgreSQL 18 gives to it.
        return f"{diag.table_name}_{diag.column_name}_not_null"
    if name is None:
        quoted = _QUOTED_NAME.search(diag.message_primary or "")
        name = quoted[1] if quoted else "a constraint"
        return _SHARD_NUMBER.sub("", name)
    return name if name in _errors else _known_without_shard(name)


def _known_without_shard(name: str) -> str:
    plain = _SHARD_NUMBER.sub("", name)
    return plain if plain in _errors else name


def _message_of_trigger(diag: psycopg.errors.Diagnostic) -> str | None:
    # The primary message of RAISE is ours and written to be shown.
    return diag.message_primary if diag.source_function == "exec_stmt_raise" else None
