"""`shop.products.search.semantic`: search by meaning on the shop's pool."""

from __future__ import annotations

from shopflow.postgres.pool import Pool
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.search import embedding, meaning
from shopflow.products.search.embedding import Embedding
from shopflow.products.search.language import ShowCount
from shopflow.products.search.models import Found


class Semantic:
    """Search by meaning, with a model of your own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def enable(self, dimensions: int) -> None:
        """Make the table for vectors of this length; see `embedding.enable`."""
        await embedding.enable(self._pool, dimensions)

    async def disable(self) -> None:
        """Delete the vectors; see `embedding.disable`."""
        await embedding.disable(self._pool)

    async def embed(self, model: Embedding, *, progress: ShowCount | None = None) -> int:
        """Make the vectors that are missing; see `embedding.embed_products`."""
        return await embedding.embed_products(self._pool, model, progress=progress)

    async def find(
        self,
        text: str,
        model: Embedding,
        filters: ProductFilters = EVERYTHING,
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Found:
        """Return what a text finds by words or meaning; see `meaning.find_by_meaning`."""
        async with self._pool.connection() as connection:
            return await meaning.find_by_meaning(
                connection, text, model, filters, limit=limit, cursor=cursor
            )
