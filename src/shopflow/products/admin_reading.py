"""What staff read before they write: a product by id, the tree of categories, the brands."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import CategoryId, ProductId
from shopflow.products.admin_models import AdminProduct, Brand, Category
from shopflow.products.detail import QUERIES


async def get_product_for_admin(
    connection: AsyncConnection[Any], product_id: ProductId
) -> AdminProduct:
    """Return a product with all its variants and images, also when inactive or archived.

    Raises:
        NotFoundError: when there is none.
    """
    product = await QUERIES["get_product_for_admin"].document(
        connection, AdminProduct, id=product_id
    )
    if product is None:
        raise NotFoundError("product", product_id)
    return product


async def category_tree(connection: AsyncConnection[Any]) -> tuple[Category, ...]:
    """Return the roots with everything below them, in one round trip.

    Siblings come by `sort_order`, then by name. Raises nothing of its own.
    """
    found = await QUERIES["list_categories"].document(connection, list[Category])
    below: dict[CategoryId | None, list[Category]] = {}
    for category in found or []:
        below.setdefault(category.parent_id, []).append(category)
    return _with_children(below, None)


def _with_children(
    below: dict[CategoryId | None, list[Category]], parent_id: CategoryId | None
) -> tuple[Category, ...]:
    return tuple(
        msgspec.structs.replace(category, children=_with_children(below, category.id))
        for category in below.get(parent_id, ())
    )


async def list_brands(connection: AsyncConnection[Any]) -> list[Brand]:
    """Return all brands by name, also those that are not active; one round trip.

    Raises nothing of its own.
    """
    return await QUERIES["list_brands"].document(connection, list[Brand]) or []
