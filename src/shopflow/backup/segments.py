"""WAL segments by their names: which are needed, and which of them is missing."""

import re
from collections.abc import Iterable

NAME = re.compile(r"[0-9A-F]{24}")
# A segment's name counts within what four bytes of a position address.
SPAN = 2**32


def first_missing(archived: Iterable[str], start: str, size: int) -> str | None:
    """Return the first segment that is missing between `start` and the last of its timeline.

    None when all are there. Nothing archived from `start` on: `start` is missing.

    Args:
        archived: names of archived files, other kinds among them.
        start: the segment that a restore begins with.
        size: bytes of a segment.
    """
    timeline = start[:8]
    numbers = {
        _number(name, size)
        for name in archived
        if NAME.fullmatch(name) and name.startswith(timeline)
    }
    first = _number(start, size)
    last = max((number for number in numbers if number >= first), default=first)
    missing = (number for number in range(first, last + 1) if number not in numbers)
    number = next(missing, None)
    if number is None:
        return None
    high, low = divmod(number, SPAN // size)
    return f"{timeline}{high:08X}{low:08X}"


def extent(archived: Iterable[str], start: str, size: int) -> tuple[int, int]:
    """Return where the WAL from `start` on begins, and how many bytes of it are archived.

    Args:
        archived: names of archived files, other kinds among them.
        start: the segment that a restore begins with.
        size: bytes of a segment.
    """
    first = _number(start, size)
    count = sum(
        1
        for name in archived
        if NAME.fullmatch(name) and name.startswith(start[:8]) and _number(name, size) >= first
    )
    return first * size, count * size


def _number(name: str, size: int) -> int:
    return int(name[8:16], 16) * (SPAN // size) + int(name[16:], 16)
