"""Product listings with filters (§4.1): one statement for each set of filters and sort in use."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql

from shopflow.cursors import check_limit
from shopflow.errors import InvalidInputError
from shopflow.postgres.queries import Query
from shopflow.products.conditions import condition, conditions
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
    follows,
    order_by,
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
    """SELECT {columns} FROM {tables}
        WHERE {condition}
        ORDER BY {order}
        LIMIT %(limit)s::int OFFSET %(offset)s::int"""
)
# Each category below has its own index range in order; of each only what fits a page is read.
_PAGE_OF_SUBTREE = sql.SQL(
    """SELECT below.* FROM category_paths AS cp
        CROSS JOIN LATERAL (
            SELECT {columns} FROM products AS p
            WHERE p.category_id = cp.descendant_id AND {condition}
            ORDER BY {order}
            LIMIT %(limit)s::int + %(offset)s::int
        ) AS below
        WHERE cp.ancestor_id = %(category_id)s
        ORDER BY {outer_order}
        LIMIT %(limit)s::int OFFSET %(offset)s::int"""
)
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
            last months, as `shopflow worker` has counted), `name`, or `relevance` with a text, where
            the best are listed as `search.ranking.find` does it.
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
    query = listing_query(given.names, sort, after=place is not None, backwards=backwards)
    found = await query.document(
        connection,
        list[_Row],
        **given.params,
        **(msgspec.structs.asdict(place) if place else {}),
        limit=limit + 1,
        offset=offset,
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


@cache
def listing_query(
    names: tuple[str, ...], sort: Sort, *, after: bool = False, backwards: bool = False
) -> Query:
    """Return the statement for the filters in use, by their names in `Conditions`, and the sort.

    It is planned for its values: a generic plan takes the page for a tenth of the table and sorts
    it all, and between two independent filters it has no choice (75-385 ms against 1-2 ms).
    """
    order = ORDERS[sort]
    statement = _STATEMENT.format(
        fields=FIELDS,
        joins=JOINS,
        keys=sql.SQL(", ").join(column for column, _ in order.columns.values()),
        order=order_by(order, backwards=backwards),
        page=_page(names, order, after=after, backwards=backwards),
    )
    return Query(
        "list_products",
        "A page of products for the filters and the sort in use.",
        statement.as_bytes(None),
        custom_plan=True,
    )


def _page(names: tuple[str, ...], order: Order, *, after: bool, backwards: bool) -> sql.Composed:
    by_category = "category_id" in names and not order.of_stats
    wanted = condition([name for name in names if not (by_category and name == "category_id")])
    if after:
        wanted = sql.SQL(" AND ").join([wanted, follows(order, backwards=backwards)])
    parts = {
        "columns": sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(column, sql.Identifier(name))
            for name, (column, _) in order.columns.items()
        ),
        "condition": wanted,
        "order": order_by(order, backwards=backwards),
    }
    if by_category:
        outer = order_by(order, backwards=backwards, of="below")
        return _PAGE_OF_SUBTREE.format(**parts, outer_order=outer)
    return _PAGE.format(**parts, tables=_STATS_FIRST if order.of_stats else _PRODUCTS)


@cache
def _count_query(names: tuple[str, ...]) -> Query:
    return Query(
        "count_products",
        "How many products a listing has, up to a number.",
        _COUNT.format(condition=condition(names)).as_bytes(None),
        custom_plan=True,
    )


def _listing(row: _Row) -> ProductListing:
    return msgspec.convert(row, ProductListing, from_attributes=True)
