"""Creating, changing, archiving and restoring products."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import ProductId
from shopflow.products.checks import as_json, check_fields
from shopflow.products.detail import QUERIES
from shopflow.products.inputs import NewProduct, ProductChanges
from shopflow.products.refusals import named
from shopflow.products.slugging import create_with_slug
from shopflow.products.versions import Version, written


class _Archived(msgspec.Struct, frozen=True):
    slug: str
    sku: str


async def create_product(connection: AsyncConnection[Any], product: NewProduct) -> ProductId:
    """Make a product, in one statement; its version is 1.

    A slug made from the name gets a suffix where another product has it. What is in stock is its
    first movement, with the reason `initial`; variants replace that stock by the sum of theirs.

    Raises:
        InvalidInputError: naming the field that cannot be, such as a compare-at price that is
            not above the price.
        SlugTakenError: when the slug given is taken by a product that is not archived.
        SkuTakenError: when the SKU is.
        NotFoundError: when there is no such category or brand.
    """
    return ProductId(await create_with_slug(connection, "create_product", check_fields(product)))


async def update_product(
    connection: AsyncConnection[Any],
    product_id: ProductId,
    changes: ProductChanges,
    *,
    expected_version: int | None,
) -> int:
    """Change the fields given and return the new version, in one statement.

    Args:
        connection: where to.
        product_id: the product; one that is archived is not found.
        changes: the fields that change; the others stay, also what somebody else changes.
        expected_version: the version that was read; None changes whatever is there.

    Raises:
        VersionConflictError: when somebody else has changed it since.
        InvalidInputError: naming the field that cannot be.
        SlugTakenError: when another product that is not archived has the slug.
        SkuTakenError: when another product or active variant has the SKU.
        NotFoundError: when there is no such product, category or brand.
    """
    given = check_fields(changes)
    with named(given):
        return await written(
            connection,
            "update_product",
            "product",
            product_id,
            expected_version,
            changes=as_json(given),
        )


async def archive_product(
    connection: AsyncConnection[Any], product_id: ProductId, *, expected_version: int | None
) -> int:
    """Delete a product softly (§9) and return its new version, in one statement.

    It leaves listings and carts, its variants become inactive, and its slug and SKUs can be used
    again. Orders, stock and reviews keep it. Waits for checkouts of it.

    Raises:
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such product, or it is archived already.
    """
    return await written(connection, "archive_product", "product", product_id, expected_version)


async def restore_product(connection: AsyncConnection[Any], product_id: ProductId) -> int:
    """Take back that a product was archived; return its new version.

    Its variants stay inactive, for their SKUs may be in use: those to be sold are updated.

    Raises:
        SlugTakenError: when another product has its slug by now.
        SkuTakenError: when another product has its SKU by now.
        NotFoundError: when there is no such product, or it is not archived.
    """
    archived = await QUERIES["get_archived_product"].row(connection, _Archived, id=product_id)
    if archived is None:
        raise NotFoundError("archived product", product_id)
    with named(msgspec.structs.asdict(archived)):
        restored = await QUERIES["restore_product"].row(connection, Version, id=product_id)
    if restored is None:
        raise NotFoundError("archived product", product_id)
    return restored.version
