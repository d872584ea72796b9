"""One row of Shopify's product CSV as typed values, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.importers.csv_records import Record
from shopflow.importers.shopify_columns import Columns
from shopflow.money import ZERO, parse_amount
from shopflow.slugs import slug

# Widths of the columns that take the values.
LONGEST_NAME, LONGEST_SKU = 255, 100
# The three names of a product and the values of a variant fit one entry of a btree index.
LONGEST_OPTION_NAME = 100
# Bytes; an index of primary images holds the address, an index of words the description.
LONGEST_URL, LONGEST_DESCRIPTION = 2000, 512 * 1024
LARGEST_INTEGER = 2**31 - 1
DEEPEST_CATEGORY = 10
_SHOWN = 200
_Options = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
_URL = re.compile(r"https?://[^\s/][^\s]*\Z", re.IGNORECASE)
_NOT_IN_SLUGS = re.compile(r"[\s/?#]")

REDUCTION_DROPPED = "a compare-at price that is not above the price is no reduction: left out"
NEGATIVE_STOCK = "a negative inventory quantity (oversold) counts as 0"


class StagedRow(NamedTuple):
    """What goes into the staging table, in its order; None: the row does not say."""

    n: int
    file: int
    line: int
    start: int
    stop: int
    handle: str
    title: str | None
    description: str | None
    brand: str | None
    brand_slug: str | None
    category: list[str] | None
    category_slugs: list[str] | None
    tags: list[str]
    is_active: bool
    option1_name: str | None
    option1_value: str | None
    option2_name: str | None
    option2_value: str | None
    option3_name: str | None
    option3_value: str | None
    sku: str | None
    price: Decimal | None
    compare_at_price: Decimal | None
    quantity: int | None
    tracked: bool
    is_gift_card: bool
    image_url: str | None
    image_position: int | None
    image_alt: str | None
    variant_image: str | None
    problems: str | None


class RowProblem(msgspec.Struct, frozen=True):
    """A value that cannot be imported, as the staging table's `problems` holds it."""

    field: str
    value: str
    reason: str


class RowReader:
    """Reads the rows of one file.

    Args:
        file: the number of the file among those imported.
        columns: where the file has what.
        note: called with the line and a sentence for what was changed to fit.
    """

    def __init__(self, file: int, columns: Columns, note: Callable[[int, str], None]) -> None:
        self._file = file
        self._columns = columns
        self._note = note
        self._row: list[str] = []
        self._line = 0
        self._problems: list[RowProblem] = []

    def read(self, n: int, record: Record) -> StagedRow:
        """Return the row; values that cannot be imported are None, and among its problems."""
        self._line, self._problems = record.line, []
        self._row = self._checked(record.values)
        price = self._amount("price")
        quantity = self._quantity()
        brand = self._text("vendor", LONGEST_NAME)
        category = self._category()
        options = self._options()
        is_active = self._is_active()
        return StagedRow(
            n,
            self._file,
            record.line,
            record.start,
            record.stop,
            self._handle(),
            self._text("title", LONGEST_NAME),
            self._description(),
            brand,
            _slug(brand) if brand else None,
            category,
            [_slug(name) for name in category] if category else None,
            self._tags(),
            is_active,
            *options,
            self._text("sku", LONGEST_SKU),
            price,
            self._compare_at_price(price),
            quantity,
            self._tracked(),
            self._choice("gift_card", {"true": True, "false": False}, default=False),
            self._url("image_url"),
            self._integer("image_position"),
            self._text("image_alt"),
            self._url("variant_image"),
            self._encoded_problems(),
        )

    def _checked(self, values: list[str]) -> list[str]:
        width = self._columns.width
        if len(values) != width:
            self._refuse("handle", values[0], f"the row has {len(values)} values, not {width}")
            values = [*values, *[""] * width][:width]
        if "\0" in "".join(values):
            for field, place in self._columns.places.items():
                if "\0" in values[place]:
                    self._refuse(field, values[place], "holds a NUL byte")
            values = [value.replace("\0", "") for value in values]
        return values

    def _refuse(self, field: str, value: str, reason: str) -> None:
        shown = value.replace("\0", "\\0")
        self._problems.append(RowProblem(field, shown[:_SHOWN], reason))

    def _encoded_problems(self) -> str | None:
        return msgspec.json.encode(self._problems).decode() if self._problems else None

    def _raw(self, field: str) -> str:
        place = self._columns.places.get(field)
        return "" if place is None else self._row[place]

    def _text(self, field: str, longest: int | None = None) -> str | None:
        text = self._raw(field).strip()
        if longest is not None and len(text) > longest:
            self._refuse(field, text, f"is {len(text)} characters long, {longest} is the most")
            text = text[:longest]
        return text or None

    def _handle(self) -> str:
        handle = self._text("handle", LONGEST_NAME) or ""
        if not handle:
            self._refuse("handle", "", "must not be empty")
        elif _NOT_IN_SLUGS.search(handle):
            self._refuse("handle", handle, "must not have white space, /, ? or # in it")
        return handle

    def _description(self) -> str | None:
        text = self._raw("description")
        if len(text.encode()) > LONGEST_DESCRIPTION:
            self._refuse("description", text, "is longer than 512 KiB")
            return None
        return text if text.strip() else None

    def _url(self, field: str) -> str | None:
        url = self._text(field)
        if url is not None and len(url.encode()) > LONGEST_URL:
            self._refuse(field, url, f"is longer than {LONGEST_URL} bytes")
            return None
        if url is not None and not _URL.match(url):
            self._refuse(field, url, "must be an address that begins with https:// or http://")
            return None
        return url

    def _category(self) -> list[str] | None:
        field = "type" if self._raw("type").strip() else "category"
        names = [name.strip() for name in self._raw(field).split(" > ")]
        names = [name for name in names if name]
        if any(len(name) > LONGEST_NAME for name in names) or len(names) > DEEPEST_CATEGORY:
            reason = (
                f"must be at most {DEEPEST_CATEGORY} names of at most {LONGEST_NAME} characters"
            )
            self._refuse(field, self._raw(field), reason)
            return None
        return names or None

    def _tags(self) -> list[str]:
        tags = [tag.strip() for tag in self._raw("tags").split(",")]
        if any(len(tag) > LONGEST_NAME for tag in tags):
            self._refuse("tags", self._raw("tags"), f"a tag is longer than {LONGEST_NAME}")
        return list(dict.fromkeys(tag for tag in tags if tag))

    def _is_active(self) -> bool:
        published = self._choice("published", {"true": True, "false": False}, default=True)
        states = {"active": True, "draft": False, "archived": False, "unlisted": False}
        return self._choice("status", states, default=True) and published

    def _options(self) -> _Options:
        """Return name and value of the three options, one after the other."""
        names = [self._text(f"option{i}_name", LONGEST_OPTION_NAME) for i in (1, 2, 3)]
        values = [self._text(f"option{i}_value", LONGEST_NAME) for i in (1, 2, 3)]
        name = " / ".join(value for value in values if value)
        if len(name) > LONGEST_NAME:
            reason = f"makes a variant's name of more than {LONGEST_NAME} characters"
            self._refuse("option1_value", name, reason)
        return (names[0], values[0], names[1], values[1], names[2], values[2])

    def _amount(self, field: str) -> Decimal | None:
        text = self._raw(field).strip()
        if not text:
            return None
        try:
            return parse_amount(field, text)
        except InvalidInputError as error:
            self._refuse(field, text, error.reason)
            return None

    def _compare_at_price(self, price: Decimal | None) -> Decimal | None:
        amount = self._amount("compare_at_price")
        if amount is None or amount == ZERO or price is None:
            return None
        if amount <= price:
            self._note(self._line, REDUCTION_DROPPED)
            return None
        return amount

    def _integer(self, field: str) -> int | None:
        text = self._raw(field).strip()
        if not text:
            return None
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            self._refuse(field, text, "is not a whole number")
            return None
        if len(text) > 11 or abs(int(text)) > LARGEST_INTEGER:  # noqa: PLR2004 int4 with its sign
            self._refuse(field, text, f"is beyond {LARGEST_INTEGER}")
            return None
        return int(text)

    def _quantity(self) -> int | None:
        if "quantity" not in self._columns.places:
            return None
        quantity = self._integer("quantity") or 0
        if quantity < 0:
            self._note(self._line, NEGATIVE_STOCK)
        return max(quantity, 0)

    def _tracked(self) -> bool:
        policies = {"deny": False, "false": False, "continue": True, "true": True}
        sells_without_stock = self._choice("policy", policies, default=False)
        return bool(self._raw("tracker").strip()) and not sells_without_stock

    def _choice(self, field: str, choices: dict[str, bool], *, default: bool) -> bool:
        text = self._raw(field).strip().lower()
        if text and text not in choices:
            self._refuse(field, self._raw(field), f"must be {' or '.join(choices)}")
        return choices.get(text, default)


@lru_cache(maxsize=10_000)
def _slug(name: str) -> str:
    return slug(name)
