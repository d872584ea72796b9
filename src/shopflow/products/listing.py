"""Product listings with filters (§4.1): one statement for each set of filters and sort in use."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql

from shopflow.cursors import check_limit
from shopflow.errors import InvalidInputError
from shopflow.postgres.queries import Query
from shopflow.products.conditions import STATEMENTS, condition, conditions
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.items import FIELDS, JOINS
from shopflow.products.models import ProductCount, ProductListing, ProductPage
from shopflow.products.search.ranking import find
from shopflow.products.sorting import (
    ORDERS,
    AnySort,
    Order,
    Sort,
    check_sort,
    decode,
    encode,
    order_by,
    ranges,
)

# Rows that are skipped are read: deeper pages are for a cursor.
LARGEST_OFFSET = 10_000
# How far a count goes.
COUNTED = 1000
LARGEST_COUNTED = 1_000_000

# The page is cut from the narrow rows of an index; all else is joined for its rows alone.
_STATEMENT = sql.SQL(
    """
    SELECT coalesce(json_agg(json_build_object(
        {fields},
        'keys', json_build_array({keys})
    ) ORDER BY {order}), '[]')
    FROM (
        {page}
    ) AS page
    {joins}
    """
)
_PAGE = sql.SQL(
    """SELECT each.* FROM {source} (
            {ranges}
        ) AS each
        ORDER BY {order}
        LIMIT {limit} {offset}"""
)
_RANGE = sql.SQL(
    """(SELECT {columns} FROM {tables}
            WHERE {condition}
            ORDER BY {order}
            LIMIT {most})"""
)
# Each category below, or each brand, has its own index range in order; of each only what fits a
# page is read. Who asks for both is served by whichever of the two the planner takes for smaller.
_SOURCES = {
    "category_id": sql.SQL(
        "(SELECT descendant_id FROM category_paths WHERE ancestor_id = %(category_id)s) AS cp"
        " CROSS JOIN LATERAL"
    ),
    "brand_ids": sql.SQL("unnest(%(brand_ids)s::uuid[]) AS eb (brand_id) CROSS JOIN LATERAL"),
}
_LINKS = {
    "category_id": sql.SQL("p.category_id = cp.descendant_id"),
    "brand_ids": sql.SQL("p.brand_id = eb.brand_id"),
}
# The filters that an index with the order serves, or that most products pass.
_SERVED: list[set[str]] = [
    {*one, *stock} for one in ([], ["category_id"], ["brand_ids.0"]) for stock in ([], ["in_stock"])
]
_PRODUCTS = sql.SQL("products AS p")
_STATS_FIRST = sql.SQL("product_stats AS s JOIN products AS p ON p.id = s.product_id")
_COUNT = sql.SQL(
    "SELECT count(*)"
    " FROM (SELECT FROM products AS p WHERE {condition} LIMIT %(most)s::int) AS found"
)


class _Row(ProductListing, frozen=True, kw_only=True):
    keys: msgspec.Raw


class _Counted(msgspec.Struct, frozen=True):
    count: int


async def list_products(
    connection: AsyncConnection[Any],
    filters: ProductFilters = EVERYTHING,
    sort: AnySort = "newest",
    *,
    limit: int = 20,
    cursor: str | None = None,
    offset: int = 0,
) -> ProductPage:
    """Return a page of the products that are active and not deleted (§4.1), in one round trip.

    What is equal in a sort has an order all the same, so that every product is on exactly one
    page as long as none is changed: equal prices come newest first, equal ratings by how many
    there are, and in the end the id decides. A page costs the same however deep it is.

    Args:
        connection: where to ask.
        filters: what to leave out; everything is listed without.
        sort: `newest`, `price_asc`, `price_desc`, `rating` (best first), `best_selling` (in the
            last months, as `shopflow worker` has counted), `name`, or with a text `relevance`, as
            `search.ranking.find` has it.
        limit: rows a page, 1 to 100.
        cursor: `next` or `previous` of a page in the same sort with the same filters.
        offset: rows to skip instead, 0 to 10,000: for small lists with numbered pages. They are
            read all the same.

    Raises:
        InvalidInputError: for a limit, offset, sort, cursor or filter that cannot be, and for a
            cursor of another list.
    """
    if sort == "relevance":
        return await _by_relevance(connection, filters, limit, cursor, offset)
    check_sort(sort)
    check_limit(limit)
    if not 0 <= offset <= LARGEST_OFFSET:
        raise InvalidInputError("offset", offset, f"must be from 0 to {LARGEST_OFFSET}")
    if cursor is not None and offset:
        raise InvalidInputError("offset", offset, "must be 0 with a cursor")
    given = conditions(filters)
    place, backwards = decode(cursor, sort, filters)
    query = listing_query(
        given.names,
        sort,
        limit=limit + 1,
        after=place is not None,
        backwards=backwards,
        skips=offset > 0,
    )
    found = await query.document(
        connection,
        list[_Row],
        **given.params,
        **(msgspec.structs.asdict(place) if place else {}),
        **({"offset": offset} if offset else {}),
    )
    rows, more = (found or [])[:limit], len(found or []) > limit
    if backwards:
        rows.reverse()
    before, after = (more, True) if backwards else (place is not None or offset > 0, more)
    return ProductPage(
        items=tuple(map(_listing, rows)),
        next=encode(sort, filters, rows[-1].keys, backwards=False) if rows and after else None,
        previous=encode(sort, filters, rows[0].keys, backwards=True) if rows and before else None,
    )


async def count_products(
    connection: AsyncConnection[Any], filters: ProductFilters = EVERYTHING, *, up_to: int = COUNTED
) -> ProductCount:
    """Count what a listing has, but not for longer than up to a number.

    Args:
        connection: where to ask.
        filters: as of the listing.
        up_to: 1 to 1,000,000; what is beyond is `more`.

    Raises:
        InvalidInputError: for a number or filter that cannot be.
    """
    if not 1 <= up_to <= LARGEST_COUNTED:
        raise InvalidInputError("up_to", up_to, f"must be from 1 to {LARGEST_COUNTED}")
    given = conditions(filters)
    (found,) = await _count_query(given.names).rows(
        connection, _Counted, **given.params, most=up_to + 1
    )
    return ProductCount(min(found.count, up_to), more=found.count > up_to)


async def _by_relevance(
    connection: AsyncConnection[Any],
    filters: ProductFilters,
    limit: int,
    cursor: str | None,
    offset: int,
) -> ProductPage:
    if filters.text is None:
        raise InvalidInputError("sort", "relevance", "needs a text that products are relevant to")
    if offset:
        raise InvalidInputError("offset", offset, "must be 0 by relevance")
    found = await find(connection, filters.text, filters, limit, cursor)
    return ProductPage(items=found.items, next=found.next, previous=found.previous)


@lru_cache(STATEMENTS)
def listing_query(
    names: tuple[str, ...],
    sort: Sort,
    *,
    limit: int = 21,
    after: bool = False,
    backwards: bool = False,
    skips: bool = False,
) -> Query:
    """Return the statement for the filters in use, by their names in `Conditions`, and the sort.

    How many rows it returns is in its text: a generic plan takes an unknown limit for a tenth of
    the table, and sorts it all. Where one index serves the filters and the order it is prepared,
    since planning it takes longer than running it; all others are planned for their values:
    between two independent filters a generic plan has no choice (75-385 ms against 1-2 ms).
    """
    order = ORDERS[sort]
    statement = _STATEMENT.format(
        fields=FIELDS,
        joins=JOINS,
        keys=sql.SQL(", ").join(column for column, _ in order.columns.values()),
        order=order_by(order, backwards=backwards),
        page=_page(names, order, limit, after=after, backwards=backwards, skips=skips),
    )
    return Query(
        "list_products",
        "A page of products for the filters and the sort in use.",
        statement.as_bytes(None),
        custom_plan=skips or not (order.by_category and set(names) in _SERVED),
    )


def _page(
    names: tuple[str, ...], order: Order, limit: int, *, after: bool, backwards: bool, skips: bool
) -> sql.Composed:
    source = _source(names) if order.by_category else None
    wanted: list[sql.Composable] = [condition([name for name in names if name != source])]
    if source:
        wanted.append(_LINKS[source])
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(column, sql.Identifier(name))
        for name, (column, _) in order.columns.items()
    )
    places = ranges(order, backwards=backwards) if after else ()
    skipped = sql.SQL(" + %(offset)s::int") if skips else sql.SQL("")
    return _PAGE.format(
        limit=sql.Literal(limit),
        offset=sql.SQL("OFFSET %(offset)s::int") if skips else sql.SQL(""),
        source=_SOURCES[source] if source else sql.SQL(""),
        ranges=sql.SQL(" UNION ALL ").join(
            _RANGE.format(
                columns=columns,
                tables=_STATS_FIRST if order.of_stats else _PRODUCTS,
                condition=sql.SQL(" AND ").join([*wanted, *place]),
                order=order_by(order, backwards=backwards),
                most=sql.Literal(limit) + skipped,
            )
            for place in ([[each] for each in places] or [[]])
        ),
        order=order_by(order, backwards=backwards, of="each"),
    )


def _source(names: tuple[str, ...]) -> str | None:
    """Return the filter whose values are gone through one by one, None for none."""
    by_category = "category_id" in names
    by_brand = "brand_ids" in names or "brand_ids.0" in names
    if by_category == by_brand:
        return None
    return "category_id" if by_category else "brand_ids" if "brand_ids" in names else None


@lru_cache(STATEMENTS)
def _count_query(names: tuple[str, ...]) -> Query:
    return Query(
        "count_products",
        "How many products a listing has, up to a number.",
        _COUNT.format(condition=condition(names)).as_bytes(None),
        custom_plan=True,
    )


def _listing(row: _Row) -> ProductListing:
    return msgspec.convert(row, ProductListing, from_attributes=True)
