"""The values of a CSV row, typed, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from operator import itemgetter

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
NOT_IN_SLUGS = re.compile(r"[\s/?#]")


class Cells:
    """One row after the other; each method takes a field and what stands there.

    Args:
        columns: where the file has what.
        note: called with the line and a sentence for what was changed to fit.
    """

    def __init__(self, columns: Columns, note: Note) -> None:
        self._columns = columns
        # Behind the row's own values there is an empty one, for the columns that it does not have.
        places = [columns.places.get(column, columns.width) for column in columns.names]
        self._values = itemgetter(*places)
        self._note = note
        self._problems: list[tuple[str, str, str]] = []
        self._n = self._line = 0

    def take(self, n: int, record: Record) -> tuple[str, ...]:
        """Go on to a row, the `n`th of all files; return its values in the order of the format.

        Empty text stands for the columns that the file does not have.
        """
        self._n, self._line, values = n, record.line, record.values
        width = self._columns.width
        if len(values) != width:
            self.refuse("handle", values[0], f"the row has {len(values)} values, not {width}")
            values = [*values, *[""] * width][:width]
        if "\0" in "".join(values):
            for field, place in self._columns.places.items():
                if "\0" in values[place]:
                    self.refuse(field, values[place], "holds a NUL byte")
            values = [value.replace("\0", "") for value in values]
        values.append("")
        found: tuple[str, ...] = self._values(values)
        return found

    def has(self, field: str) -> bool:
        """Return whether the file has the column."""
        return field in self._columns.places

    def refuse(self, field: str, value: str, reason: str) -> None:
        """Say that a value of this row cannot be imported."""
        self._problems.append((field, value.replace("\0", "\\0")[:SHOWN], reason))

    def problems(self, part: int) -> list[GivenProblem]:
        """Return what was refused in this row, which belongs to the GivenProduct `part`."""
        if not self._problems:
            return []
        found, self._problems = self._problems, []
        return [GivenProblem(self._n, part, self._line, *each) for each in found]

    def note(self, message: str) -> None:
        """Count that something in this row was imported otherwise than it stands there."""
        self._note(self._line, message)

    def text(self, field: str, text: str, longest: int | None = None) -> str | None:
        """Return a text without the space around it; None for an empty one."""
        text = text.strip()
        if longest is not None and len(text) > longest:
            self.refuse(field, text, f"is {len(text)} characters long, {longest} is the most")
            text = text[:longest]
        return text or None

    def description(self, field: str, text: str) -> str | None:
        """Return a long text as it stands."""
        if len(text) > LONGEST_DESCRIPTION // 4 and len(text.encode()) > LONGEST_DESCRIPTION:
            self.refuse(field, text, "is longer than 512 KiB")
            return None
        return text if text.strip() else None

    def url(self, field: str, text: str) -> str | None:
        """Return an address on the web."""
        text = text.strip()
        reason = wrong_url(text) if text else None
        if reason is None:
            return text or None
        self.refuse(field, text, reason)
        return None

    def category(self, field: str, path: str) -> tuple[str, ...] | None:
        """Return the names of `A > B > C` from the root down."""
        names = tuple(name for each in path.split(" > ") if (name := each.strip()))
        if any(len(name) > LONGEST_NAME for name in names) or len(names) > DEEPEST_CATEGORY:
            reason = (
                f"must be at most {DEEPEST_CATEGORY} names of at most {LONGEST_NAME} characters"
            )
            self.refuse(field, path, reason)
            return None
        return names or None

    def tags(self, field: str, text: str) -> tuple[str, ...]:
        """Return the tags between the commas, each once."""
        tags = [tag.strip() for tag in text.split(",")]
        if len(text) > LONGEST_NAME and any(len(tag) > LONGEST_NAME for tag in tags):
            self.refuse(field, text, f"a tag is longer than {LONGEST_NAME}")
        return tuple(dict.fromkeys(tag for tag in tags if tag))

    def amount(self, field: str, text: str) -> Decimal | None:
        """Return an amount of money; None for an empty value."""
        if _PLAIN_AMOUNT.fullmatch(text):
            return Decimal(text)
        text = text.strip()
        if not text:
            return None
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

    def integer(self, field: str, text: str) -> int | None:
        """Return a whole number; None for an empty value."""
        text = text.strip()
        if not text:
            return None
        if not _WHOLE.fullmatch(text):
            self.refuse(field, text, "is not a whole number")
            return None
        if len(text) > 11 or abs(int(text)) > LARGEST_INTEGER:  # noqa: PLR2004 int4 with its sign
            self.refuse(field, text, f"is beyond {LARGEST_INTEGER}")
            return None
        return int(text)

    def quantity(self, field: str, text: str) -> int:
        """Return pieces in stock."""
        quantity = self.integer(field, text) or 0
        if quantity < 0:
            self.note(NEGATIVE_STOCK)
            return 0
        return quantity

    def choice(self, field: str, text: str, choices: Mapping[str, bool], *, default: bool) -> bool:
        """Return what a word stands for, in whatever case; an empty value is the default."""
        if not text:
            return default
        word = text.strip().lower()
        if word and word not in choices:
            self.refuse(field, text, f"must be {' or '.join(choices)}")
        return choices.get(word, default)


def wrong_url(url: str) -> str | None:
    """Return why `url` cannot be an image's address; None when it can."""
    if len(url) > LONGEST_URL // 4 and len(url.encode()) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} bytes"
    if not _URL.match(url):
        return "must be an address that begins with https:// or http://"
    return None
