"""What is written about products: all of a new one, or the fields of an old one that change.

A field of `…Changes` that is not given, `msgspec.UNSET`, stays as it is; None sets it to NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from shopflow.ids import BrandId, CategoryId, VariantId


class NewProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product to be made; without `slug` it is made from the name."""

    name: str
    sku: str
    price: Decimal
    slug: str | None = None
    description: str | None = None
    compare_at_price: Decimal | None = None
    category_id: CategoryId | None = None
    brand_id: BrandId | None = None
    stock_quantity: int = 0
    track_inventory: bool = True
    attributes: Mapping[str, object] = {}
    tags: tuple[str, ...] = ()
    is_active: bool = True
    is_featured: bool = False


class ProductChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a product; stock is changed through `shop.products.stock`."""

    name: str | UnsetType = UNSET
    sku: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    compare_at_price: Decimal | UnsetType | None = UNSET
    category_id: CategoryId | UnsetType | None = UNSET
    brand_id: BrandId | UnsetType | None = UNSET
    track_inventory: bool | UnsetType = UNSET
    attributes: Mapping[str, object] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_featured: bool | UnsetType = UNSET


class NewVariant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant to be made; `option_values` is such as `{"Size": "M"}`."""

    name: str
    sku: str
    price: Decimal
    compare_at_price: Decimal | None = None
    stock_quantity: int = 0
    option_values: Mapping[str, object] = {}
    sort_order: int = 0
    is_active: bool = True


class VariantChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a variant; stock is changed through `shop.products.stock`."""

    name: str | UnsetType = UNSET
    sku: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    compare_at_price: Decimal | UnsetType | None = UNSET
    option_values: Mapping[str, object] | UnsetType = UNSET
    sort_order: int | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image to be added after the others; the first one of a product is primary in any case."""

    url: str
    alt_text: str | None = None
    variant_id: VariantId | None = None
    is_primary: bool = False


class ImageChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of an image; its place and which one is primary have calls of their own."""

    url: str | UnsetType = UNSET
    alt_text: str | UnsetType | None = UNSET
    variant_id: VariantId | UnsetType | None = UNSET


class NewCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category to be made; without `parent_id` a root, without `slug` it is made from `name`."""

    name: str
    slug: str | None = None
    parent_id: CategoryId | None = None
    sort_order: int = 0


class CategoryChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a category; its parent is changed by moving it."""

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    sort_order: int | UnsetType = UNSET


class NewBrand(msgspec.Struct, frozen=True, kw_only=True):
    """A brand to be made; without `slug` it is made from the name."""

    name: str
    slug: str | None = None
    logo_url: str | None = None
    is_active: bool = True


class BrandChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a brand."""

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    logo_url: str | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class NewReview(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer says of a product: 1 to 5 stars, and words if any."""

    rating: int
    title: str | None = None
    content: str | None = None


class ReviewChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a review."""

    rating: int | UnsetType = UNSET
    title: str | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
