"""Finding products by their words, by relevance and popularity, a page at a time (§3.2)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql

from shopflow import cursors
from shopflow.errors import InvalidInputError
from shopflow.postgres.queries import Query
from shopflow.products.conditions import STATEMENTS, condition, conditions
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.items import FIELDS, JOINS
from shopflow.products.models import ProductListing
from shopflow.products.search.models import Found, Place
from shopflow.products.search.parsing import Term, as_document, corrected_text, parse

# Ranking each product of a popular word is what a search costs: the most popular ones are ranked,
# and the answer says so. Of a word that one product in a hundred has, a hundred times as many are
# looked at.
RANKED = 500

# Of the letters D, C, B, A: description, none, tags, name and brand.
WEIGHTS = sql.SQL("'{0.05, 0.1, 0.3, 1.0}'")
# 1 divides by the logarithm of the length, so that long descriptions do not win.
SCORE = sql.SQL(
    "(ts_rank({weights}, s.document, (SELECT query FROM understood), 1)"
    " * (1 + s.popularity / 10.0))::float8"
).format(weights=WEIGHTS)
MATCHES = sql.SQL("s.document @@ search_query(%(terms)s::jsonb)")
_STATEMENT = sql.SQL(
    """
    WITH understood AS MATERIALIZED (
        SELECT answer, (answer ->> 'query')::tsquery AS query
        FROM search_understood(%(terms)s::jsonb) AS answer
    ),
    candidate AS MATERIALIZED (
        SELECT s.product_id, s.popularity, s.document
        FROM product_search AS s {products}
        WHERE {conditions}
        ORDER BY s.popularity DESC, s.product_id DESC
        LIMIT %(ranked)s::int + 1
    ),
    page AS (
        SELECT id, score
        FROM (
            SELECT s.product_id AS id, {score} AS score
            FROM (
                SELECT product_id, popularity, document FROM candidate
                ORDER BY popularity DESC, product_id DESC LIMIT %(ranked)s::int
            ) AS s
        ) AS scored
        {place}
        ORDER BY {order}
        LIMIT %(limit)s::int + 1
    )
    SELECT json_build_object(
        'matches', (SELECT count(*) FROM candidate),
        'corrected', (SELECT answer -> 'corrected' FROM understood),
        'rows', coalesce((
            SELECT json_agg(json_build_object(
                'score', page.score,
                'item', json_build_object({item})
            ) ORDER BY page.score DESC, page.id DESC)
            FROM page {joins}
        ), '[]')
    )
    """
)
ORDERS = {
    False: sql.SQL("score DESC, id DESC"),
    True: sql.SQL("score, id"),
}
PLACES = {
    None: sql.SQL(""),
    False: sql.SQL("WHERE (score, id) < (%(score)s::float8, %(id)s::uuid)"),
    True: sql.SQL("WHERE (score, id) > (%(score)s::float8, %(id)s::uuid)"),
}


class Asked(msgspec.Struct, frozen=True):
    """What is searched for; `of` tells it from every other search."""

    text: str
    terms: tuple[Term, ...]
    of: str
    limit: int
    ranked: int


class _Row(msgspec.Struct, frozen=True):
    score: float
    item: ProductListing


class Answer(msgspec.Struct, frozen=True):
    """What the statement returns: one row more than fit the page when there is another."""

    matches: int
    corrected: tuple[str | None, ...]
    rows: list[_Row]


async def find(
    connection: AsyncConnection[Any],
    text: str,
    filters: ProductFilters = EVERYTHING,
    limit: int = 20,
    cursor: str | None = None,
    *,
    ranked: int = RANKED,
) -> Found:
    """Return a page of the listed products that a text finds, best first, in one round trip.

    Every word has to be in a product, in any form of it; a "phrase" as it stands, and `-word` not.
    The last word may be the beginning of one unless a space follows. A word that finds nothing is
    replaced by the nearest one of the catalogue, which the answer says. Synonyms of the shop count
    as the word. A word in the name or brand weighs more than one in the tags, and that more than
    one in the description; what is sold and rated often comes before what is not.

    Args:
        connection: where to ask.
        text: what was typed, up to 200 characters and 20 terms.
        filters: what else to leave out; a text of theirs does not count.
        limit: rows a page, 1 to 100.
        cursor: `next` or `previous` of a page of the same search.
        ranked: how many products are put in order; of more than that, the most popular ones.

    Raises:
        InvalidInputError: for a text without a word or too long, a limit outside of these, a
            filter that cannot be, or a cursor of something else.
    """
    asked, place = asked_for(text, filters, limit, cursor, ranked=ranked)
    given = conditions(msgspec.structs.replace(filters, text=None))
    answer = await find_query(given.names, back=place.back if place else None).document(
        connection,
        Answer,
        terms=as_document(asked.terms),
        limit=limit,
        ranked=ranked,
        **given.params,
        **(place.keys() if place else {}),
    )
    return page_of(answer, asked, place)


@lru_cache(STATEMENTS)
def find_query(filters: tuple[str, ...], *, back: bool | None) -> Query:
    """Return the statement for the filters in use; `back` None for the first page."""
    narrowed = [MATCHES, condition(filters)] if filters else [MATCHES]
    statement = _STATEMENT.format(
        products=sql.SQL("JOIN products AS p ON p.id = s.product_id" if filters else ""),
        conditions=sql.SQL(" AND ").join(narrowed),
        score=SCORE,
        place=PLACES[back],
        order=ORDERS[bool(back)],
        item=FIELDS,
        joins=JOINS,
    )
    return Query(
        "find_products",
        "A page of what a text finds, by relevance and popularity.",
        statement.as_bytes(None),
        custom_plan=True,
    )


def asked_for(
    text: str,
    filters: ProductFilters,
    limit: int,
    cursor: str | None,
    *,
    ranked: int,
    kind: str = "words",
) -> tuple[Asked, Place | None]:
    """Return what is searched for, and where its page begins.

    Raises:
        InvalidInputError: for a text without a word, a limit or a cursor that cannot be.
    """
    cursors.check_limit(limit)
    terms = parse(text)
    if not terms:
        raise InvalidInputError("text", text, "must have a word to search for")
    others = msgspec.structs.replace(filters, text=None)
    of = blake2b(msgspec.json.encode((kind, terms, others)), digest_size=6).hexdigest()
    place = cursors.decode(cursor, Place)
    if place is not None and place.of != of:
        reason = "must be the cursor that a page of the same search came with"
        raise InvalidInputError("cursor", cursor, reason)
    return Asked(text, terms, of, limit, ranked), place


def page_of(answer: Answer | None, asked: Asked, place: Place | None) -> Found:
    """Return the page of an answer, with the cursors of those beside it."""
    if answer is None:
        raise LookupError("the statement answers with one document")
    back = place is not None and place.back
    more = len(answer.rows) > asked.limit
    rows = answer.rows[-asked.limit :] if back else answer.rows[: asked.limit]

    def cursor(row: _Row, *, back: bool) -> str:
        return cursors.encode(Place(row.score, row.item.id, asked.of, back))

    has_next, has_previous = (True, more) if back else (more, place is not None)
    return Found(
        items=tuple(row.item for row in rows),
        next=cursor(rows[-1], back=False) if rows and has_next else None,
        previous=cursor(rows[0], back=True) if rows and has_previous else None,
        matches=min(answer.matches, asked.ranked),
        is_capped=answer.matches > asked.ranked,
        corrected=corrected_text(asked.terms, answer.corrected),
        asked=asked.text,
    )
