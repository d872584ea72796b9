"""What listings, counts and facets are narrowed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.ids import BrandId, CategoryId
from shopflow.text import check_text

# Bounds that no page of a shop comes near to, and that keep a statement from growing without end.
MOST_BRANDS, MOST_TAGS, MOST_KEYS, MOST_VALUES = 100, 20, 20, 50
LONGEST_WORD, LONGEST_TEXT = 255, 200


class ProductFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing is narrowed to; what is None, empty or False does not filter.

    Only products that are active and not deleted are ever listed. All filters have to hold.

    Attributes:
        category_id: the category and all that are below it.
        brand_ids: any of these brands.
        price_min: included.
        price_max: included.
        in_stock: what can be bought now: something in stock, or sold without counting stock
            (§4.1 forgets the latter). Together with `options`, a variant that can be.
        featured: those marked as featured.
        tags: all of these.
        attributes: for each key any of the values, such as `{"color": ("red", "blue")}`. A value
            is text, and stands as well for a number, for true and false, and for what is in a list.
        rating_min: average of the approved ratings, to two decimals, at least this; 0 to 5.
        options: one active variant that has for each option any of the values, such as
            `{"Size": ("M", "L")}`.
        text: as in `shop.products.search`.
    """

    category_id: CategoryId | None = None
    brand_ids: Sequence[BrandId] = ()
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool = False
    featured: bool = False
    tags: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = {}
    rating_min: Decimal | None = None
    options: Mapping[str, Sequence[str]] = {}
    text: str | None = None


EVERYTHING = ProductFilters()


def check_filters(filters: ProductFilters) -> None:
    """Refuse what no product can be compared with.

    Raises:
        InvalidInputError: naming the field, for too many values, for a text that is empty, too
            long or cannot be stored, for a price or rating that is no number or out of bounds.
    """
    _check_many("brand_ids", filters.brand_ids, MOST_BRANDS)
    _check_words("tags", filters.tags, MOST_TAGS)
    for name in ("attributes", "options"):
        wanted: Mapping[str, Sequence[str]] = getattr(filters, name)
        _check_many(name, wanted, MOST_KEYS)
        for key, values in wanted.items():
            check_text(name, key, LONGEST_WORD)
            if not values:
                raise InvalidInputError(f"{name}.{key}", values, "must have at least one value")
            _check_words(f"{name}.{key}", values, MOST_VALUES)
    for name in ("price_min", "price_max"):
        price: Decimal | None = getattr(filters, name)
        if price is not None and not price.is_finite():
            raise InvalidInputError(name, price, "must be a number")
    rating = filters.rating_min
    if rating is not None and not (rating.is_finite() and 0 <= rating <= 5):  # noqa: PLR2004 stars
        raise InvalidInputError("rating_min", rating, "must be from 0 to 5")
    if filters.text is not None:
        check_text("text", filters.text, LONGEST_TEXT)


def _check_words(field: str, words: Sequence[str], most: int) -> None:
    if isinstance(words, str):
        raise InvalidInputError(field, words, "must be several texts, not one")
    _check_many(field, words, most)
    for word in words:
        check_text(field, word, LONGEST_WORD)


def _check_many(field: str, values: Sequence[Any] | Mapping[str, Any], most: int) -> None:
    if len(values) > most:
        raise InvalidInputError(field, len(values), f"must be {most} at most")
