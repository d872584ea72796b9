"""WAL segments by their names: which are needed, and which of them is missing."""

import re
from collections.abc import Collection, Iterable

NAME = re.compile(r"[0-9A-F]{24}")
# As archived, compressed or not; a backup's label and what is not whole are called after one.
ARCHIVED = re.compile(r"([0-9A-F]{24})(?!\.partial|\.[0-9A-F]{8}\.backup)(?:\..*)?")
# A segment's name counts within what four bytes of a position address.
SPAN = 2**32


def archived_name(found: str) -> str:
    """Return PostgreSQL's name of an archived file: without what tells how it is packed."""
    for suffix in (".age", ".zst", ".gz"):
        found = found.removesuffix(suffix)
    return found


def of_file(path: str) -> str | None:
    """Return the name of the segment that an archived file is, None when it is another thing."""
    found = ARCHIVED.fullmatch(path.rpartition("/")[2])
    return found[1] if found else None


def first_missing(archived: Iterable[str], start: str, size: int) -> str | None:
    """Return the first segment that is missing between `start` and the last of its timeline.

    None when all are there. Nothing archived from `start` on: `start` is missing.

    Args:
        archived: names of archived files, other kinds among them.
        start: the segment that a restore begins with.
        size: bytes of a segment.
    """
    timeline = start[:8]
    numbers = _numbers(archived, timeline, size)
    first = _number(start, size)
    last = max((number for number in numbers if number >= first), default=first)
    missing = (number for number in range(first, last + 1) if number not in numbers)
    number = next(missing, None)
    return None if number is None else _name(timeline, number, size)


def first_missing_to(archived: Collection[str], start: str, end: str, size: int) -> str | None:
    """Return the first segment that is missing from `start` to `end`, None when all are there."""
    up_to = {name for name in archived if name <= end}
    return first_missing(up_to, start, size) or (None if end in up_to else end)


def of_files(paths: Iterable[str]) -> set[str]:
    """Return the names of the segments that are among archived files."""
    return {name for path in paths if (name := of_file(path))}


def unbroken_since(archived: Iterable[str], timeline: str, size: int) -> str | None:
    """Return the first segment after which none of the timeline is missing; None without any.

    Args:
        archived: names of archived files, other kinds among them.
        timeline: the first eight digits of a segment's name.
        size: bytes of a segment.
    """
    numbers = _numbers(archived, timeline, size)
    first = max(numbers, default=None)
    if first is None:
        return None
    while first - 1 in numbers:
        first -= 1
    return _name(timeline, first, size)


def before(timeline: int, high: int, low: int, size: int) -> str:
    """Return the name of the segment that ends at, or holds, the position `high`/`low`."""
    return _name(f"{timeline:08X}", (high * SPAN + low - 1) // size, size)


def _numbers(archived: Iterable[str], timeline: str, size: int) -> set[int]:
    return {
        _number(name, size)
        for name in archived
        if NAME.fullmatch(name) and name.startswith(timeline)
    }


def _name(timeline: str, number: int, size: int) -> str:
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
