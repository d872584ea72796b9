"""Reading bulk changes, their lines and the history of prices."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.cursors import Page, check_limit, decode, encode
from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import BulkChangeId, ProductId, VariantId
from shopflow.postgres import queries
from shopflow.products.bulk.models import BulkChange, BulkLine, LineStatus, PriceChange

QUERIES = queries.load(__package__)


class _AfterChange(msgspec.Struct, frozen=True, array_like=True, tag="bulk change"):
    before: UUID


class _AfterLine(msgspec.Struct, frozen=True, array_like=True, tag="bulk line"):
    after: int


class _AfterPrice(msgspec.Struct, frozen=True, array_like=True, tag="price change"):
    before: datetime
    before_id: UUID


async def get_bulk_change(
    connection: AsyncConnection[Any], bulk_change_id: BulkChangeId
) -> BulkChange:
    """Return a bulk change and how far it is, in one round trip.

    Raises:
        NotFoundError: when there is no such bulk change.
    """
    found = await QUERIES["list_bulk_changes"].document(
        connection, list[BulkChange], id=bulk_change_id, before=None, limit=1
    )
    if not found:
        raise NotFoundError("bulk change", bulk_change_id)
    return found[0]


async def list_bulk_changes(
    connection: AsyncConnection[Any], *, limit: int = 20, cursor: str | None = None
) -> Page[BulkChange]:
    """Return a page of bulk changes, newest first, in one round trip; their lines are counted.

    Args:
        connection: where to ask.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before; None for the first.

    Raises:
        InvalidInputError: for a limit or cursor that cannot be.
    """
    check_limit(limit)
    place = decode(cursor, _AfterChange)
    found = await QUERIES["list_bulk_changes"].document(
        connection, list[BulkChange], id=None, before=place and place.before, limit=limit + 1
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(tuple(shown), encode(_AfterChange(shown[-1].id)) if more else None)


async def list_bulk_lines(
    connection: AsyncConnection[Any],
    bulk_change_id: BulkChangeId,
    status: LineStatus | None = None,
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[BulkLine]:
    """Return a page of the lines of a bulk change, in the order in which they are applied.

    Args:
        connection: where to ask.
        bulk_change_id: which one; one that is not there has no lines.
        status: only lines of this status, such as `conflict`; None takes all.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before; None for the first.

    Raises:
        InvalidInputError: for a status, limit or cursor that cannot be.
    """
    if status is not None and status not in get_args(LineStatus):
        reason = f"must be one of {', '.join(get_args(LineStatus))}"
        raise InvalidInputError("status", status, reason)
    check_limit(limit)
    place = decode(cursor, _AfterLine)
    found = await QUERIES["list_bulk_lines"].document(
        connection,
        list[BulkLine],
        id=bulk_change_id,
        status=status,
        after=place.after if place else 0,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(tuple(shown), encode(_AfterLine(shown[-1].position)) if more else None)


async def list_price_changes(
    connection: AsyncConnection[Any],
    product_id: ProductId,
    variant_id: VariantId | None = None,
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[PriceChange]:
    """Return a page of the history of a product's prices, newest first, in one round trip.

    Args:
        connection: where to ask.
        product_id: the product; one that is not there has no history.
        variant_id: one of its variants; None takes all of them and the product's own price.
        limit: rows a page, 1 to 100.
        cursor: `next` of the page before; None for the first.

    Raises:
        InvalidInputError: for a limit or cursor that cannot be.
    """
    check_limit(limit)
    place = decode(cursor, _AfterPrice)
    found = await QUERIES["list_price_changes"].document(
        connection,
        list[PriceChange],
        product_id=product_id,
        variant_id=variant_id,
        before=place and place.before,
        before_id=place and place.before_id,
        limit=limit + 1,
    )
    shown = (found or [])[:limit]
    more = len(found or []) > limit
    return Page(
        tuple(shown), encode(_AfterPrice(shown[-1].changed_at, shown[-1].id)) if more else None
    )
