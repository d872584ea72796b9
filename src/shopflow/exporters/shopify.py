"""Export to Shopify's product CSV, for Shopify and for `import_shopify`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import permutations, zip_longest
from pathlib import Path
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.exporters.exporting import ExportReport, ShowExport, export_products
from shopflow.importers.report import Notes
from shopflow.importers.shopify_columns import SHOPIFY
from shopflow.postgres.pool import Pool

# Shopify has three.
MOST_OPTIONS = 3
LEFT_OUT = "left out: its variants do not all have the same options, at most three, each a text"
OWN_NAMES = "a variant's own name is not in the file: it is made of its options again"
MORE_IMAGES = "a variant shows one image in the file: of several, the others are the product's"
SAME_IMAGE = "an image that a product has twice is in the file once"
COMMA_TAGS = "a tag with a comma becomes several"
# Not the category: the type says it.
_COLUMNS = [column for column in SHOPIFY.names if column != "category"]

Row = dict[str, object]


class _Variant(msgspec.Struct, frozen=True):
    name: str
    sku: str
    price: str
    compare_at_price: str | None
    stock_quantity: int
    option_values: dict[str, object]


class _Image(msgspec.Struct, frozen=True):
    url: str
    alt_text: str | None
    is_primary: bool
    variant: str | None


class _Product(msgspec.Struct, frozen=True):
    slug: str
    name: str
    sku: str
    description: str | None
    brand: str | None
    category: list[str] | None
    tags: list[str]
    price: str
    compare_at_price: str | None
    stock_quantity: int
    track_inventory: bool
    is_active: bool
    variants: list[_Variant]
    images: list[_Image]


_decode = msgspec.json.Decoder(_Product).decode


async def export_shopify(
    source: Pool | AsyncConnection[Any], file: Path, *, progress: ShowExport | None = None
) -> ExportReport:
    """Write all products that are not deleted to `file`, as Shopify's own export has them.

    What was imported from Shopify comes back as it was imported: importing the file again changes
    nothing. What the format has no place for, such as attributes, is not in it; what it cannot
    say is in the notes. Otherwise as for `export_jsonl`.

    Raises:
        ShopflowError: when the file cannot be written.
        TransactionError: for a connection that is in a transaction.
    """
    rows = _Rows(file.name)
    header = _csv([[SHOPIFY.names[column][0] for column in _COLUMNS]])
    return await export_products(
        source, file, rows.of, header=header, notes=rows.notes, progress=progress
    )


class _Rows:
    """Makes rows of products, and counts what the format cannot say."""

    def __init__(self, file: str) -> None:
        self.notes = Notes()
        self._file = file
        # The header is the first.
        self._line = 2

    def of(self, product: str) -> list[str]:
        found = _decode(product)
        options = _option_names(found.variants)
        if options is None:
            self._note(LEFT_OUT)
            return []
        rows = self._rows(found, options)
        self._line += len(rows)
        return [_csv([[row.get(column, "") for column in _COLUMNS]]) for row in rows]

    def _note(self, message: str) -> None:
        self.notes.add(message, self._file, self._line)

    def _rows(self, product: _Product, options: Sequence[str]) -> list[Row]:
        variants = self._variant_rows(product, options)
        rows = [
            {"handle": product.slug} | (variant or {}) | (image or {})
            for variant, image in zip_longest(variants, self._image_rows(product))
        ]
        if any("," in tag for tag in product.tags):
            self._note(COMMA_TAGS)
        rows[0] |= {
            "title": product.name,
            "description": product.description or "",
            "vendor": product.brand or "",
            "type": " > ".join(product.category or ()),
            "tags": ", ".join(product.tags),
            "published": _truth(product.is_active),
            "status": "active" if product.is_active else "draft",
            "gift_card": "false",
        }
        return rows

    def _variant_rows(self, product: _Product, options: Sequence[str]) -> list[Row]:
        tracker = "shopify" if product.track_inventory else ""
        shared = {"tracker": tracker, "policy": "deny"}
        if not options:
            only = product.variants[0] if product.variants else product
            options_of_one = _options(["Title"], {"Title": "Default Title"}, named=True)
            return [shared | _sold(only) | options_of_one]
        if any(_named(each, options) != each.name for each in product.variants):
            self._note(OWN_NAMES)
        shown: dict[str, list[str]] = {}
        for image in product.images:
            if image.variant is not None:
                shown.setdefault(image.variant, []).append(image.url)
        if any(len(urls) > 1 for urls in shown.values()):
            self._note(MORE_IMAGES)
        return [
            shared
            | _sold(each)
            | _options(options, each.option_values, named=place == 0)
            | {"variant_image": shown.get(each.sku, [""])[0]}
            for place, each in enumerate(product.variants)
        ]

    def _image_rows(self, product: _Product) -> list[Row]:
        images = {each.url: each for each in product.images}
        if len(images) < len(product.images):
            self._note(SAME_IMAGE)
        # What is shown first there is the primary one here.
        ordered = sorted(images.values(), key=lambda each: not each.is_primary)
        return [
            {"image_url": each.url, "image_position": place, "image_alt": each.alt_text or ""}
            for place, each in enumerate(ordered, 1)
        ]


def _option_names(variants: Sequence[_Variant]) -> tuple[str, ...] | None:
    """Return the options of a product in their order; none for one form, None where it cannot be.

    JSON objects of the database have no order; the names of the variants do.
    """
    names = set(variants[0].option_values) if variants else set()
    if any(set(each.option_values) != names for each in variants) or len(names) > MOST_OPTIONS:
        return None
    texts = (value for each in variants for value in each.option_values.values())
    if not all(isinstance(value, str) and value.strip() for value in texts):
        return None
    if len(variants) > 1 and not names:
        return None
    orders = list(permutations(sorted(names)))
    return max(orders, key=lambda order: sum(_named(each, order) == each.name for each in variants))


def _named(variant: _Variant, options: Sequence[str]) -> str:
    return " / ".join(str(variant.option_values[name]) for name in options)


def _sold(form: _Variant | _Product) -> Row:
    return {
        "sku": form.sku,
        "quantity": form.stock_quantity,
        "price": form.price,
        "compare_at_price": form.compare_at_price or "",
    }


def _options(names: Sequence[str], values: Mapping[str, object], *, named: bool) -> Row:
    row: Row = {}
    for place, name in enumerate(names, 1):
        row[f"option{place}_value"] = values[name]
        if named:
            row[f"option{place}_name"] = name
    return row


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
