"""A product as a line of a JSON Lines file has it; the reference of the format.

What is not given stays as it is in the shop, or is the default of a new product; null empties.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, Raw, UnsetType


class JsonVariant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A variant of a product.

    Attributes:
        option_values: what it is known by among the variants of its product: `{"Size": "M"}`.
        name: None: the values of its options.
        sku: None: the one that it has, or one made from the product's slug.
        stock_quantity: not given: stays as it is.
        sort_order: None: its place in the list, from 1.
    """

    price: Decimal
    option_values: dict[str, str | int | float | bool | None] = {}
    name: str | None = None
    sku: str | None = None
    compare_at_price: Decimal | None = None
    stock_quantity: int | None = None
    sort_order: int | None = None
    is_active: bool = True


class JsonImage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image by its address.

    Attributes:
        sort_order: None: its place in the list, from 1.
        is_primary: not given for any image: the first one is.
        variant: the SKU of the variant that it shows.
    """

    url: str
    alt_text: str | None = None
    sort_order: int | None = None
    is_primary: bool | UnsetType = UNSET
    variant: str | None = None


class JsonProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line.

    Attributes:
        slug: what the product is known by, without regard to case.
        price: not given: the lowest of its variants.
        category: the names from the root of the tree down.
        stock_quantity: of a product without variants.
        variants: all of them; the shop's others are deactivated.
        images: all of them; the shop's others are deleted.
        reject_reason: what a file of rejects has, and is not read.
    """

    slug: str
    name: str
    sku: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    brand: str | UnsetType | None = UNSET
    category: list[str] | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET
    attributes: Raw | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    compare_at_price: Decimal | UnsetType | None = UNSET
    stock_quantity: int | UnsetType | None = UNSET
    track_inventory: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_featured: bool | UnsetType = UNSET
    variants: list[JsonVariant] | UnsetType = UNSET
    images: list[JsonImage] | UnsetType = UNSET
    reject_reason: str | UnsetType = UNSET
