"""Adding, changing, removing and ordering the images of a product; exactly one is primary.

Each change locks the product's row first, in a statement of its own: what follows then sees the
images that others have written. So these need a transaction, at READ COMMITTED.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import ImageId, ProductId
from shopflow.products.checks import as_json, check_fields
from shopflow.products.detail import QUERIES
from shopflow.products.inputs import ImageChanges, NewImage
from shopflow.products.refusals import named


class _Image(msgspec.Struct, frozen=True):
    id: ImageId


async def add_image(
    connection: AsyncConnection[Any], product_id: ProductId, image: NewImage
) -> ImageId:
    """Add an image after the others; the first one, and one that asks for it, becomes primary.

    Raises:
        InvalidInputError: naming the field that cannot be.
        NotFoundError: when there is no such product, or it has no such variant.
    """
    fields = check_fields(image)
    await _lock_product(connection, product_id)
    if image.is_primary:
        await QUERIES["release_primary_image"].execute(connection, product_id=product_id)
    with named(fields):
        rows = await QUERIES["add_image"].rows(connection, _Image, product_id=product_id, **fields)
    return rows[0].id


async def update_image(
    connection: AsyncConnection[Any], image_id: ImageId, changes: ImageChanges
) -> None:
    """Change the fields of an image that are given; one statement, which needs no lock.

    Raises:
        InvalidInputError: naming the field that cannot be.
        NotFoundError: when there is no such image, or its product has no such variant.
    """
    given = check_fields(changes)
    with named(given):
        updated = await QUERIES["update_image"].execute(
            connection, id=image_id, changes=as_json(given)
        )
    if not updated:
        raise NotFoundError("image", image_id)


async def set_primary_image(connection: AsyncConnection[Any], image_id: ImageId) -> None:
    """Make an image the one that listings show, in place of the one that was.

    Raises:
        NotFoundError: when there is no such image.
    """
    product_id = await _lock_product_of(connection, image_id)
    await QUERIES["release_primary_image"].execute(connection, product_id=product_id)
    if not await QUERIES["make_image_primary"].execute(connection, id=image_id):
        raise NotFoundError("image", image_id)


async def remove_image(connection: AsyncConnection[Any], image_id: ImageId) -> None:
    """Remove an image; when it was primary, the first of those that are left is.

    Raises:
        NotFoundError: when there is no such image.
    """
    product_id = await _lock_product_of(connection, image_id)
    if not await QUERIES["remove_image"].execute(connection, id=image_id):
        raise NotFoundError("image", image_id)
    await QUERIES["promote_first_image"].execute(connection, product_id=product_id)


async def reorder_images(
    connection: AsyncConnection[Any], product_id: ProductId, image_ids: Sequence[ImageId]
) -> None:
    """Put the images of a product in this order.

    Raises:
        InvalidInputError: unless each image of the product is named once; then nothing is
            changed, also when somebody else has added or removed one.
        NotFoundError: when there is no such product.
    """
    await _lock_product(connection, product_id)
    found = await QUERIES["list_image_ids"].rows(connection, _Image, product_id=product_id)
    if sorted(image_ids) != sorted(image.id for image in found):
        listed = ", ".join(str(image.id) for image in found) or "none"
        raise InvalidInputError(
            "image_ids", list(map(str, image_ids)), f"must name each image once: {listed}"
        )
    await QUERIES["reorder_images"].execute(
        connection, product_id=product_id, image_ids=list(image_ids)
    )


async def _lock_product(connection: AsyncConnection[Any], product_id: ProductId) -> None:
    if not await QUERIES["lock_product_for_images"].execute(connection, id=product_id):
        raise NotFoundError("product", product_id)


class _Product(msgspec.Struct, frozen=True):
    id: ProductId


async def _lock_product_of(connection: AsyncConnection[Any], image_id: ImageId) -> ProductId:
    product = await QUERIES["lock_product_of_image"].row(connection, _Product, image_id=image_id)
    if product is None:
        raise NotFoundError("image", image_id)
    return product.id
