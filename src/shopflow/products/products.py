"""`shop.products`: the functions of this package on the shop's pool, and its parts by noun."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from shopflow.cursors import Page
from shopflow.ids import ProductId, VariantId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products import admin_reading, writing
from shopflow.products.admin_models import AdminProduct
from shopflow.products.brands import Brands
from shopflow.products.bulk import reading
from shopflow.products.bulk.changes import BulkChanges
from shopflow.products.bulk.models import PriceChange
from shopflow.products.categories import Categories
from shopflow.products.detail import get_product
from shopflow.products.facet_models import Facets
from shopflow.products.facets import DEFAULT_LIMIT, PRICE_EDGES, count_facets
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.images import Images
from shopflow.products.inputs import NewProduct, ProductChanges
from shopflow.products.listing import COUNTED, count_products, list_products
from shopflow.products.models import Product, ProductCount, ProductPage
from shopflow.products.reviews import Reviews
from shopflow.products.search.search import Search
from shopflow.products.sorting import AnySort
from shopflow.products.stock import Stock
from shopflow.products.variants import Variants


class Products:
    """The products of a shop. Each call is committed when it returns.

    Attributes:
        variants: sizes and colours of products.
        images: pictures of products.
        categories: the tree that products are in.
        brands: who makes them.
        stock: what is there, and why it changed.
        reviews: what customers say.
        bulk: many prices or stocks at once, at a time, and undone.
        search: finding products by words, and what words mean in this shop.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.variants = Variants(pool)
        self.images = Images(pool)
        self.categories = Categories(pool)
        self.brands = Brands(pool)
        self.stock = Stock(pool)
        self.reviews = Reviews(pool)
        self.bulk = BulkChanges(pool)
        self.search = Search(pool)

    async def list(
        self,
        filters: ProductFilters = EVERYTHING,
        sort: AnySort = "newest",
        *,
        limit: int = 20,
        cursor: str | None = None,
        offset: int = 0,
    ) -> ProductPage:
        """Return a page of products (§4.1); see `listing.list_products`."""
        async with self._pool.connection() as connection:
            return await list_products(
                connection, filters, sort, limit=limit, cursor=cursor, offset=offset
            )

    async def count(
        self, filters: ProductFilters = EVERYTHING, *, up_to: int = COUNTED
    ) -> ProductCount:
        """Count products up to a number; see `listing.count_products`."""
        async with self._pool.connection() as connection:
            return await count_products(connection, filters, up_to=up_to)

    async def facets(
        self,
        filters: ProductFilters = EVERYTHING,
        *,
        limit: int = DEFAULT_LIMIT,
        price_edges: Sequence[Decimal] = PRICE_EDGES,
    ) -> Facets:
        """Count what a listing could be narrowed to; see `facets.count_facets`."""
        async with self._pool.connection() as connection:
            return await count_facets(connection, filters, limit=limit, price_edges=price_edges)

    async def get(self, key: str | UUID) -> Product:
        """Return a product by id or slug (§4.2); see `detail.get_product`."""
        async with self._pool.connection() as connection:
            return await get_product(connection, key)

    async def get_for_admin(self, product_id: ProductId) -> AdminProduct:
        """Return a product also when archived; see `admin_reading.get_product_for_admin`."""
        async with self._pool.connection() as connection:
            return await admin_reading.get_product_for_admin(connection, product_id)

    async def create(self, product: NewProduct) -> ProductId:
        """Make a product; see `writing.create_product`."""
        async with self._pool.connection() as connection:
            return await writing.create_product(connection, product)

    async def update(
        self, product_id: ProductId, changes: ProductChanges, *, expected_version: int | None
    ) -> int:
        """Change a product and return its new version; see `writing.update_product`."""
        async with self._pool.connection() as connection:
            return await writing.update_product(
                connection, product_id, changes, expected_version=expected_version
            )

    async def archive(self, product_id: ProductId, *, expected_version: int | None) -> int:
        """Delete a product softly (§9); see `writing.archive_product`."""
        # Tried again: a checkout of it locks the same rows in another order.
        return await run_transaction(
            self._pool,
            lambda connection: writing.archive_product(
                connection, product_id, expected_version=expected_version
            ),
        )

    async def restore(self, product_id: ProductId) -> int:
        """Take back that a product was archived; see `writing.restore_product`."""
        return await run_transaction(
            self._pool, lambda connection: writing.restore_product(connection, product_id)
        )

    async def price_history(
        self,
        product_id: ProductId,
        variant_id: VariantId | None = None,
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[PriceChange]:
        """Return a page of a product's prices; see `bulk.reading.list_price_changes`."""
        async with self._pool.connection() as connection:
            return await reading.list_price_changes(
                connection, product_id, variant_id, limit=limit, cursor=cursor
            )
