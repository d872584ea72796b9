"""What is to be changed in bulk: a selection and a rule, or the lines of a file."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, get_args

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.ids import BrandId, CategoryId, ProductId
from shopflow.money import check_amount, is_amount
from shopflow.products.checks import LARGEST_STOCK, check_integer
from shopflow.text import check_text

PriceStep = Literal["percent", "amount", "fixed"]
StockStep = Literal["set", "add"]
Ending = Literal[".00", ".95", ".99"]
# keep: it stays as it is. was: what the product cost, where the price goes down. clear: none.
ComparePrice = Literal["keep", "was", "clear"]
LONGEST_SKU = 100
# Ten times the price: a missing decimal point is more likely than a rise by more.
SMALLEST_PERCENT, LARGEST_PERCENT = Decimal(-100), Decimal(1000)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which products: those that every filter given takes; deleted ones never.

    A product is taken with its active variants; by the SKU of a variant, that variant alone.

    Attributes:
        everything: must be True where no filter is given.
        brand_ids: of any of these brands.
        category_ids: in any of these categories or below them.
        tags: with any of these tags.
        product_ids: these.
        skus: with any of these SKUs, in any case, of products or of active variants.
    """

    everything: bool = False
    brand_ids: tuple[BrandId, ...] = ()
    category_ids: tuple[CategoryId, ...] = ()
    tags: tuple[str, ...] = ()
    product_ids: tuple[ProductId, ...] = ()
    skus: tuple[str, ...] = ()


class PriceRule(msgspec.Struct, frozen=True, kw_only=True):
    """What prices become: rounded half up, to the cent or to an ending.

    Attributes:
        step: `percent` changes by a part of the price, `amount` by so much money, `fixed` sets it.
        by: such as -10 for ten per cent or ten of money less; with `fixed` the price.
        ending: the nearest price that ends so, the higher of two; None rounds to the cent.
        compare_at: what becomes of the compare-at price; `was` keeps one that is there already.
    """

    step: PriceStep
    by: Decimal
    ending: Ending | None = None
    compare_at: ComparePrice = "keep"


class StockRule(msgspec.Struct, frozen=True, kw_only=True):
    """What stocks become: `set` to so many `pieces`, or `add` them, below zero to take away."""

    step: StockStep
    pieces: int


class PriceLine(msgspec.Struct, frozen=True):
    """A line of a file of prices: the SKU of a product or of an active variant, and its price.

    `compare_at_price` UNSET leaves it to `compare_at` of the whole; None takes it away.
    """

    line: int
    sku: str
    price: Decimal
    compare_at_price: Decimal | msgspec.UnsetType | None = msgspec.UNSET


class StockLine(msgspec.Struct, frozen=True):
    """A line of a file of stocks: the SKU of a product or of an active variant, and its pieces."""

    line: int
    sku: str
    stock: int


def check_selection(selection: Selection) -> None:
    """Refuse a selection that has no filter and does not say that it is everything, or both.

    Raises:
        InvalidInputError: naming `selection`.
    """
    filters = [
        name
        for name in selection.__struct_fields__
        if name != "everything" and getattr(selection, name)
    ]
    if selection.everything and filters:
        raise InvalidInputError("selection", selection, f"is everything, and has {filters[0]}")
    if not selection.everything and not filters:
        reason = "needs a filter: everything=True takes all products"
        raise InvalidInputError("selection", selection, reason)


def check_price_rule(rule: PriceRule) -> None:
    """Refuse a rule that cannot be.

    Raises:
        InvalidInputError: naming the field.
    """
    _one_of("step", rule.step, get_args(PriceStep))
    _one_of("compare_at", rule.compare_at, get_args(ComparePrice))
    if rule.ending is not None:
        _one_of("ending", rule.ending, get_args(Ending))
    if rule.step == "fixed":
        check_amount("by", rule.by)
    elif not is_amount(rule.by):
        raise InvalidInputError("by", rule.by, "must be a Decimal")
    elif rule.step == "percent" and not SMALLEST_PERCENT <= rule.by <= LARGEST_PERCENT:
        reason = f"must be from {SMALLEST_PERCENT} to {LARGEST_PERCENT} per cent"
        raise InvalidInputError("by", rule.by, reason)
    elif rule.step == "amount":
        check_amount("by", abs(rule.by))


def check_stock_rule(rule: StockRule) -> None:
    """Refuse a rule that cannot be.

    Raises:
        InvalidInputError: naming the field.
    """
    _one_of("step", rule.step, get_args(StockStep))
    smallest = 0 if rule.step == "set" else -LARGEST_STOCK
    check_integer("pieces", rule.pieces, smallest, LARGEST_STOCK)


def check_line(line: PriceLine | StockLine) -> None:
    """Refuse a line that cannot be.

    Raises:
        InvalidInputError: naming the field.
    """
    check_text("sku", line.sku, LONGEST_SKU)
    if isinstance(line, StockLine):
        check_integer("stock", line.stock, 0, LARGEST_STOCK)
        return
    check_amount("price", line.price)
    if line.compare_at_price is not msgspec.UNSET:
        check_amount("compare_at_price", line.compare_at_price)


def _one_of(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInputError(field, value, f"must be one of {', '.join(known)}")
