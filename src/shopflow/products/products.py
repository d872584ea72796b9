"""`shop.products`: the functions of this package on the shop's pool."""

from __future__ import annotations

from uuid import UUID

from shopflow.postgres.pool import Pool
from shopflow.products.detail import get_product
from shopflow.products.listing import EVERYTHING, ProductFilters, Sort, list_products
from shopflow.products.models import Product, ProductListing


class Products:
    """The products of a shop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(
        self,
        filters: ProductFilters = EVERYTHING,
        sort: Sort = "newest",
        limit: int = 20,
        offset: int = 0,
    ) -> list[ProductListing]:
        """Return a page of products (§4.1); see `shopflow.products.listing.list_products`."""
        async with self._pool.connection() as connection:
            return await list_products(connection, filters, sort, limit, offset)

    async def get(self, key: str | UUID) -> Product:
        """Return a product by id or slug (§4.2); see `shopflow.products.detail.get_product`."""
        async with self._pool.connection() as connection:
            return await get_product(connection, key)
