"""Ages on the command line: `90s`, `30m`, `24h`, `15d`, and sums as `1d12h`."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import cyclopts

from shopflow.errors import InvalidInputError

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_AGE = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,9})m)?(?:(\d{1,10})s)?")


class Age(timedelta):
    """How long ago: a type of its own for its name in the help."""


def parsed(_kind: object, tokens: Sequence[cyclopts.Token]) -> Age:
    """Return the age that an option's value stands for.

    Raises:
        ValueError: for anything else; cyclopts names the option.
    """
    value = tokens[0].value
    found = _AGE.fullmatch(value)
    if not value or found is None:
        raise ValueError(
            f"{value!r} is no age: give days, hours, minutes or seconds as 15d, 24h, 30m or 90s"
        )
    return Age(
        **{
            name: int(number)
            for name, number in zip(_UNITS.values(), found.groups(), strict=True)
            if number
        }
    )


GivenAge = Annotated[Age, cyclopts.Parameter(converter=parsed)]


def whole_days(name: str, age: timedelta) -> int:
    """Return the days of an age.

    Raises:
        InvalidInputError: when it is not so many whole days, naming the option.
    """
    if age % timedelta(days=1):
        raise InvalidInputError(name, shown(age), "must be whole days, as 15d")
    return age.days


def shown(age: timedelta) -> str:
    """Return an age as it is given: `1d12h`."""
    minutes, seconds = divmod(age.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = zip((age.days, hours, minutes, seconds), _UNITS, strict=True)
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
