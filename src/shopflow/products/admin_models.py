"""What products, categories and brands look like to staff: with their versions, also inactive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from shopflow.ids import BrandId, CategoryId, ProductId, VariantId
from shopflow.products.models import ProductImage


class AdminVariant(msgspec.Struct, frozen=True):
    """A variant, for sale or not, with the `version` that a change of it refers to."""

    id: VariantId
    name: str
    sku: str
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    option_values: Mapping[str, object]
    sort_order: int
    is_active: bool
    version: int


class AdminProduct(msgspec.Struct, frozen=True):
    """A product as staff see it, with the `version` that a change of it refers to.

    `deleted_at` is None unless it is archived. Images and variants come in their own order.
    """

    id: ProductId
    category_id: CategoryId | None
    brand_id: BrandId | None
    name: str
    slug: str
    sku: str
    description: str | None
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    track_inventory: bool
    has_variants: bool
    attributes: Mapping[str, object]
    tags: tuple[str, ...]
    is_active: bool
    is_featured: bool
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    images: tuple[ProductImage, ...]
    variants: tuple[AdminVariant, ...]


class Category(msgspec.Struct, frozen=True):
    """A category with those below it; `parent_id` is None for a root."""

    id: CategoryId
    parent_id: CategoryId | None
    name: str
    slug: str
    sort_order: int
    version: int
    children: tuple[Category, ...] = ()


class Brand(msgspec.Struct, frozen=True):
    """A brand with the `version` that a change of it refers to."""

    id: BrandId
    name: str
    slug: str
    logo_url: str | None
    is_active: bool
    version: int
