"""Rows of Shopify's product CSV, those of one handle that follow each other as one product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shopflow.importers.cells import NOT_IN_SLUGS, Cells
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
_TRUTH = {"true": True, "false": False}
_STATES = {"active": True, "draft": False, "archived": False, "unlisted": False}
_POLICIES = {"deny": False, "false": False, "continue": True, "true": True}


class _Row(NamedTuple):
    """The values of a row, in the order of `SHOPIFY`."""

    handle: str
    title: str
    description: str
    vendor: str
    type: str
    category: str
    tags: str
    published: str
    status: str
    option1_name: str
    option1_value: str
    option2_name: str
    option2_value: str
    option3_name: str
    option3_value: str
    sku: str
    tracker: str
    quantity: str
    policy: str
    price: str
    compare_at_price: str
    image_url: str
    image_position: str
    image_alt: str
    variant_image: str
    gift_card: str


class ShopifyReader:
    """Reads the rows of one file, the `file`th of the import; otherwise as `Cells`."""

    def __init__(self, file: int, columns: Columns, note: Note) -> None:
        self._file = file
        self._cells = Cells(columns, note)
        self._fields = frozenset(
            field for field, any_of in FIELDS.items() if any_of & set(columns.places)
        )
        self._has_quantity = self._cells.has("quantity")

    def products(self, records: Iterable[Record], first: int) -> Iterator[GivenProduct]:
        """Yield the products of the records, whose rows are counted from `first`."""
        product: GivenProduct | None = None
        written = ""
        for n, record in enumerate(records, first):
            row = _Row._make(self._cells.take(n, record))
            if product is None or not written or row.handle != written or product.rows >= MOST_ROWS:
                if product is not None:
                    yield product
                product, written = self._head(n, record, row), row.handle
            else:
                product.stop = record.stop
                product.rows += 1
            self._add(n, record.line, row, product)
            product.problems += self._cells.problems(product.n)
        if product is not None:
            yield product

    def _head(self, n: int, record: Record, row: _Row) -> GivenProduct:
        cells = self._cells
        field = "type" if row.type.strip() else "category"
        path = row.type if field == "type" else row.category
        published = cells.choice("published", row.published, _TRUTH, default=True)
        return GivenProduct(
            n,
            self._file,
            record.line,
            record.start,
            record.stop,
            self._handle(row.handle),
            self._fields,
            title=cells.text("title", row.title, LONGEST_NAME),
            description=cells.description("description", row.description),
            brand=cells.text("vendor", row.vendor, LONGEST_NAME),
            category=cells.category(field, path) if path else None,
            tags=cells.tags("tags", row.tags) if row.tags else (),
            is_active=cells.choice("status", row.status, _STATES, default=True) and published,
            is_tracked=not cells.choice("gift_card", row.gift_card, _TRUTH, default=False),
            is_whole=False,
            option_names=self._option_names(row),
        )

    def _handle(self, text: str) -> str:
        cells = self._cells
        handle = cells.text("handle", text, LONGEST_NAME) or ""
        if not handle:
            cells.refuse("handle", "", "must not be empty")
        elif NOT_IN_SLUGS.search(handle):
            cells.refuse("handle", handle, "must not have white space, /, ? or # in it")
        return handle

    def _option_names(self, row: _Row) -> list[str | None] | None:
        names = (row.option1_name, row.option2_name, row.option3_name)
        if names == ("", "", ""):
            return None
        return _without_end(
            [
                self._cells.text(f"option{place}_name", name, LONGEST_OPTION_NAME)
                for place, name in enumerate(names, 1)
            ]
        )

    def _option_values(self, row: _Row) -> list[str | None] | None:
        given = (row.option1_value, row.option2_value, row.option3_value)
        if given == ("", "", ""):
            return None
        cells = self._cells
        values = [
            cells.text(f"option{place}_value", value, LONGEST_NAME)
            for place, value in enumerate(given, 1)
        ]
        name = " / ".join(value for value in values if value)
        if len(name) > LONGEST_NAME:
            reason = f"makes a variant's name of more than {LONGEST_NAME} characters"
            cells.refuse("option1_value", name, reason)
        return _without_end(values)

    def _add(self, n: int, line: int, row: _Row, product: GivenProduct) -> None:
        """Add the variant and the images of a row to its product."""
        cells = self._cells
        options = self._option_values(row)
        sku = cells.text("sku", row.sku, LONGEST_SKU)
        price = cells.amount("price", row.price)
        if n == product.n or options or sku or price is not None:
            sells_without_stock = cells.choice("policy", row.policy, _POLICIES, default=False)
            reduced_from = cells.amount("compare_at_price", row.compare_at_price)
            product.variants.append(
                GivenVariant(
                    n,
                    product.n,
                    line,
                    product.option_names if n == product.n else self._option_names(row),
                    options,
                    None,
                    None,
                    sku,
                    price,
                    cells.reduced_from(reduced_from, price),
                    cells.quantity("quantity", row.quantity) if self._has_quantity else None,
                    not sells_without_stock and not row.tracker.isspace() and row.tracker != "",
                    True,
                    None,
                )
            )
            if url := cells.url("variant_image", row.variant_image):
                image = GivenImage(n, product.n, url, 1, None, None, True, n, None)
                product.images.append(image)
        url = cells.url("image_url", row.image_url)
        position = cells.integer("image_position", row.image_position)
        if url is not None:
            alt = cells.text("image_alt", row.image_alt)
            image = GivenImage(n, product.n, url, 1, alt, position, False, None, None)
            product.images.append(image)


def _without_end(values: list[str | None]) -> list[str | None] | None:
    """Return the values up to the last that is there."""
    while values and values[-1] is None:
        values.pop()
    return values or None
