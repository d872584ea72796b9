"""Which prices `shopflow prices preview` is about, and what they become, as options say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import BrandId, CategoryId
from shopflow.money import is_amount
from shopflow.products import PriceRule, Selection
from shopflow.products.admin_models import Category
from shopflow.products.bulk.inputs import ComparePrice, Ending, PriceStep
from shopflow.products.products import Products

K = TypeVar("K")


def price_rule(
    percent: str | None,
    amount: str | None,
    fixed: str | None,
    ending: Ending | None,
    compare_at: ComparePrice,
) -> PriceRule | None:
    """Return the rule that one of the three numbers gives, None where none is given.

    Raises:
        InvalidInputError: when there are several, or it is no number.
    """
    steps: dict[PriceStep, str | None] = {"percent": percent, "amount": amount, "fixed": fixed}
    given = [(step, text) for step, text in steps.items() if text is not None]
    if len(given) > 1:
        raise InvalidInputError("preview", given[1][1], "takes one of --percent, --amount, --fixed")
    if not given:
        return None
    ((step, text),) = given
    return PriceRule(step=step, by=_number(f"--{step}", text), ending=ending, compare_at=compare_at)


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise InvalidInputError(option, text, "is not a number") from error
    if not is_amount(number):
        raise InvalidInputError(option, text, "is not a number")
    return number


async def selected(
    products: Products,
    *,
    everything: bool,
    brands: Sequence[str],
    categories: Sequence[str],
    tags: Sequence[str],
    skus: Sequence[str],
) -> Selection:
    """Return the selection; brands and categories are given by their slugs, in any case.

    Raises:
        NotFoundError: for a slug that no brand or category has.
    """
    return Selection(
        everything=everything,
        brand_ids=await _brands(products, brands),
        category_ids=await _categories(products, categories),
        tags=tuple(tags),
        skus=tuple(skus),
    )


async def _brands(products: Products, slugs: Sequence[str]) -> tuple[BrandId, ...]:
    if not slugs:
        return ()
    known = {brand.slug.lower(): brand.id for brand in await products.brands.list()}
    return tuple(_found("brand", slug, known) for slug in slugs)


async def _categories(products: Products, slugs: Sequence[str]) -> tuple[CategoryId, ...]:
    if not slugs:
        return ()
    known: dict[str, CategoryId] = {}
    waiting: list[Category] = list(await products.categories.tree())
    while waiting:
        category = waiting.pop()
        known[category.slug.lower()] = category.id
        waiting.extend(category.children)
    return tuple(_found("category", slug, known) for slug in slugs)


def _found(kind: str, slug: str, known: Mapping[str, K]) -> K:
    if slug.lower() not in known:
        raise NotFoundError(kind, slug)
    return known[slug.lower()]
