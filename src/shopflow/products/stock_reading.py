"""Reading stock: its movements, what runs low, and whether everything adds up."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.cursors import Page, check_limit, decode, encode
from shopflow.ids import ProductId, VariantId
from shopflow.products.checks import LARGEST_STOCK, check_integer
from shopflow.products.detail import QUERIES
from shopflow.products.stock_models import LowStock, Movement, StockMismatch


class _AfterMovement(msgspec.Struct, frozen=True, array_like=True, tag="movement"):
    before: datetime
    before_id: UUID


class _AfterLowStock(msgspec.Struct, frozen=True, array_like=True, tag="low stock"):
    after_stock: int
    after: UUID


async def list_movements(
    connection: AsyncConnection[Any],
    product_id: ProductId,
    variant_id: VariantId | None = None,
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[Movement]:
    """Return a page of the movements of a product's stock, newest first; one round trip.

    Args:
        connection: where to ask.
        product_id: the product; one that is not there has no movements.
        variant_id: one of its variants; None takes all of them and the product's own.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before; None for the first.

    Raises:
        InvalidInputError: for a limit or cursor that cannot be.
    """
    check_limit(limit)
    place = decode(cursor, _AfterMovement)
    found = await QUERIES["list_movements"].document(
        connection,
        list[Movement],
        product_id=product_id,
        variant_id=variant_id,
        before=place and place.before,
        before_id=place and place.before_id,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(
        tuple(shown),
        encode(_AfterMovement(shown[-1].created_at, shown[-1].id)) if more else None,
    )


async def list_low_stock(
    connection: AsyncConnection[Any],
    threshold: int = 5,
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[LowStock]:
    """Return what is for sale and of which at most `threshold` pieces are left, least first.

    It reads every product once, so it is for staff and not for a page of the shop.

    Args:
        connection: where to ask.
        threshold: pieces; 0 lists what is sold out.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before; None for the first.

    Raises:
        InvalidInputError: for a threshold, limit or cursor that cannot be.
    """
    check_integer("threshold", threshold, 0, LARGEST_STOCK)
    check_limit(limit)
    place = decode(cursor, _AfterLowStock)
    found = await QUERIES["list_low_stock"].document(
        connection,
        list[LowStock],
        threshold=threshold,
        after=place and place.after,
        after_stock=place.after_stock if place else 0,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(tuple(shown), encode(_place(shown[-1])) if more else None)


def _place(low: LowStock) -> _AfterLowStock:
    return _AfterLowStock(low.stock_quantity, low.variant_id or low.product_id)


async def check_stock(connection: AsyncConnection[Any]) -> list[StockMismatch]:
    """Return every stock that does not add up: none, unless somebody turned the triggers off.

    It sees one moment of the shop, blocks nobody, and may take as long as it takes: reads all
    movements. Inside a transaction statement_timeout is off until that ends. Raises nothing of its
    own.
    """
    await QUERIES["check_stock_session"].execute(connection)
    return await QUERIES["check_stock"].rows(connection, StockMismatch)
