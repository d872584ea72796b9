"""Reviews by their authors and the decision on them by staff; one statement each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import ProductId, ReviewId, UserId
from shopflow.products.checks import LONGEST_TEXT, as_json, check_fields
from shopflow.products.detail import QUERIES
from shopflow.products.errors import AlreadyReviewedError, ReviewChangedError
from shopflow.products.inputs import NewReview, ReviewChanges
from shopflow.text import check_text


class _Submitted(msgspec.Struct, frozen=True):
    author: UserId | None
    product: ProductId | None
    id: ReviewId | None


class _Present(msgspec.Struct, frozen=True):
    review: bool
    moderator: bool


async def submit_review(
    connection: AsyncConnection[Any], product_id: ProductId, user_id: UserId, review: NewReview
) -> ReviewId:
    """Write a user's review of a product; it is shown and counted once it is approved.

    Whether the author bought the product, and paid for it or has it, the database finds out now
    and again when it is approved; once found it stays, also when the user is deleted.

    Raises:
        InvalidInputError: naming the field that cannot be.
        AlreadyReviewedError: when the user has reviewed it, also at the same time.
        NotFoundError: when there is no such product or user, or either is deleted.
    """
    (submitted,) = await QUERIES["submit_review"].rows(
        connection, _Submitted, product_id=product_id, user_id=user_id, **check_fields(review)
    )
    if submitted.author is None:
        raise NotFoundError("user", user_id)
    if submitted.product is None:
        raise NotFoundError("product", product_id)
    if submitted.id is None:
        raise AlreadyReviewedError(product_id, user_id)
    return submitted.id


async def edit_review(
    connection: AsyncConnection[Any], review_id: ReviewId, user_id: UserId, changes: ReviewChanges
) -> None:
    """Change a user's own review, which then waits for moderation again and is not shown.

    Raises:
        InvalidInputError: naming the field that cannot be.
        NotFoundError: when the user has no such review.
    """
    given = check_fields(changes)
    edited = await QUERIES["edit_review"].execute(
        connection, id=review_id, user_id=user_id, changes=as_json(given)
    )
    if not edited:
        raise NotFoundError("review", review_id)


async def delete_review(
    connection: AsyncConnection[Any], review_id: ReviewId, *, user_id: UserId | None
) -> None:
    """Delete a review, and what it counted for.

    Args:
        connection: where to.
        review_id: the review.
        user_id: its author; None for staff, who may delete anybody's.

    Raises:
        NotFoundError: when there is no such review, or it is not the user's.
    """
    if not await QUERIES["delete_review"].execute(connection, id=review_id, user_id=user_id):
        raise NotFoundError("review", review_id)


async def approve_review(
    connection: AsyncConnection[Any],
    review_id: ReviewId,
    *,
    seen: datetime | None,
    moderator: UserId | None,
) -> None:
    """Let a review be shown and counted.

    Args:
        connection: where to.
        review_id: the review.
        seen: `updated_at` of the review that was read, so that nobody approves what its author
            has put in its place meanwhile; None approves whatever it says.
        moderator: who decides; None for the shop itself.

    Raises:
        ReviewChangedError: when it has changed since it was read.
        NotFoundError: when there is no such review, or no such moderator.
    """
    await _moderate(connection, review_id, seen, moderator, reason=None)


async def reject_review(
    connection: AsyncConnection[Any],
    review_id: ReviewId,
    reason: str,
    *,
    seen: datetime | None,
    moderator: UserId | None,
) -> None:
    """Keep a review from being shown, or take down one that was approved; its author sees why.

    Raises:
        InvalidInputError: for a reason that is blank or cannot be stored.
        ReviewChangedError: when it has changed since it was read.
        NotFoundError: when there is no such review, or no such moderator.
    """
    check_text("reason", reason, LONGEST_TEXT)
    if not reason.strip(" "):
        raise InvalidInputError("reason", reason, "must not be blank")
    await _moderate(connection, review_id, seen, moderator, reason=reason)


async def _moderate(
    connection: AsyncConnection[Any],
    review_id: ReviewId,
    seen: datetime | None,
    moderator: UserId | None,
    *,
    reason: str | None,
) -> None:
    params = {"id": review_id, "moderator": moderator}
    if await QUERIES["moderate_review"].execute(connection, **params, seen=seen, reason=reason):
        return
    present = await QUERIES["why_not_moderated"].row(connection, _Present, **params)
    if present is None or not present.review:
        raise NotFoundError("review", review_id)
    if not present.moderator:
        raise NotFoundError("user", moderator)
    raise ReviewChangedError(review_id)
