"""One product with all its relations (§4.2), by id or by slug."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import ProductId
from shopflow.postgres import queries
from shopflow.products.models import Product

QUERIES = queries.load(__package__)


async def get_product(connection: AsyncConnection[Any], key: str | UUID) -> Product:
    """Return the product whose id or slug is `key`.

    Text that reads as a UUID is an id first, and a slug when no product has that id: one round
    trip all the same.

    Raises:
        NotFoundError: when there is none, or it is deleted. One that is not active is found.
    """
    if isinstance(key, UUID):
        return await get_product_by_id(connection, ProductId(key))
    return await _get(connection, key, id=_as_id(key), slug=key)


async def get_product_by_id(connection: AsyncConnection[Any], product_id: ProductId) -> Product:
    """Return the product with this id, in one round trip; errors as in `get_product`."""
    return await _get(connection, product_id, id=product_id, slug=None)


async def get_product_by_slug(connection: AsyncConnection[Any], slug: str) -> Product:
    """Return the product with this slug, in any case; one round trip, errors as `get_product`."""
    return await _get(connection, slug, id=None, slug=slug)


async def _get(connection: AsyncConnection[Any], key: object, **params: object) -> Product:
    product = await QUERIES["get_product"].document(connection, Product, **params)
    if product is None:
        raise NotFoundError("product", key)
    return product


def _as_id(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
