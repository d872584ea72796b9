"""Listings computed the slow and obvious way: everything is read, and filtered and sorted here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from shopflow import Shop
from shopflow.products.filters import ProductFilters
from shopflow.products.sorting import Sort
from tests.catalogue import run

PRODUCTS = """
SELECT id, name, category_id, brand_id, price, stock_quantity, track_inventory, is_featured, tags,
    attributes::text, created_at, is_active AND deleted_at IS NULL FROM products
"""
VARIANTS = (
    "SELECT product_id, option_values::text, stock_quantity FROM product_variants WHERE is_active"
)
RATINGS = "SELECT product_id, rating FROM product_reviews WHERE is_approved"
SOLD = "SELECT product_id, sold_count FROM product_stats"
CENT = Decimal("0.01")


@dataclass
class Thing:
    id: UUID
    name: str
    category_id: UUID | None
    brand_id: UUID | None
    price: Decimal
    stock_quantity: int
    track_inventory: bool
    is_featured: bool
    tags: list[str]
    attributes: str
    created_at: datetime
    listed: bool
    variants: list[tuple[Mapping[str, object], int]]
    ratings: list[int]
    sold: int

    @property
    def rating(self) -> Decimal:
        if not self.ratings:
            return Decimal(0)
        average = Decimal(sum(self.ratings)) / len(self.ratings)
        return average.quantize(CENT, ROUND_HALF_UP)


@dataclass
class Reference:
    things: list[Thing]
    parents: dict[UUID, UUID | None]

    def listed(self, filters: ProductFilters, sort: Sort = "newest") -> list[UUID]:
        """The ids of the whole listing, in order."""
        found = [each for each in self.things if each.listed and self.fits(each, filters)]
        # By the last column first: each sort keeps the order of what is equal.
        found.sort(key=lambda each: each.id, reverse=sort != "name")
        match sort:
            case "newest":
                found.sort(key=lambda each: each.created_at, reverse=True)
            case "price_asc" | "price_desc":
                found.sort(key=lambda each: each.created_at, reverse=True)
                found.sort(key=lambda each: each.price, reverse=sort == "price_desc")
            case "rating":
                found.sort(key=lambda each: (each.rating, len(each.ratings)), reverse=True)
            case "best_selling":
                found.sort(key=lambda each: each.sold, reverse=True)
            case "name":
                found.sort(key=lambda each: each.name.lower())
        return [each.id for each in found]

    def fits(self, thing: Thing, filters: ProductFilters) -> bool:
        return (
            (filters.category_id is None or self.below(thing.category_id, filters.category_id))
            and (not filters.brand_ids or thing.brand_id in filters.brand_ids)
            and (filters.price_min is None or thing.price >= filters.price_min)
            and (filters.price_max is None or thing.price <= filters.price_max)
            and (not filters.in_stock or thing.stock_quantity > 0 or not thing.track_inventory)
            and (not filters.featured or thing.is_featured)
            and all(tag in thing.tags for tag in filters.tags)
            and all(
                has(json.loads(thing.attributes), key, values)
                for key, values in filters.attributes.items()
            )
            and (filters.rating_min is None or thing.rating >= filters.rating_min)
            and (
                not filters.options
                or any(
                    all(has(options, key, values) for key, values in filters.options.items())
                    and (not filters.in_stock or stock > 0 or not thing.track_inventory)
                    for options, stock in thing.variants
                )
            )
        )

    def below(self, category_id: UUID | None, ancestor: UUID) -> bool:
        while category_id is not None and category_id != ancestor:
            category_id = self.parents[category_id]
        return category_id == ancestor


def has(document: Mapping[str, object], key: str, values: Sequence[str]) -> bool:
    if key not in document:
        return False
    held = document[key]
    texts = {
        each if isinstance(each, str) else json.dumps(each)
        for each in (held if isinstance(held, list) else [held])
    }
    return any(value in texts for value in values)


async def read(shop: Shop) -> Reference:
    """Read all of a shop's catalogue."""
    variants: dict[UUID, list[tuple[Mapping[str, object], int]]] = {}
    for product_id, options, stock in await run(shop, VARIANTS):
        variants.setdefault(product_id, []).append((json.loads(options), stock))
    ratings: dict[UUID, list[int]] = {}
    for product_id, rating in await run(shop, RATINGS):
        ratings.setdefault(product_id, []).append(rating)
    sold = dict(await run(shop, SOLD))
    things = []
    for row in await run(shop, PRODUCTS):
        of_others = (variants.get(row[0], []), ratings.get(row[0], []), sold[row[0]])
        things.append(Thing(*(*row, *of_others)))
    return Reference(things, dict(await run(shop, "SELECT id, parent_id FROM categories")))
