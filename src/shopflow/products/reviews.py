"""`shop.products.reviews`: writing, moderating and reading reviews on the shop's pool."""

from __future__ import annotations

from datetime import datetime

from shopflow.cursors import Page
from shopflow.ids import ProductId, ReviewId, UserId
from shopflow.postgres.pool import Pool
from shopflow.products import review_reading, review_writing
from shopflow.products.inputs import NewReview, ReviewChanges
from shopflow.products.review_models import OwnReview, QueuedReview, Review
from shopflow.products.review_reading import ReviewSort


class Reviews:
    """The reviews of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(
        self,
        product_id: ProductId,
        sort: ReviewSort = "newest",
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Review]:
        """Return a page of a product's approved reviews; see `review_reading.list_reviews`."""
        async with self._pool.connection() as connection:
            return await review_reading.list_reviews(
                connection, product_id, sort, limit=limit, cursor=cursor
            )

    async def queue(self, *, limit: int = 20, cursor: str | None = None) -> Page[QueuedReview]:
        """Return what waits for moderation; see `review_reading.moderation_queue`."""
        async with self._pool.connection() as connection:
            return await review_reading.moderation_queue(connection, limit=limit, cursor=cursor)

    async def own(
        self, user_id: UserId, *, limit: int = 20, cursor: str | None = None
    ) -> Page[OwnReview]:
        """Return what a user has written; see `review_reading.list_own_reviews`."""
        async with self._pool.connection() as connection:
            return await review_reading.list_own_reviews(
                connection, user_id, limit=limit, cursor=cursor
            )

    async def submit(self, product_id: ProductId, user_id: UserId, review: NewReview) -> ReviewId:
        """Write a user's review of a product; see `review_writing.submit_review`."""
        async with self._pool.connection() as connection:
            return await review_writing.submit_review(connection, product_id, user_id, review)

    async def edit(self, review_id: ReviewId, user_id: UserId, changes: ReviewChanges) -> None:
        """Change a user's own review; see `review_writing.edit_review`."""
        async with self._pool.connection() as connection:
            await review_writing.edit_review(connection, review_id, user_id, changes)

    async def delete(self, review_id: ReviewId, *, user_id: UserId | None) -> None:
        """Delete a review, as its author or as staff; see `review_writing.delete_review`."""
        async with self._pool.connection() as connection:
            await review_writing.delete_review(connection, review_id, user_id=user_id)

    async def approve(
        self, review_id: ReviewId, *, seen: datetime | None, moderator: UserId | None
    ) -> None:
        """Let a review be shown and counted; see `review_writing.approve_review`."""
        async with self._pool.connection() as connection:
            await review_writing.approve_review(
                connection, review_id, seen=seen, moderator=moderator
            )

    async def reject(
        self, review_id: ReviewId, reason: str, *, seen: datetime | None, moderator: UserId | None
    ) -> None:
        """Keep a review from being shown; see `review_writing.reject_review`."""
        async with self._pool.connection() as connection:
            await review_writing.reject_review(
                connection, review_id, reason, seen=seen, moderator=moderator
            )
