"""The values of a CSV row, typed, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from shopflow.errors import InvalidInputError
from shopflow.importers.columns import Columns
from shopflow.importers.csv_records import Record
from shopflow.importers.products import (
    DEEPEST_CATEGORY,
    LARGEST_INTEGER,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_URL,
    NEGATIVE_STOCK,
    REDUCTION_DROPPED,
    GivenProblem,
    Note,
)
from shopflow.money import ZERO, parse_amount

SHOWN = 200
_URL = re.compile(r"https?://[^\s/][^\s]*\Z", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]+")
# What nearly every price is; the rest is for parse_amount.
_PLAIN_AMOUNT = re.compile(r"[0-9]{1,10}\.[0-9]{2}")


class Cells:
    """One row after the other.

    Args:
        columns: where the file has what.
        note: called with the line and a sentence for what was changed to fit.
    """

    def __init__(self, columns: Columns, note: Note) -> None:
        self._places = columns.places
        self._width = columns.width
        self._say = note
        self._row: list[str] = []
        self._problems: list[tuple[str, str, str]] = []
        self.n = self.line = 0

    def take(self, n: int, record: Record) -> None:
        """Go on to a row, the `n`th of all files."""
        self.n, self.line = n, record.line
        self._row = values = record.values
        if len(values) != self._width:
            reason = f"the row has {len(values)} values, not {self._width}"
            self.refuse("handle", values[0], reason)
            self._row = values = [*values, *[""] * self._width][: self._width]
        if "\0" in "".join(values):
            for field, place in self._places.items():
                if "\0" in values[place]:
                    self.refuse(field, values[place], "holds a NUL byte")
            self._row = [value.replace("\0", "") for value in values]

    def refuse(self, field: str, value: str, reason: str) -> None:
        """Say that a value of this row cannot be imported."""
        self._problems.append((field, value.replace("\0", "\\0")[:SHOWN], reason))

    def problems(self, part: int) -> list[GivenProblem]:
        """Return what was refused in this row, which belongs to the GivenProduct `part`."""
        if not self._problems:
            return []
        found, self._problems = self._problems, []
        return [GivenProblem(self.n, part, self.line, *each) for each in found]

    def note(self, message: str) -> None:
        """Count that something in this row was imported otherwise than it stands there."""
        self._say(self.line, message)

    def raw(self, field: str) -> str:
        """Return a value as it stands; empty where the file has no such column."""
        place = self._places.get(field)
        return "" if place is None else self._row[place]

    def text(self, field: str, longest: int | None = None) -> str | None:
        """Return a text without the space around it; None for an empty one."""
        text = self.raw(field).strip()
        if longest is not None and len(text) > longest:
            self.refuse(field, text, f"is {len(text)} characters long, {longest} is the most")
            text = text[:longest]
        return text or None

    def description(self, field: str) -> str | None:
        """Return a long text as it stands."""
        text = self.raw(field)
        if len(text) > LONGEST_DESCRIPTION // 4 and len(text.encode()) > LONGEST_DESCRIPTION:
            self.refuse(field, text, "is longer than 512 KiB")
            return None
        return text if text.strip() else None

    def url(self, field: str, given: str | None = None) -> str | None:
        """Return an address on the web; `given` is one of several in the field."""
        url = (self.raw(field) if given is None else given).strip()
        if not url:
            return None
        reason = wrong_url(url)
        if reason is None:
            return url
        self.refuse(field, url, reason)
        return None

    def category(self, field: str, path: str) -> tuple[str, ...] | None:
        """Return the names of `A > B > C` from the root down."""
        names = tuple(name for each in path.split(" > ") if (name := each.strip()))
        if any(len(name) > LONGEST_NAME for name in names) or len(names) > DEEPEST_CATEGORY:
            reason = (
                f"must be at most {DEEPEST_CATEGORY} names of at most {LONGEST_NAME} characters"
            )
            self.refuse(field, self.raw(field), reason)
            return None
        return names or None

    def tags(self, field: str) -> tuple[str, ...]:
        """Return the tags between the commas, each once."""
        text = self.raw(field)
        if not text:
            return ()
        tags = [tag.strip() for tag in text.split(",")]
        if any(len(tag) > LONGEST_NAME for tag in tags):
            self.refuse(field, text, f"a tag is longer than {LONGEST_NAME}")
        return tuple(dict.fromkeys(tag for tag in tags if tag))

    def amount(self, field: str) -> Decimal | None:
        """Return an amount of money; None for an empty value."""
        text = self.raw(field).strip()
        if not text:
            return None
        if _PLAIN_AMOUNT.fullmatch(text):
            return Decimal(text)
        try:
            return parse_amount(field, text)
        except InvalidInputError as error:
            self.refuse(field, text, error.reason)
            return None

    def reduced_from(self, amount: Decimal | None, price: Decimal | None) -> Decimal | None:
        """Return the price before a reduction; None, and a note, when it is none."""
        if amount is None or amount == ZERO or price is None:
            return None
        if amount <= price:
            self.note(REDUCTION_DROPPED)
            return None
        return amount

    def integer(self, field: str) -> int | None:
        """Return a whole number; None for an empty value."""
        text = self.raw(field).strip()
        if not text:
            return None
        if not _WHOLE.fullmatch(text):
            self.refuse(field, text, "is not a whole number")
            return None
        if len(text) > 11 or abs(int(text)) > LARGEST_INTEGER:  # noqa: PLR2004 int4 with its sign
            self.refuse(field, text, f"is beyond {LARGEST_INTEGER}")
            return None
        return int(text)

    def quantity(self, field: str) -> int | None:
        """Return pieces in stock; None when the file has no such column."""
        if field not in self._places:
            return None
        quantity = self.integer(field) or 0
        if quantity < 0:
            self.note(NEGATIVE_STOCK)
        return max(quantity, 0)

    def choice(self, field: str, choices: Mapping[str, bool], *, default: bool) -> bool:
        """Return what a word stands for, in whatever case; an empty value is the default."""
        text = self.raw(field)
        if not text:
            return default
        text = text.strip().lower()
        if text and text not in choices:
            self.refuse(field, self.raw(field), f"must be {' or '.join(choices)}")
        return choices.get(text, default)


def wrong_url(url: str) -> str | None:
    """Return why `url` cannot be an image's address; None when it can."""
    if len(url) > LONGEST_URL // 4 and len(url.encode()) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} bytes"
    if not _URL.match(url):
        return "must be an address that begins with https:// or http://"
    return None
