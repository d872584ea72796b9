"""What reviews look like to Python: to readers, to staff and to their authors."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from shopflow.ids import ProductId, ReviewId, UserId

Moderation = Literal["pending", "approved", "rejected"]


class Review(msgspec.Struct, frozen=True):
    """An approved review as the product's page shows it.

    `author` is the first name, None once that person is deleted or erased. `is_verified_purchase`:
    the author had a paid or delivered order of the product when it was written or approved.
    """

    id: ReviewId
    rating: int
    title: str | None
    content: str | None
    is_verified_purchase: bool
    author: str | None
    created_at: datetime


class QueuedReview(msgspec.Struct, frozen=True):
    """A review that waits for moderation; `updated_at` is what the decision on it refers to."""

    id: ReviewId
    product_id: ProductId
    product_name: str
    user_id: UserId | None
    rating: int
    title: str | None
    content: str | None
    is_verified_purchase: bool
    created_at: datetime
    updated_at: datetime


class OwnReview(msgspec.Struct, frozen=True):
    """A review as its author sees it; `rejection_reason` is None unless it is rejected."""

    id: ReviewId
    product_id: ProductId
    product_name: str
    rating: int
    title: str | None
    content: str | None
    is_verified_purchase: bool
    status: Moderation
    rejection_reason: str | None
    created_at: datetime
    updated_at: datetime
