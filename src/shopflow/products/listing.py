"""Product listings with filters (§4.1): one statement for each set of filters and sort in use."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args

import msgspec
from psycopg import AsyncConnection, sql

from shopflow.errors import InvalidInputError
from shopflow.ids import BrandId, CategoryId
from shopflow.postgres.queries import Query
from shopflow.products.models import ProductListing

Sort = Literal["newest", "price_asc", "price_desc"]

LARGEST_LIMIT = 100
# Rows that are skipped are read: deeper pages are for a cursor.
LARGEST_OFFSET = 10_000


class ProductFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing is narrowed to; None, and False for `in_stock`, do not filter.

    `price_min` and `price_max` are included. `in_stock` leaves what can be bought now: something
    in stock, or sold without counting stock (§4.1 forgets the latter).
    """

    category_id: CategoryId | None = None
    brand_id: BrandId | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool = False


EVERYTHING = ProductFilters()

# The predicates of the partial indexes, then one for each filter.
_LISTED = sql.SQL("p.is_active = TRUE AND p.deleted_at IS NULL")
_CONDITIONS = {
    "category_id": sql.SQL("p.category_id = %(category_id)s"),
    "brand_id": sql.SQL("p.brand_id = %(brand_id)s"),
    "price_min": sql.SQL("p.price >= %(price_min)s"),
    "price_max": sql.SQL("p.price <= %(price_max)s"),
    "in_stock": sql.SQL("(p.stock_quantity > 0 OR NOT p.track_inventory)"),
}
_ORDERS: dict[Sort, sql.SQL] = {
    "newest": sql.SQL("p.created_at DESC, p.id DESC"),
    "price_asc": sql.SQL("p.price ASC, p.created_at DESC, p.id DESC"),
    "price_desc": sql.SQL("p.price DESC, p.created_at DESC, p.id DESC"),
}
# The page is cut from the narrow rows of an index; all else is joined for its rows alone.
_STATEMENT = sql.SQL(
    """
    SELECT coalesce(json_agg(json_build_object(
        'id', p.id,
        'name', p.name,
        'slug', p.slug,
        'price', p.price,
        'compare_at_price', p.compare_at_price,
        'stock_quantity', p.stock_quantity,
        'category_name', c.name,
        'brand_name', b.name,
        'primary_image', pi.url,
        'avg_rating', s.rating_sum::numeric / nullif(s.rating_count, 0),
        'review_count', coalesce(s.rating_count, 0)
    ) ORDER BY {order}), '[]')
    FROM (
        SELECT p.id FROM products AS p
        WHERE {condition}
        ORDER BY {order}
        LIMIT %(limit)s::int OFFSET %(offset)s::int
    ) AS page
    JOIN products AS p ON p.id = page.id
    LEFT JOIN categories AS c ON c.id = p.category_id
    LEFT JOIN brands AS b ON b.id = p.brand_id
    LEFT JOIN product_images AS pi ON pi.product_id = p.id AND pi.is_primary
    LEFT JOIN product_stats AS s ON s.product_id = p.id
    """
)


async def list_products(
    connection: AsyncConnection[Any],
    filters: ProductFilters = EVERYTHING,
    sort: Sort = "newest",
    limit: int = 20,
    offset: int = 0,
) -> list[ProductListing]:
    """Return a page of the products that are active and not deleted (§4.1), in one round trip.

    Equal prices come newest first, and what was made at the same time by id, so that every
    product is on exactly one page as long as none is changed.

    Args:
        connection: where to ask.
        filters: what to leave out; everything is listed without.
        sort: `newest`, `price_asc` or `price_desc`.
        limit: rows a page, 1 to 100.
        offset: rows to skip, 0 to 10,000.

    Raises:
        InvalidInputError: for a limit, offset or sort outside of these.
    """
    _check("limit", limit, 1, LARGEST_LIMIT)
    _check("offset", offset, 0, LARGEST_OFFSET)
    if sort not in _ORDERS:
        raise InvalidInputError("sort", sort, f"must be one of {', '.join(get_args(Sort))}")
    names, given = conditions_of(filters)
    query = listing_query(names, sort)
    page = await query.document(
        connection, list[ProductListing], **given, limit=limit, offset=offset
    )
    return page or []


@cache
def listing_query(filters: frozenset[str], sort: Sort) -> Query:
    """Return the statement for the fields of `ProductFilters` in use, and the sort.

    It is planned for its values: a generic plan takes the page for a tenth of the table and sorts
    it all, and between two independent filters it has no choice (75-385 ms against 1-2 ms).
    """
    statement = _STATEMENT.format(
        order=_ORDERS[sort],
        condition=sql.SQL(" AND ").join([_LISTED, *conditions_of_names(filters)]),
    )
    return Query(
        "list_products",
        "A page of products for the filters and the sort in use.",
        statement.as_bytes(None),
        custom_plan=True,
    )


def conditions_of(filters: ProductFilters) -> tuple[frozenset[str], dict[str, object]]:
    """Return the names of the filters in use, and their values by name."""
    asked = msgspec.structs.asdict(filters).items()
    given = {name: value for name, value in asked if value is not None and value is not False}
    return frozenset(given), given


def conditions_of_names(names: frozenset[str]) -> list[sql.SQL]:
    """Return the conditions on `p`, a product, of the filters with these names."""
    return [_CONDITIONS[name] for name in _CONDITIONS if name in names]


def _check(field: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        raise InvalidInputError(field, value, f"must be from {smallest} to {largest}")
