"""Rows of WooCommerce's product CSV: products, and variations that name theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec

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
from shopflow.importers.woocommerce_columns import FIELDS, MOST_ATTRIBUTES
from shopflow.slugs import slug

TYPES = ("simple", "variable", "variation", "grouped", "external", "virtual", "downloadable")
# As for Shopify: the values of a variant fit one entry of a btree index.
LONGEST_OPTION_NAME, MOST_OPTIONS = 100, 6
NOT_SOLD_HERE = "grouped and external products have no price of their own here: left out"
MORE_CATEGORIES = "a product has one category here: the first of several"
MORE_BRANDS = "a product has one brand here: the first of several"
DATED_SALE = "a sale price with dates is left out: the regular price counts"
MORE_IMAGES = "a variation shows one image: the first of several"

_FLAGS = {"1": True, "0": False, "yes": True, "no": False, "true": True, "false": False}
_PUBLISHED = {**_FLAGS, "-1": False, "2": False}
_VISIBLE = {"visible": True, "catalog": True, "search": True, "hidden": False}
_BACKORDERS = {**_FLAGS, "notify": True}
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_ID = re.compile(r"[0-9]{1,18}")


class WooReader:
    """Reads the rows of one file, the `file`th of the import; otherwise as `Cells`."""

    def __init__(self, file: int, columns: Columns, note: Note) -> None:
        self._file = file
        self._cells = Cells(columns, note)
        self._names = tuple(columns.names)
        self._row: dict[str, str] = {}
        self._published = True
        self._fields = frozenset(
            field for field, any_of in FIELDS.items() if any_of & set(columns.places)
        )
        self._attributes = [
            (f"attribute{place}_name", f"attribute{place}_values")
            for place in range(1, MOST_ATTRIBUTES + 1)
            if f"attribute{place}_name" in columns.places
        ]

    def products(self, records: Iterable[Record], first: int) -> Iterator[GivenProduct]:
        """Yield a part for each row that is sold, counted from `first`."""
        for n, record in enumerate(records, first):
            self._row = dict(zip(self._names, self._cells.take(n, record), strict=True))
            kinds = self._kinds()
            self._published = self._cells.choice(
                "published", self._row["published"], _PUBLISHED, default=True
            )
            if kinds & {"grouped", "external"}:
                self._cells.note(NOT_SOLD_HERE)
                continue
            part = (
                self._variation(n, record)
                if "variation" in kinds
                else self._product(n, record, is_variable="variable" in kinds)
            )
            part.problems = self._cells.problems(n)
            yield part

    def _kinds(self) -> set[str]:
        kinds = {kind.strip().lower() for kind in self._row["type"].split(",")}
        if not kinds <= set(TYPES):
            self._cells.refuse("type", self._row["type"], f"must be of {', '.join(TYPES)}")
        return kinds

    def _part(self, n: int, record: Record, handle: str) -> GivenProduct:
        place = (n, self._file, record.line, record.start, record.stop)
        return GivenProduct(*place, handle, self._fields)

    def _product(self, n: int, record: Record, *, is_variable: bool) -> GivenProduct:
        cells, row = self._cells, self._row
        part = self._part(n, record, "")
        part.title = cells.text("title", row["title"], LONGEST_NAME)
        part.sku = cells.text("sku", row["sku"], LONGEST_SKU)
        number = self._number()
        # What it is called until it is known under which slug the shop has it, or will.
        part.handle = slug(part.title or "")
        part.refs = [
            ref
            for ref in (number and f"id:{number}", part.sku and f"sku:{part.sku.lower()}")
            if ref
        ]
        part.description = cells.description(
            "description", row["description"]
        ) or cells.description("short_description", row["short_description"])
        part.brand = self._brand()
        part.category = self._category()
        part.tags = cells.tags("tags", row["tags"]) if row["tags"] else ()
        part.attributes = msgspec.json.encode(
            {name: values[0] if len(values) == 1 else values for name, values in self._values()}
        ).decode()
        visible = cells.choice("visibility", row["visibility"], _VISIBLE, default=True)
        part.is_active = self._published and visible
        part.is_featured = cells.choice("is_featured", row["is_featured"], _FLAGS, default=False)
        part.images = [
            GivenImage(n, n, url, 1, None, place, False, None, None)
            for place, url in enumerate(self._images(), 1)
        ]
        if not is_variable:
            part.variants = [self._form(n, record.line, None, None)]
        return part

    def _variation(self, n: int, record: Record) -> GivenProduct:
        # Until it gets that of its product, its handle is one that nothing else has.
        part = self._part(n, record, f"/{n}")
        part.is_whole = False
        part.parent = self._parent()
        options = {name: values[0] for name, values in self._values() if values}
        if len(options) > MOST_OPTIONS:
            reason = f"a variation has at most {MOST_OPTIONS} attributes"
            self._cells.refuse("attribute1_values", ", ".join(options), reason)
        name = " / ".join(options.values()) or (self._row["title"].strip() or "Any")
        if len(name) > LONGEST_NAME:
            reason = f"makes a variant's name of more than {LONGEST_NAME} characters"
            self._cells.refuse("attribute1_values", name, reason)
        part.variants = [
            self._form(n, record.line, msgspec.json.encode(options).decode(), name[:LONGEST_NAME])
        ]
        urls = self._images()
        if len(urls) > 1:
            self._cells.note(MORE_IMAGES)
        part.images = [GivenImage(n, n, url, 1, None, None, True, n, None) for url in urls[:1]]
        return part

    def _form(self, n: int, line: int, options: str | None, name: str | None) -> GivenVariant:
        cells, row = self._cells, self._row
        price, reduced_from = self._prices()
        quantity, tracked = self._stock()
        sku = cells.text("sku", row["sku"], LONGEST_SKU) if options is not None else None
        return GivenVariant(
            n,
            n,
            line,
            None,
            None,
            options,
            name,
            sku,
            price,
            reduced_from,
            quantity,
            tracked,
            self._published or options is None,
            None,
        )

    def _number(self) -> str | None:
        number = self._row["id"].strip()
        if number and not _ID.fullmatch(number):
            self._cells.refuse("id", number, "is not a number")
            return None
        return number or None

    def _parent(self) -> str:
        parent = self._row["parent"].strip()
        if parent.lower().startswith("id:"):
            return f"id:{parent[3:].strip()}"
        return f"sku:{parent.lower()}" if parent else ""

    def _prices(self) -> tuple[Decimal | None, Decimal | None]:
        """Return the price, and that before a reduction."""
        cells, row = self._cells, self._row
        regular = cells.amount("price", row["price"])
        sale = cells.amount("sale_price", row["sale_price"])
        if sale is None:
            return regular, None
        if row["sale_starts"].strip() or row["sale_ends"].strip():
            cells.note(DATED_SALE)
            return regular, None
        return sale, cells.reduced_from(regular, sale)

    def _stock(self) -> tuple[int | None, bool]:
        """Return the pieces, and whether they limit what can be sold."""
        cells, row = self._cells, self._row
        in_stock = cells.choice("in_stock", row["in_stock"], _FLAGS, default=True)
        backorders = cells.choice("backorders", row["backorders"], _BACKORDERS, default=False)
        stock = row["stock"].strip()
        if stock.lower() == "parent":
            reason = "variations cannot share the stock of their product here: give each its own"
            cells.refuse("stock", stock, reason)
            return 0, True
        if stock:
            return cells.quantity("stock", stock), not backorders
        # Without numbers WooCommerce knows only whether there is any.
        return (0 if cells.has("stock") else None), not in_stock

    def _brand(self) -> str | None:
        brands = _listed(self._row["brands"])
        if len(brands) > 1:
            self._cells.note(MORE_BRANDS)
        return self._cells.text("brands", brands[0], LONGEST_NAME) if brands else None

    def _category(self) -> tuple[str, ...] | None:
        paths = _listed(self._row["categories"])
        if len(paths) > 1:
            self._cells.note(MORE_CATEGORIES)
        return self._cells.category("categories", paths[0]) if paths else None

    def _images(self) -> list[str]:
        urls = (self._cells.url("images", url) for url in _listed(self._row["images"]))
        return list(dict.fromkeys(url for url in urls if url))

    def _values(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield name and values of each attribute that has any."""
        for name_field, values_field in self._attributes:
            name = self._cells.text(name_field, self._row[name_field], LONGEST_OPTION_NAME)
            values = [
                value
                for each in _listed(self._row[values_field])
                if (value := self._cells.text(values_field, each, LONGEST_NAME))
            ]
            if name and values:
                yield name, values


def _listed(text: str) -> list[str]:
    r"""Return what stands between the commas; `\,` is a comma of a value."""
    found = (each.replace("\\,", ",").strip() for each in _UNESCAPED_COMMA.split(text))
    return [each for each in found if each]
