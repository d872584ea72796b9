"""Changing a stock by hand: each change is a movement with its reason, in one round trip."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError, ShopflowError
from shopflow.ids import MovementId, ProductId, UserId, VariantId
from shopflow.products.checks import LARGEST_STOCK, LONGEST_TEXT, check_integer
from shopflow.products.detail import QUERIES
from shopflow.products.errors import InsufficientStockError
from shopflow.products.stock_models import StockChange
from shopflow.text import check_text

# What is sold, given back and there at first is written by those who do that.
GivenReason = Literal["correction", "return", "import"]
GIVEN_REASONS: tuple[GivenReason, ...] = ("correction", "return", "import")


class StockOf(msgspec.Struct, frozen=True):
    """Whose stock it is, and what is said about its change."""

    product_id: ProductId
    variant_id: VariantId | None
    reason: GivenReason
    notes: str | None
    actor: UserId | None


class _Changed(msgspec.Struct, frozen=True):
    movement_id: MovementId | None
    before: int | None
    result: int | None
    actor: UserId | None
    has_variants: bool


async def set_stock(connection: AsyncConnection[Any], of: StockOf, quantity: int) -> StockChange:
    """Make a stock this many pieces, whatever it is: what was counted in the warehouse.

    The movement is the difference to the stock at that moment, so that sales before and after
    count; who sells at the same time waits or is waited for.

    Args:
        connection: where to.
        of: whose stock, and why; an archived product's can be changed, too.
        quantity: pieces, 0 to 100,000,000.

    Raises:
        InvalidInputError: for a quantity, reason or note that cannot be, and without variant where
            the product has some.
        NotFoundError: when there is no such product, variant of it, or actor.
    """
    check_integer("quantity", quantity, 0, LARGEST_STOCK)
    return await _change(connection, of, quantity=quantity, change=None)


async def adjust_stock(connection: AsyncConnection[Any], of: StockOf, change: int) -> StockChange:
    """Add pieces to a stock, or take them away when `change` is below zero.

    Any number of callers add up; nobody's change is lost.

    Raises:
        InsufficientStockError: when there are fewer than are to be taken away.
        InvalidInputError: when `change` is 0 or leads above 100,000,000; for a
            reason or note that cannot be, and without variant where the product has some.
        NotFoundError: when there is no such product, variant of it, or actor.
    """
    check_integer("change", change, -LARGEST_STOCK, LARGEST_STOCK)
    if change == 0:
        raise InvalidInputError("change", change, "must not be 0")
    return await _change(connection, of, quantity=None, change=change)


async def _change(
    connection: AsyncConnection[Any], of: StockOf, *, quantity: int | None, change: int | None
) -> StockChange:
    if of.reason not in GIVEN_REASONS:
        raise InvalidInputError("reason", of.reason, f"must be one of {', '.join(GIVEN_REASONS)}")
    if of.notes is not None:
        check_text("notes", of.notes, LONGEST_TEXT)
    (changed,) = await QUERIES["change_stock"].rows(
        connection,
        _Changed,
        **msgspec.structs.asdict(of),
        quantity=quantity,
        change=change,
        largest=LARGEST_STOCK,
    )
    if of.actor is not None and changed.actor is None:
        raise NotFoundError("user", of.actor)
    if changed.before is None or changed.result is None:
        raise _no_stock(of, changed)
    if changed.result < 0 and change is not None:
        raise InsufficientStockError(of.product_id, of.variant_id, change, changed.before)
    if changed.result > LARGEST_STOCK:
        reason = f"with the {changed.before} in stock it is above {LARGEST_STOCK}"
        raise InvalidInputError("change", change, reason)
    return StockChange(changed.before, changed.result, changed.movement_id)


def _no_stock(of: StockOf, changed: _Changed) -> ShopflowError:
    if changed.has_variants:
        reason = "must be given: the stock of a product with variants is theirs"
        return InvalidInputError("variant_id", None, reason)
    if of.variant_id is None:
        return NotFoundError("product", of.product_id)
    return NotFoundError(f"variant of product {of.product_id}", of.variant_id)
