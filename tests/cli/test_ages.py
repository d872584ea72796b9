"""Ages on the command line."""

from datetime import timedelta

import cyclopts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.cli.ages import parsed, shown


def age(value: str) -> timedelta:
    return parsed(timedelta, [cyclopts.Token(value=value)])


@given(st.integers(0, 10**6 * 86400 - 1))
def test_what_is_shown_is_read_again(seconds: int) -> None:
    assert age(shown(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "60", "soon", "-1d", "1.5h", "1h1d", "9999999d", "d"])
def test_what_is_no_age_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is no age: give days, hours"):
        age(value)
