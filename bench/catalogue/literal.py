"""The specification's own statements, prepared, on its own tables and indexes (§3, §4)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection

from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

LISTING = """
    SELECT
        p.id, p.name, p.slug, p.price, p.compare_at_price, p.stock_quantity,
        c.name AS category_name, b.name AS brand_name,
        (SELECT url FROM product_images pi
         WHERE pi.product_id = p.id AND pi.is_primary = TRUE LIMIT 1) AS primary_image,
        (SELECT AVG(rating) FROM product_reviews pr
         WHERE pr.product_id = p.id AND pr.is_approved = TRUE) AS avg_rating,
        (SELECT COUNT(*) FROM product_reviews pr
         WHERE pr.product_id = p.id AND pr.is_approved = TRUE) AS review_count
    FROM products p
    LEFT JOIN categories c ON p.category_id = c.id
    LEFT JOIN brands b ON p.brand_id = b.id
    WHERE
        p.is_active = TRUE
        AND p.deleted_at IS NULL
        AND (%(category_id)s::uuid IS NULL OR p.category_id = %(category_id)s)
        AND (%(price_min)s::numeric IS NULL OR p.price >= %(price_min)s)
        AND (%(price_max)s::numeric IS NULL OR p.price <= %(price_max)s)
        AND (%(brand_id)s::uuid IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(in_stock)s::boolean IS NULL
            OR (%(in_stock)s = TRUE AND p.stock_quantity > 0))
    ORDER BY
        CASE WHEN %(sort)s::text = 'price_asc' THEN p.price END ASC,
        CASE WHEN %(sort)s = 'price_desc' THEN p.price END DESC,
        CASE WHEN %(sort)s = 'newest' THEN p.created_at END DESC,
        p.created_at DESC
    LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
"""
# §4.2, for an id or for a slug: as written, one value for both, it does not prepare.
_DETAIL = """
    SELECT
        p.*,
        json_build_object('id', c.id, 'name', c.name, 'slug', c.slug) AS category,
        json_build_object('id', b.id, 'name', b.name) AS brand,
        (SELECT json_agg(json_build_object('id', pi.id, 'url', pi.url, 'alt_text', pi.alt_text,
            'is_primary', pi.is_primary) ORDER BY pi.sort_order)
         FROM product_images pi WHERE pi.product_id = p.id) AS images,
        (SELECT json_agg(json_build_object('id', pv.id, 'name', pv.name, 'sku', pv.sku,
            'price', pv.price, 'stock_quantity', pv.stock_quantity,
            'option_values', pv.option_values) ORDER BY pv.sort_order)
         FROM product_variants pv
         WHERE pv.product_id = p.id AND pv.is_active = TRUE) AS variants
    FROM products p
    LEFT JOIN categories c ON p.category_id = c.id
    LEFT JOIN brands b ON p.brand_id = b.id
    WHERE p.deleted_at IS NULL AND """
DETAIL_BY_ID = _DETAIL + "p.id = %(key)s::uuid"
DETAIL_BY_SLUG = _DETAIL + "p.slug = %(key)s"
# The index of §3.2 is there, the statement is not.
SEARCH = """
    SELECT p.id, p.name, p.slug, p.price
    FROM products p
    WHERE
        to_tsvector('english', coalesce(p.name, '') || ' ' || coalesce(p.description, ''))
            @@ websearch_to_tsquery('english', %(text)s)
        AND p.is_active = TRUE AND p.deleted_at IS NULL
        AND (%(price_max)s::numeric IS NULL OR p.price <= %(price_max)s AND p.stock_quantity > 0)
    ORDER BY ts_rank(
        to_tsvector('english', coalesce(p.name, '') || ' ' || coalesce(p.description, '')),
        websearch_to_tsquery('english', %(text)s)
    ) DESC, p.id
    LIMIT 20
"""
SUGGEST = """
    SELECT p.id, p.name, p.slug FROM products p
    WHERE p.name ILIKE %(pattern)s AND p.is_active = TRUE AND p.deleted_at IS NULL
    LIMIT 5
"""
Ask = Callable[..., Awaitable[list[Any]]]
# Until PostgreSQL has decided between a generic plan and one for the values.
WARM_UP = 6
# Seconds after which it is left to the rounds to do that.
PATIENCE = 60.0


def make(settings: Settings) -> None:
    """Copy the catalogue into the specification's tables, unless they are there."""
    with psycopg.connect(conninfo(settings)) as connection:
        if connection.execute("SELECT to_regnamespace('literal')").fetchone() != (None,):
            return
        connection.execute("SET statement_timeout = 0; SET maintenance_work_mem = '1GB'")
        connection.execute(Path(__file__).with_name("literal.sql").read_bytes())
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute(
            "VACUUM (ANALYZE) literal.products, literal.product_reviews, literal.product_images,"
            " literal.product_variants, literal.categories, literal.brands"
        )


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[Ask]:
    """Give the function that runs a statement, prepared, and returns its rows."""
    async with await AsyncConnection.connect(conninfo(settings), autocommit=True) as connection:
        await connection.execute("SET search_path = literal, public")
        await connection.execute("SET statement_timeout = 0")

        async def ask(statement: str, **params: object) -> list[Any]:
            cursor = await connection.execute(statement.encode(), params, prepare=True)
            return await cursor.fetchall()

        yield ask
