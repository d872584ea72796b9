"""WAL segments by their names: which are needed, and which of them is missing."""

import re
from collections.abc import Iterable

NAME = re.compile(r"[0-9A-F]{24}")
# A segment's name counts within what four bytes of a position address.
SPAN = 2**32


def archived_name(found: str) -> str:
    """Return PostgreSQL's name of an archived file: without what tells how it is packed."""
    for suffix in (".age", ".zst", ".gz"):
        found = found.removesuffix(suffix)
    return found


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
    return None if number is None else _name(timeline, number, size)


def before(timeline: int, high: int, low: int, size: int) -> str:
    """Return the name of the segment that ends at, or holds, the position `high`/`low`."""
    return _name(f"{timeline:08X}", (high * SPAN + low - 1) // size, size)


def _name(timeline: str, number: int, size: int) -> str:
    high, low = divmod(number, SPAN // size)
    return f"{timeline}{high:08X}{low:08X}"


def _number(name: str, size: int) -> int:
    return int(name[8:16], 16) * (SPAN // size) + int(name[16:], 16)
