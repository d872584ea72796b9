"""`shop.products.variants`: the functions of `variant_writing` on the shop's pool."""

from __future__ import annotations

from shopflow.ids import ProductId, VariantId
from shopflow.postgres.pool import Pool
from shopflow.products import variant_writing
from shopflow.products.inputs import NewVariant, VariantChanges


class Variants:
    """The variants of products. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, product_id: ProductId, variant: NewVariant) -> VariantId:
        """Make a variant of a product; see `variant_writing.create_variant`."""
        async with self._pool.connection() as connection:
            return await variant_writing.create_variant(connection, product_id, variant)

    async def update(
        self, variant_id: VariantId, changes: VariantChanges, *, expected_version: int | None
    ) -> int:
        """Change a variant and return its new version; see `variant_writing.update_variant`."""
        async with self._pool.connection() as connection:
            return await variant_writing.update_variant(
                connection, variant_id, changes, expected_version=expected_version
            )

    async def deactivate(self, variant_id: VariantId, *, expected_version: int | None) -> int:
        """Sell a variant no longer; see `variant_writing.deactivate_variant`."""
        async with self._pool.connection() as connection:
            return await variant_writing.deactivate_variant(
                connection, variant_id, expected_version=expected_version
            )
