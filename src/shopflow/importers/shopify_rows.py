"""Rows of Shopify's product CSV, those of one handle that follow each other as one product."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shopflow.importers.cells import Cells
from shopflow.importers.columns import Columns
from shopflow.importers.csv_records import Record
from shopflow.importers.products import (
    LONGEST_NAME,
    LONGEST_SKU,
    GivenImage,
    GivenProduct,
    GivenVariant,
    Note,
)
from shopflow.importers.shopify_columns import FIELDS

# The three names of a product and the values of a variant fit one entry of a btree index.
LONGEST_OPTION_NAME = 100
# A product of more is brought in by parts, so that memory holds no file whose handles are all one.
MOST_ROWS = 1000
_NOT_IN_SLUGS = re.compile(r"[\s/?#]")
_TRUTH = {"true": True, "false": False}
_STATES = {"active": True, "draft": False, "archived": False, "unlisted": False}
_POLICIES = {"deny": False, "false": False, "continue": True, "true": True}


class ShopifyReader:
    """Reads the rows of one file, the `file`th of the import; otherwise as `Cells`."""

    def __init__(self, file: int, columns: Columns, note: Note) -> None:
        self._file = file
        self._cells = Cells(columns, note)
        self._fields = frozenset(
            field for field, any_of in FIELDS.items() if any_of & set(columns.places)
        )
        self._handle_place = columns.places["handle"]
        self._names = [f"option{i}_name" for i in (1, 2, 3) if f"option{i}_name" in columns.places]
        self._values = [
            f"option{i}_value" if f"option{i}_value" in columns.places else None for i in (1, 2, 3)
        ]

    def products(self, records: Iterable[Record], first: int) -> Iterator[GivenProduct]:
        """Yield the products of the records, whose rows are counted from `first`."""
        product: GivenProduct | None = None
        written: str | None = None
        for n, record in enumerate(records, first):
            self._cells.take(n, record)
            again = record.values[self._handle_place : self._handle_place + 1] == [written]
            if product is None or not again or product.rows >= MOST_ROWS:
                if product is not None:
                    yield product
                product = self._head(n, record)
                written = record.values[self._handle_place] if product.handle else None
            else:
                product.stop = record.stop
                product.rows += 1
            self._row(n, record.line, product, is_head=product.n == n)
            product.problems += self._cells.problems(product.n)
        if product is not None:
            yield product

    def _head(self, n: int, record: Record) -> GivenProduct:
        cells = self._cells
        handle = self._handle()
        field = "type" if cells.raw("type").strip() else "category"
        published = cells.choice("published", _TRUTH, default=True)
        return GivenProduct(
            n,
            self._file,
            record.line,
            record.start,
            record.stop,
            handle,
            self._fields,
            title=cells.text("title", LONGEST_NAME),
            description=cells.description("description"),
            brand=cells.text("vendor", LONGEST_NAME),
            category=cells.category(field, cells.raw(field)),
            tags=cells.tags("tags"),
            is_active=cells.choice("status", _STATES, default=True) and published,
            is_tracked=not cells.choice("gift_card", _TRUTH, default=False),
            is_whole=False,
            option_names=self._option_names(),
        )

    def _handle(self) -> str:
        cells = self._cells
        handle = cells.text("handle", LONGEST_NAME) or ""
        if not handle:
            cells.refuse("handle", "", "must not be empty")
        elif _NOT_IN_SLUGS.search(handle):
            cells.refuse("handle", handle, "must not have white space, /, ? or # in it")
        return handle

    def _option_names(self) -> list[str | None] | None:
        names = [self._cells.text(name, LONGEST_OPTION_NAME) for name in self._names]
        return _without_end(names)

    def _option_values(self) -> list[str | None] | None:
        cells = self._cells
        values = [cells.text(name, LONGEST_NAME) if name else None for name in self._values]
        if sum(len(value) + 3 for value in values if value) - 3 > LONGEST_NAME:
            name = " / ".join(value for value in values if value)
            reason = f"makes a variant's name of more than {LONGEST_NAME} characters"
            cells.refuse("option1_value", name, reason)
        return _without_end(values)

    def _row(self, n: int, line: int, product: GivenProduct, *, is_head: bool) -> None:
        """Add the variant and the images of a row to its product."""
        cells = self._cells
        options = self._option_values()
        sku = cells.text("sku", LONGEST_SKU)
        price = cells.amount("price")
        is_variant = is_head or bool(options or sku or price is not None)
        if is_variant:
            sells_without_stock = cells.choice("policy", _POLICIES, default=False)
            product.variants.append(
                GivenVariant(
                    n,
                    product.n,
                    line,
                    product.option_names if is_head else self._option_names(),
                    options,
                    None,
                    None,
                    sku,
                    price,
                    cells.reduced_from(cells.amount("compare_at_price"), price),
                    cells.quantity("quantity"),
                    bool(cells.raw("tracker").strip()) and not sells_without_stock,
                    True,
                    None,
                )
            )
        self._images(n, product, is_variant=is_variant)

    def _images(self, n: int, product: GivenProduct, *, is_variant: bool) -> None:
        cells = self._cells
        url, position, alt = (
            cells.url("image_url"),
            cells.integer("image_position"),
            cells.text("image_alt"),
        )
        if url is not None:
            image = GivenImage(n, product.n, url, 1, alt, position, False, None, None)
            product.images.append(image)
        url = cells.url("variant_image") if is_variant else None
        if url is not None:
            product.images.append(GivenImage(n, product.n, url, 1, None, None, True, n, None))


def _without_end(values: list[str | None]) -> list[str | None] | None:
    """Return the values up to the last that is there."""
    while values and values[-1] is None:
        values.pop()
    return values or None
