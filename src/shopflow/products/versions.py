"""Optimistic locking: who changes something says which version was read."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError, ShopflowError
from shopflow.products.detail import QUERIES
from shopflow.products.errors import VersionConflictError

Kind = Literal["product", "variant", "category", "brand"]


class Version(msgspec.Struct, frozen=True):
    """The version that something has after it was changed, or has by now."""

    version: int


async def written(
    connection: AsyncConnection[Any],
    query: str,
    kind: Kind,
    key: UUID,
    expected_version: int | None,
    **params: object,
) -> int:
    """Run a query that changes the row `key` if it has the version expected; return the new one.

    Raises:
        VersionConflictError: when it has another version.
        NotFoundError: when there is no such row, or it is an archived product.
    """
    found = await QUERIES[query].row(
        connection, Version, id=key, expected_version=expected_version, **params
    )
    if found is None:
        raise await _refusal(connection, kind, key, expected_version)
    return found.version


async def _refusal(
    connection: AsyncConnection[Any], kind: Kind, key: UUID, expected_version: int | None
) -> ShopflowError:
    # A statement of its own sees what the first one waited for.
    now = await QUERIES["get_catalogue_version"].row(connection, Version, what=kind, id=key)
    if now is None or expected_version is None:
        return NotFoundError(kind, key)
    return VersionConflictError(kind, key, expected_version, now.version)
