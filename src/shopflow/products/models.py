"""What a product looks like to Python: a line of a listing, and the whole of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from shopflow.ids import BrandId, CategoryId, ImageId, ProductId, VariantId


class ProductListing(msgspec.Struct, frozen=True):
    """A product as listings show it (§4.1).

    `avg_rating`, of approved reviews, is None without any; the other fields are None where the
    product has none.
    """

    id: ProductId
    name: str
    slug: str
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    category_name: str | None
    brand_name: str | None
    primary_image: str | None
    avg_rating: Decimal | None
    review_count: int


class ProductPage(msgspec.Struct, frozen=True):
    """A page of a listing, with the cursors of the pages after and before it.

    `next` is None on the last page, `previous` on the first; where products have come or gone
    meanwhile, one that it leads to may be empty.
    """

    items: tuple[ProductListing, ...]
    next: str | None
    previous: str | None


class ProductCount(msgspec.Struct, frozen=True):
    """How many products a listing has: `count`, or `more` than that."""

    count: int
    more: bool


class ProductCategory(msgspec.Struct, frozen=True):
    """The category that a product is in."""

    id: CategoryId
    name: str
    slug: str


class ProductBrand(msgspec.Struct, frozen=True):
    """The brand of a product."""

    id: BrandId
    name: str


class ProductImage(msgspec.Struct, frozen=True):
    """An image of a product; of one of its variants where `variant_id` is not None."""

    id: ImageId
    variant_id: VariantId | None
    url: str
    alt_text: str | None
    is_primary: bool


class ProductVariant(msgspec.Struct, frozen=True):
    """A variant that can be bought; `option_values` is such as `{"Size": "M"}`."""

    id: VariantId
    name: str
    sku: str
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    option_values: Mapping[str, object]


class Product(msgspec.Struct, frozen=True):
    """A product with everything that its page shows (§4.2).

    Images and active variants come in their own order, and are empty when there are none.
    `stock_quantity` is the sum over the variants when `has_variants`, and means nothing unless
    `track_inventory`. `version` is what a change of the product refers to. `avg_rating`, of the
    approved reviews, is None without any; the reviews themselves are `shop.products.reviews.list`.
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
    category: ProductCategory | None
    brand: ProductBrand | None
    images: tuple[ProductImage, ...]
    variants: tuple[ProductVariant, ...]
    avg_rating: Decimal | None
    review_count: int
