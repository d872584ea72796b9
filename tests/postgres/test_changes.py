"""Changing some fields of a row."""

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from shopflow.errors import ConstraintViolatedError, InvalidInputError
from shopflow.postgres.changes import broken_rule, check_integer, given, update_of


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    price: int | UnsetType | None = UNSET


def test_what_is_not_set_is_left_out_and_none_is_not() -> None:
    assert given(Changes()) == {}
    assert given(Changes(price=None)) == {"price": None}
    assert given(Changes(name="x", price=1)) == {"name": "x", "price": 1}


def test_only_these_columns_are_written_and_names_are_quoted() -> None:
    query = update_of("update_odd", 'odd "table"', ("name", "order"))
    assert query.sql == (
        b'UPDATE "odd ""table""" SET "name" = %(name)s, "order" = %(order)s WHERE id = %(id)s'
    )
    assert query.name == "update_odd"


def test_a_broken_rule_names_the_field_and_its_value() -> None:
    error = ConstraintViolatedError("x_check")
    found = broken_rule(error, {"x_check": ("x", "is wrong")}, {"x": 7})
    assert isinstance(found, InvalidInputError)
    assert (found.field, found.value, found.reason) == ("x", 7, "is wrong")
    assert broken_rule(error, {}, {"x": 7}) is error


@pytest.mark.parametrize("value", [2**31, -(2**31), 10**30])
def test_a_number_that_no_column_holds_is_refused(value: int) -> None:
    for good in (None, 0, 2**31 - 1):
        check_integer("n", good)
    with pytest.raises(InvalidInputError, match="n: must be from"):
        check_integer("n", value)
