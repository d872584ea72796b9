"""Pages of a listing that every way can answer, sampled from the catalogue: the filter mix."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import TupleRow

from shopflow.ids import BrandId, CategoryId

# Of the categories without others below them, and of the brands, by size: the largest first.
PLACES = (0.0, 0.05, 0.2, 0.5, 0.9)
PRICES = ((10, 20), (15, 60), (50, 100), (100, 500), (20, 1000))
LEAVES = """
    SELECT s.id FROM bench.shelves AS s
    WHERE NOT EXISTS (SELECT FROM categories AS c WHERE c.parent_id = s.id)
    ORDER BY s.n
"""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What §4.1 can ask for."""

    category_id: CategoryId | None = None
    brand_id: BrandId | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool | None = None
    sort: Literal["newest", "price_asc", "price_desc"] = "newest"
    limit: int = 20
    offset: int = 0


def mix(connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[Page]]:
    """Return the pages of the filter mix by the name of their filters and sort."""
    rows = connection.execute(LEAVES)
    categories = [CategoryId(each) for each in _at_places([row[0] for row in rows])]
    rows = connection.execute("SELECT id FROM bench.brands ORDER BY n")
    brands = [BrandId(each) for each in _at_places([row[0] for row in rows])]
    ranges = [(Decimal(low), Decimal(high)) for low, high in PRICES]
    return {
        "newest": [Page()],
        "price_asc": [Page(sort="price_asc")],
        "price_desc": [Page(sort="price_desc")],
        "in_stock": [Page(in_stock=True)],
        "price_range": [Page(price_min=low, price_max=high) for low, high in ranges],
        "price_range_price_asc": [
            Page(price_min=low, price_max=high, sort="price_asc") for low, high in ranges
        ],
        "category": [Page(category_id=each) for each in categories],
        "category_price_asc": [Page(category_id=each, sort="price_asc") for each in categories],
        "category_price_range": [
            Page(category_id=each, price_min=low, price_max=high)
            for each, (low, high) in zip(categories, ranges, strict=True)
        ],
        "category_in_stock_price_desc": [
            Page(category_id=each, in_stock=True, sort="price_desc") for each in categories
        ],
        "brand": [Page(brand_id=each) for each in brands],
        "brand_price_asc": [Page(brand_id=each, sort="price_asc") for each in brands],
        "category_and_brand": [
            Page(category_id=category, brand_id=brand)
            for category, brand in zip(categories, brands, strict=True)
        ],
    }


def _at_places(found: Sequence[UUID]) -> list[UUID]:
    return [found[int(place * len(found))] for place in PLACES]
