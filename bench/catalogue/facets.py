"""Facets in one round trip against a statement for each of them, as shops usually have it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bench.catalogue import pages
from bench.catalogue.listing import filters
from bench.catalogue.pages import Page
from bench.catalogue.ways import Read, Reading
from shopflow.postgres.conninfo import conninfo
from shopflow.products.facets import count_facets
from shopflow.settings import Settings
from shopflow.shop import Shop

_MATCHES = """
    p.is_active AND p.deleted_at IS NULL
    AND (%(category_id)s::uuid IS NULL OR p.category_id = %(category_id)s)
    AND (%(brand_id)s::uuid IS NULL OR p.brand_id = %(brand_id)s)
    AND (%(price_min)s::numeric IS NULL OR p.price >= %(price_min)s)
    AND (%(price_max)s::numeric IS NULL OR p.price <= %(price_max)s)
"""
_QUERIES = tuple(
    statement + f" WHERE {_MATCHES} GROUP BY 1 ORDER BY 2 DESC"
    for statement in (
        "SELECT p.brand_id, count(*) FROM products p",
        "SELECT p.category_id, count(*) FROM products p",
        (
            "SELECT width_bucket(p.price, ARRAY[10, 20, 50, 100, 200, 500, 1000]::numeric[]),"
            " count(*) FROM products p"
        ),
        "SELECT p.stock_quantity > 0 OR NOT p.track_inventory, count(*) FROM products p",
        (
            "SELECT s.rating_sum / nullif(s.rating_count, 0), count(*)"
            " FROM products p LEFT JOIN product_stats s ON s.product_id = p.id"
        ),
        (
            "SELECT (a.key, a.value), count(*)"
            " FROM products p CROSS JOIN jsonb_each_text(p.attributes) a"
        ),
    )
)
CASES = ("newest", "price_range", "category", "category_price_range", "brand")


def cases(connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[Page]]:
    """Return those pages of the listing's mix that differ in their filters."""
    mix = pages.mix(connection)
    return {name: mix[name] for name in CASES}


async def ours(shop: Shop, page: Page) -> object:
    """Count by the public API."""
    return await shop.products.facets(filters(page))


async def statement(connection: AsyncConnection[Any], page: Page) -> object:
    """Count on a connection."""
    return await count_facets(connection, filters(page))


@asynccontextmanager
async def one_by_one(settings: Settings) -> AsyncIterator[Read[Page]]:
    """Give the function that counts each facet by a statement of its own, on our indexes."""
    async with await AsyncConnection.connect(conninfo(settings), autocommit=True) as connection:
        await connection.execute("SET statement_timeout = 0")

        async def read(page: Page) -> object:
            given = {
                "category_id": page.category_id,
                "brand_id": page.brand_id,
                "price_min": page.price_min,
                "price_max": page.price_max,
            }
            return [
                await (await connection.execute(query.encode(), given, prepare=True)).fetchall()
                for query in _QUERIES
            ]

        yield read


READING: Reading[Page] = Reading(
    cases=cases, ours=ours, statement=statement, others={"queries": one_by_one}
)
