"""The columns of Shopify's product CSV, under the names that its versions gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from shopflow.importers.csv_records import MalformedFileError

# Ours → the names in the file, the usual one first; case does not matter.
NAMES: Mapping[str, tuple[str, ...]] = {
    "handle": ("Handle", "URL handle"),
    "title": ("Title",),
    "description": ("Body (HTML)", "Body HTML", "Description"),
    "vendor": ("Vendor",),
    "type": ("Type", "Custom Product Type"),
    "category": ("Product Category", "Standard Product Type", "Standardized Product Type"),
    "tags": ("Tags",),
    "published": ("Published", "Published on online store"),
    "status": ("Status",),
    "option1_name": ("Option1 Name",),
    "option1_value": ("Option1 Value",),
    "option2_name": ("Option2 Name",),
    "option2_value": ("Option2 Value",),
    "option3_name": ("Option3 Name",),
    "option3_value": ("Option3 Value",),
    "sku": ("Variant SKU", "SKU"),
    "tracker": ("Variant Inventory Tracker", "Inventory tracker"),
    "quantity": ("Variant Inventory Qty", "Inventory quantity"),
    "policy": ("Variant Inventory Policy", "Continue selling when out of stock"),
    "price": ("Variant Price", "Price"),
    "compare_at_price": ("Variant Compare At Price", "Compare-at price"),
    "image_url": ("Image Src", "Product image URL"),
    "image_position": ("Image Position",),
    "image_alt": ("Image Alt Text",),
    "variant_image": ("Variant Image", "Variant image URL"),
    "gift_card": ("Gift Card",),
}
REQUIRED = ("handle", "title", "price")


class Columns(msgspec.Struct, frozen=True):
    """Where a file has what.

    Attributes:
        width: how many values a row has.
        places: the place of each of our columns that the file has.
        names: what the file calls it; for a column that it does not have, the usual name.
        ignored: the columns of the file that are not imported.
    """

    width: int
    places: Mapping[str, int]
    names: Mapping[str, str]
    ignored: tuple[str, ...]


def columns_of(header: Sequence[str], file: str) -> Columns:
    """Read the header of `file`.

    Raises:
        MalformedFileError: when a column that is needed is missing, or one stands there twice.
    """
    given = [name.strip() for name in header]
    folded = [name.casefold() for name in given]
    places = {
        column: folded.index(name.casefold())
        for column, names in NAMES.items()
        for name in reversed(names)
        if name.casefold() in folded
    }
    missing = [" or ".join(NAMES[column]) for column in REQUIRED if column not in places]
    if missing:
        raise MalformedFileError(
            f"{file}: this is no product export of Shopify, comma-separated: it has no column"
            f" {', no column '.join(missing)}; its columns are {_some(given)}"
        )
    for column, place in places.items():
        if folded.count(folded[place]) > 1:
            raise MalformedFileError(f"{file}: the column {NAMES[column][0]} is there twice")
    used = set(places.values())
    return Columns(
        width=len(given),
        places=places,
        names={
            column: given[places[column]] if column in places else names[0]
            for column, names in NAMES.items()
        },
        ignored=tuple(name for place, name in enumerate(given) if place not in used),
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"  # noqa: PLR2004
