"""What the sidebar of a listing shows: the values to narrow it to, each with its count."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.ids import BrandId, CategoryId

FacetName = Literal[
    "brands", "categories", "prices", "ratings", "in_stock", "attributes", "options", "matched"
]


class BrandCount(msgspec.Struct, frozen=True):
    """How many products are of a brand."""

    id: BrandId
    name: str
    count: int


class CategoryCount(msgspec.Struct, frozen=True):
    """How many products are in a category or below it."""

    id: CategoryId
    name: str
    slug: str
    count: int


class PriceCount(msgspec.Struct, frozen=True):
    """How many products cost from `price_min` to `price_max`, both included.

    Both go into `ProductFilters` as they are; `price_max` of the last bucket is None.
    """

    price_min: Decimal
    price_max: Decimal | None
    count: int


class RatingCount(msgspec.Struct, frozen=True):
    """How many products are rated `rating_min` or better on average."""

    rating_min: Decimal
    count: int


class ValueCount(msgspec.Struct, frozen=True):
    """How many products have a value of an attribute or option, as text."""

    value: str
    count: int


class ValueFacet(msgspec.Struct, frozen=True):
    """The values of an attribute or option that most products have, those first."""

    name: str
    values: tuple[ValueCount, ...]


class Facets(msgspec.Struct, frozen=True):
    """Counts of what a listing could be narrowed to under the filters in use.

    A count says how many products the listing would have with that value instead of those that
    its own filter has: with two brands ticked, `brands` still shows the others, and `prices`
    counts the two. Values that no product has are left out, but for `ratings`.

    Attributes:
        brands: at most 50, those of most products first, then by name.
        categories: the direct children of the category in the filter, each with all below it,
            the roots without; in the order of the tree.
        prices: buckets in order.
        ratings: at least 4, 3, 2 and 1.
        in_stock: how many can be bought now.
        attributes: at most 20 keys, those of most products first, 50 values each.
        options: those of the variants, as `attributes`. With options ticked, what the variants
            have that fit the other ones.
        matched: how many products match all filters.
        approximate: the fields that hold estimates, because more products match than were
            counted; empty when every number is exact.
    """

    brands: tuple[BrandCount, ...]
    categories: tuple[CategoryCount, ...]
    prices: tuple[PriceCount, ...]
    ratings: tuple[RatingCount, ...]
    in_stock: int
    attributes: tuple[ValueFacet, ...]
    options: tuple[ValueFacet, ...]
    matched: int
    approximate: frozenset[FacetName]
