"""What a search answers with."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec

from shopflow.ids import BrandId, CategoryId, ProductId
from shopflow.products.models import ProductListing


class Found(msgspec.Struct, frozen=True):
    """A page of what a search found, best first.

    Attributes:
        items: the products.
        next: the cursor of the page after it, None when this is the last.
        previous: the cursor of the page before it, None when this is the first.
        matches: how many products were found; the most popular ones alone are looked at when
            `is_capped`, and then there are more.
        is_capped: whether more products match than are put in order.
        corrected: what was searched for instead, None when it was what was asked.
        asked: what was typed.
    """

    items: tuple[ProductListing, ...]
    next: str | None
    previous: str | None
    matches: int
    is_capped: bool
    corrected: str | None
    asked: str


class SuggestedProduct(msgspec.Struct, frozen=True):
    """A product to choose while typing; `primary_image` None without one."""

    id: ProductId
    name: str
    slug: str
    price: Decimal
    primary_image: str | None


class SuggestedCategory(msgspec.Struct, frozen=True):
    """A category whose name begins with what was typed."""

    id: CategoryId
    name: str
    slug: str


class SuggestedBrand(msgspec.Struct, frozen=True):
    """A brand whose name begins with what was typed."""

    id: BrandId
    name: str
    slug: str


class Suggestions(msgspec.Struct, frozen=True):
    """What somebody may mean who is typing; `searches` are texts to search for, most found first.

    `corrected` is what they are for when nothing begins with what was typed, otherwise None.
    """

    searches: tuple[str, ...]
    products: tuple[SuggestedProduct, ...]
    categories: tuple[SuggestedCategory, ...]
    brands: tuple[SuggestedBrand, ...]
    corrected: str | None


class Synonym(msgspec.Struct, frozen=True):
    """Who searches for `word` finds `synonym` as well."""

    word: str
    synonym: str


class SearchLanguage(msgspec.Struct, frozen=True):
    """The language that the shop is searched in.

    `previous` is the one before while products are still rewritten, otherwise None: they are found
    in both.
    """

    language: str
    previous: str | None


class Place(msgspec.Struct, frozen=True):
    """Where a page begins: after this score and product, or before when `back`.

    `of` tells one search from another, so that no cursor is used with the wrong one.
    """

    score: float
    id: UUID
    of: str
    back: bool = False

    def keys(self) -> dict[str, object]:
        """Return what the statement compares with."""
        return {"score": self.score, "id": self.id}
