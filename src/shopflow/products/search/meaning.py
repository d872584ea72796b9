"""Finding products by their words and by their meaning at once (reciprocal rank fusion)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql

from shopflow.postgres.queries import Query
from shopflow.products.conditions import STATEMENTS, condition, conditions
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.items import FIELDS, JOINS
from shopflow.products.search.embedding import Embedding, dimensions_of, vectors_of
from shopflow.products.search.models import Found
from shopflow.products.search.parsing import as_document
from shopflow.products.search.ranking import (
    MATCHES,
    ORDERS,
    PLACES,
    RANKED,
    SCORE,
    Answer,
    asked_for,
    page_of,
)

# How many of each list are fused.
FUSED = 100
# The constant of the paper (Cormack and others, 2009): how little the first place is worth more.
SMOOTHING = sql.Literal(60)
_STATEMENT = sql.SQL(
    """
    WITH understood AS MATERIALIZED (
        SELECT answer, (answer ->> 'query')::tsquery AS query
        FROM search_understood(%(terms)s::jsonb) AS answer
    ),
    -- Filters leave products out: the index is read on until there are enough.
    tuned AS MATERIALIZED (
        SELECT
            set_config('hnsw.iterative_scan', 'strict_order', true)
            || set_config('hnsw.ef_search', '100', true) AS how
    ),
    worded AS MATERIALIZED (
        SELECT id, row_number() OVER (ORDER BY score DESC, id DESC) AS place
        FROM (
            SELECT s.product_id AS id, {score} AS score
            FROM (
                SELECT s.product_id, s.popularity, s.document
                FROM product_search AS s {products}
                WHERE {matches} AND {condition}
                ORDER BY s.popularity DESC, s.product_id DESC
                LIMIT %(ranked)s::int
            ) AS s
        ) AS scored
        ORDER BY score DESC, id DESC
        LIMIT %(fused)s::int
    ),
    meant AS MATERIALIZED (
        SELECT
            near.product_id AS id,
            row_number() OVER (ORDER BY near.distance, near.product_id) AS place
        FROM tuned
        CROSS JOIN LATERAL (
            SELECT s.product_id, s.embedding <=> %(vector)s::vector AS distance
            FROM product_embeddings AS s {products}
            WHERE tuned.how <> '' AND {condition}
            ORDER BY s.embedding <=> %(vector)s::vector
            LIMIT %(fused)s::int
        ) AS near
    ),
    fused AS (
        SELECT id, sum(1.0::float8 / ({smoothing} + place)) AS score
        FROM (SELECT id, place FROM worded UNION ALL SELECT id, place FROM meant) AS both_lists
        GROUP BY id
    ),
    page AS (
        SELECT id, score FROM fused {place} ORDER BY {order} LIMIT %(limit)s::int + 1
    )
    SELECT json_build_object(
        'matches', (SELECT count(*) FROM fused),
        'corrected', (SELECT answer -> 'corrected' FROM understood),
        'rows', coalesce((
            SELECT json_agg(json_build_object(
                'score', page.score,
                'item', json_build_object({fields})
            ) ORDER BY page.score DESC, page.id DESC)
            FROM page {joins}
        ), '[]')
    )
    """
)


async def find_by_meaning(
    connection: AsyncConnection[Any],
    text: str,
    model: Embedding,
    filters: ProductFilters = EVERYTHING,
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> Found:
    """Return a page of what a text finds by its words or by its meaning, best first.

    The 100 best by words and the 100 nearest by the model's vectors, each worth 1 / (60 + its
    place), so that what is in both lists comes first. Only products that `embed_products` has made
    vectors of are near. Two round trips, and the model's time.

    Args:
        connection: where to ask.
        text: as of `ranking.find`.
        model: the one that made the products' vectors.
        filters: what else to leave out.
        limit: rows a page, 1 to 100.
        cursor: `next` or `previous` of a page of the same search.

    Raises:
        InvalidInputError: as `ranking.find`; and for a model whose vectors are not as long as
            those of the products.
        SemanticSearchError: when search by meaning is not switched on.
    """
    asked, place = asked_for(text, filters, limit, cursor, ranked=2 * FUSED, kind="meaning")
    given = conditions(msgspec.structs.replace(filters, text=None))
    (vector,) = await vectors_of(model, [text], await dimensions_of(connection))
    query = meaning_query(given.names, back=place.back if place else None)
    answer = await query.document(
        connection,
        Answer,
        terms=as_document(asked.terms),
        vector=vector,
        limit=limit,
        ranked=RANKED,
        fused=FUSED,
        **given.params,
        **(place.keys() if place else {}),
    )
    return page_of(answer, asked, place)


@lru_cache(STATEMENTS)
def meaning_query(filters: tuple[str, ...], *, back: bool | None) -> Query:
    """Return the statement for the filters in use; `back` None for the first page."""
    statement = _STATEMENT.format(
        products=sql.SQL("JOIN products AS p ON p.id = s.product_id" if filters else ""),
        matches=MATCHES,
        condition=condition(filters) if filters else sql.SQL("true"),
        score=SCORE,
        smoothing=SMOOTHING,
        place=PLACES[back],
        order=ORDERS[bool(back)],
        fields=FIELDS,
        joins=JOINS,
    )
    return Query(
        "find_products_by_meaning",
        "A page of what a text finds by its words and by its meaning.",
        statement.as_bytes(None),
        custom_plan=True,
    )
