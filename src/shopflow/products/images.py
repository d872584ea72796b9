"""`shop.products.images`: the functions of `image_writing` on the shop's pool."""

from __future__ import annotations

from collections.abc import Sequence

from shopflow.ids import ImageId, ProductId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products import image_writing
from shopflow.products.inputs import ImageChanges, NewImage


class Images:
    """The images of products. Each call is one transaction, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, product_id: ProductId, image: NewImage) -> ImageId:
        """Add an image after the others; see `image_writing.add_image`."""
        return await run_transaction(
            self._pool, lambda connection: image_writing.add_image(connection, product_id, image)
        )

    async def update(self, image_id: ImageId, changes: ImageChanges) -> None:
        """Change an image's address, text or variant; see `image_writing.update_image`."""
        async with self._pool.connection() as connection:
            await image_writing.update_image(connection, image_id, changes)

    async def set_primary(self, image_id: ImageId) -> None:
        """Make an image the one in listings; see `image_writing.set_primary_image`."""
        await run_transaction(
            self._pool, lambda connection: image_writing.set_primary_image(connection, image_id)
        )

    async def remove(self, image_id: ImageId) -> None:
        """Remove an image; see `image_writing.remove_image`."""
        await run_transaction(
            self._pool, lambda connection: image_writing.remove_image(connection, image_id)
        )

    async def reorder(self, product_id: ProductId, image_ids: Sequence[ImageId]) -> None:
        """Put a product's images in order; see `image_writing.reorder_images`."""
        await run_transaction(
            self._pool,
            lambda connection: image_writing.reorder_images(connection, product_id, image_ids),
        )
