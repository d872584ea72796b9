"""Lists of reviews: a product's, those that wait for moderation, and a user's own."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, sql

from shopflow.cursors import Page, check_limit, decode, encode
from shopflow.errors import InvalidInputError
from shopflow.ids import ProductId, UserId
from shopflow.postgres.queries import Query
from shopflow.products.detail import QUERIES
from shopflow.products.review_models import OwnReview, QueuedReview, Review

ReviewSort = Literal["newest", "rating", "verified"]


class _Newest(msgspec.Struct, frozen=True, array_like=True, tag="newest"):
    created_at: datetime
    id: UUID


class _Rating(msgspec.Struct, frozen=True, array_like=True, tag="rating"):
    rating: int
    created_at: datetime
    id: UUID


class _Verified(msgspec.Struct, frozen=True, array_like=True, tag="verified"):
    is_verified_purchase: bool
    created_at: datetime
    id: UUID


class _Queued(msgspec.Struct, frozen=True, array_like=True, tag="queued"):
    after: datetime
    after_id: UUID


class _Own(msgspec.Struct, frozen=True, array_like=True, tag="own"):
    before: datetime
    before_id: UUID


# The fields of a place are the columns of the order, the largest first in each.
_PLACES: dict[ReviewSort, type[_Newest | _Rating | _Verified]] = {
    "newest": _Newest,
    "rating": _Rating,
    "verified": _Verified,
}
_STATEMENT = sql.SQL(
    """
    SELECT coalesce(json_agg(json_build_object(
        'id', r.id,
        'rating', r.rating,
        'title', r.title,
        'content', r.content,
        'is_verified_purchase', r.is_verified_purchase,
        'author', u.first_name,
        'created_at', r.created_at
    ) ORDER BY {order}), '[]')
    FROM (
        SELECT r.id FROM product_reviews AS r
        WHERE r.product_id = %(product_id)s AND r.is_approved {after}
        ORDER BY {order}
        LIMIT %(limit)s::int
    ) AS page
    JOIN product_reviews AS r ON r.id = page.id
    LEFT JOIN users AS u ON u.id = r.user_id AND u.deleted_at IS NULL
    """
)


async def list_reviews(
    connection: AsyncConnection[Any],
    product_id: ProductId,
    sort: ReviewSort = "newest",
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[Review]:
    """Return a page of the approved reviews of a product; one round trip, however deep.

    Args:
        connection: where to ask.
        product_id: the product; one that is not there has no reviews.
        sort: `newest`; `rating`, best first; or `verified`, purchases first. Equal ones come
            newest first.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before, in the same sort; None for the first.

    Raises:
        InvalidInputError: for a sort, limit or cursor that cannot be.
    """
    if sort not in _PLACES:
        raise InvalidInputError("sort", sort, f"must be one of {', '.join(get_args(ReviewSort))}")
    check_limit(limit)
    kind = _PLACES[sort]
    place = decode(cursor, kind)
    found = await review_query(sort, after=place is not None).document(
        connection,
        list[Review],
        product_id=product_id,
        limit=limit + 1,
        **(msgspec.structs.asdict(place) if place else {}),
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(
        tuple(shown),
        encode(msgspec.convert(shown[-1], kind, from_attributes=True)) if more else None,
    )


@cache
def review_query(sort: ReviewSort, *, after: bool) -> Query:
    """Return the statement for a sort, for the first page or for one after a place."""
    columns = _PLACES[sort].__struct_fields__
    order = sql.SQL(", ").join(
        sql.SQL("r.{} DESC").format(sql.Identifier(column)) for column in columns
    )
    names = sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(c)) for c in columns)
    values = sql.SQL(", ").join(map(sql.Placeholder, columns))
    follows = sql.SQL("AND ({}) < ({})").format(names, values) if after else sql.SQL("")
    return Query.composed(
        "list_reviews",
        "A page of the approved reviews of a product.",
        _STATEMENT.format(order=order, after=follows),
    )


async def moderation_queue(
    connection: AsyncConnection[Any], *, limit: int = 20, cursor: str | None = None
) -> Page[QueuedReview]:
    """Return reviews that wait for moderation, those first that have waited longest.

    Raises:
        InvalidInputError: for a limit (1 to 100) or cursor that cannot be.
    """
    check_limit(limit)
    place = decode(cursor, _Queued)
    found = await QUERIES["moderation_queue"].document(
        connection,
        list[QueuedReview],
        after=place and place.after,
        after_id=place and place.after_id,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(tuple(shown), encode(_Queued(shown[-1].updated_at, shown[-1].id)) if more else None)


async def list_own_reviews(
    connection: AsyncConnection[Any],
    user_id: UserId,
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[OwnReview]:
    """Return what a user has written, newest first, whatever moderation said of it.

    Raises:
        InvalidInputError: for a limit (1 to 100) or cursor that cannot be.
    """
    check_limit(limit)
    place = decode(cursor, _Own)
    found = await QUERIES["list_own_reviews"].document(
        connection,
        list[OwnReview],
        user_id=user_id,
        before=place and place.before,
        before_id=place and place.before_id,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(tuple(shown), encode(_Own(shown[-1].created_at, shown[-1].id)) if more else None)
