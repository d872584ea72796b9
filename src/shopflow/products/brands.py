"""`shop.products.brands`: the brands on the shop's pool."""

from __future__ import annotations

from shopflow.ids import BrandId
from shopflow.postgres.pool import Pool
from shopflow.products import admin_reading, brand_writing
from shopflow.products.admin_models import Brand
from shopflow.products.inputs import BrandChanges, NewBrand


class Brands:
    """The brands of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self) -> list[Brand]:
        """Return all brands by name; see `admin_reading.list_brands`."""
        async with self._pool.connection() as connection:
            return await admin_reading.list_brands(connection)

    async def create(self, brand: NewBrand) -> BrandId:
        """Make a brand; see `brand_writing.create_brand`."""
        async with self._pool.connection() as connection:
            return await brand_writing.create_brand(connection, brand)

    async def update(
        self, brand_id: BrandId, changes: BrandChanges, *, expected_version: int | None
    ) -> int:
        """Change a brand and return its new version; see `brand_writing.update_brand`."""
        async with self._pool.connection() as connection:
            return await brand_writing.update_brand(
                connection, brand_id, changes, expected_version=expected_version
            )

    async def deactivate(self, brand_id: BrandId, *, expected_version: int | None) -> int:
        """Mark a brand as no longer carried; see `brand_writing.deactivate_brand`."""
        async with self._pool.connection() as connection:
            return await brand_writing.deactivate_brand(
                connection, brand_id, expected_version=expected_version
            )
