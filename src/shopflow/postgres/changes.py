"""Changing some fields of a row: the statement for them, and the rule that a value broke."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
from psycopg import sql

from shopflow.errors import ConstraintViolatedError, InvalidInputError, ShopflowError
from shopflow.postgres.queries import Query

# The name of a constraint to the field that is at fault and what is wrong with it.
Rules = Mapping[str, tuple[str, str]]

LARGEST_INTEGER = 2**31 - 1


def given(changes: msgspec.Struct) -> dict[str, object]:
    """Return the fields of `changes` that are set."""
    fields = msgspec.structs.asdict(changes).items()
    return {name: value for name, value in fields if value is not msgspec.UNSET}


@cache
def update_of(name: str, table: str, fields: tuple[str, ...]) -> Query:
    """Return the statement that sets these columns of the row with this `id`.

    Only these: columns that are not written are not locked out of another's change, and a trigger
    on one of them does not run.
    """
    assignments = [
        sql.SQL("{} = {}").format(sql.Identifier(field), sql.Placeholder(field)) for field in fields
    ]
    statement = sql.SQL("UPDATE {} SET {} WHERE id = %(id)s").format(
        sql.Identifier(table), sql.SQL(", ").join(assignments)
    )
    return Query.composed(name, f"Change some columns of a row of {table}.", statement)


def broken_rule(
    error: ConstraintViolatedError, rules: Rules, values: Mapping[str, object]
) -> ShopflowError:
    """Return which of `values` broke a rule, or `error` itself when it is none of `rules`."""
    if error.constraint not in rules:
        return error
    field, reason = rules[error.constraint]
    return InvalidInputError(field, values.get(field), reason)


def check_integer(field: str, value: int | None) -> None:
    """Refuse a whole number that an INTEGER column could not hold; None is for the caller.

    Raises:
        InvalidInputError: naming `field`.
    """
    if value is not None and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        raise InvalidInputError(
            field, value, f"must be from -{LARGEST_INTEGER} to {LARGEST_INTEGER}"
        )
