"""What every reader makes of its rows: a product with its variants and images, as given."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

# Widths of the columns that take the values.
LONGEST_NAME, LONGEST_SKU = 255, 100
# Bytes; an index of primary images holds the address, an index of words the description.
LONGEST_URL, LONGEST_DESCRIPTION = 2000, 512 * 1024
LARGEST_INTEGER = 2**31 - 1
DEEPEST_CATEGORY = 10

Note = Callable[[int, str], None]

REDUCTION_DROPPED = "a compare-at price that is not above the price is no reduction: left out"
NEGATIVE_STOCK = "a negative inventory quantity (oversold) counts as 0"


class GivenVariant(NamedTuple):
    """A variant, or the only form of a product; a row of import_forms, in its order.

    `option_values` is a JSON object; None where `options` has the values of the options that the
    first row of the product names, or where it is the product's only form.
    """

    n: int
    part: int
    line: int
    option_names: list[str | None] | None
    options: list[str | None] | None
    option_values: str | None
    name: str | None
    sku: str | None
    price: Decimal | None
    compare_at_price: Decimal | None
    quantity: int | None
    tracked: bool
    is_active: bool
    sort_order: int | None


class GivenImage(NamedTuple):
    """An image by its address; a row of import_pictures, in its order.

    Attributes:
        part: the `n` of the GivenProduct that it belongs to, here and below.
        occurrence: counts the same address within a product, from 1.
        of_variant: it is not of the gallery, a variant alone names it.
        variant: the `n` of the variant that it shows.
        is_primary: None: the first one is.
    """

    n: int
    part: int
    url: str
    occurrence: int
    alt_text: str | None
    position: int | None
    of_variant: bool
    variant: int | None
    is_primary: bool | None


class GivenProblem(NamedTuple):
    """A value that cannot be imported; a row of import_problems, in its order."""

    n: int
    part: int
    line: int
    field: str
    value: str
    reason: str


class GivenProduct(msgspec.Struct):
    """A product, or a part of one: what has the same handle is one product, wherever it stands.

    Attributes:
        n: goes up from row to row of all files; here of its first.
        file: the number of its file; line, start, stop are of it as in `Record`, all rows together.
        handle: what it is known by, without regard to case.
        fields: what the file says about it at all; everything else stays as it is.
        is_whole: it is all of the product, so that a second one is a mistake.
        is_tracked: False: it sells without limit, whatever its variants say.
        price: of a product with variants; None: the lowest of theirs.
        refs: what parts of it may call it in their `parent`, where they do not know the handle.
        rows: how many rows of the file it has.
    """

    n: int
    file: int
    line: int
    start: int
    stop: int
    handle: str
    fields: frozenset[str]
    title: str | None = None
    description: str | None = None
    brand: str | None = None
    category: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    attributes: str = "{}"
    is_active: bool = True
    is_featured: bool = False
    is_tracked: bool = True
    is_whole: bool = True
    sku: str | None = None
    price: Decimal | None = None
    compare_at_price: Decimal | None = None
    option_names: list[str | None] | None = None
    refs: list[str] | None = None
    parent: str | None = None
    rows: int = 1
    variants: list[GivenVariant] = []
    images: list[GivenImage] = []
    problems: list[GivenProblem] = []

    @property
    def last(self) -> int:
        """The greatest `n` in it."""
        last_row = self.n + self.rows - 1
        return max(last_row, self.variants[-1].n) if self.variants else last_row
