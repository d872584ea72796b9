"""`shop.products.search`: the functions of this package on the shop's pool."""

from __future__ import annotations

from shopflow.postgres.pool import Pool
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.search import language, ranking, refreshing, suggesting
from shopflow.products.search.language import Rewritten, ShowCount
from shopflow.products.search.models import Found, SearchLanguage, Suggestions
from shopflow.products.search.semantic import Semantic
from shopflow.products.search.synonyms import Synonyms


class Search:
    """The search of a shop.

    Attributes:
        synonyms: words that find others as well.
        semantic: search by meaning, with a model of your own.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.synonyms = Synonyms(pool)
        self.semantic = Semantic(pool)

    async def find(
        self,
        text: str,
        filters: ProductFilters = EVERYTHING,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Found:
        """Return a page of what a text finds, best first; see `ranking.find`."""
        async with self._pool.connection() as connection:
            return await ranking.find(connection, text, filters, limit, cursor)

    async def suggest(self, text: str, limit: int = 5) -> Suggestions:
        """Return what somebody may mean who is typing; see `suggesting.suggest`."""
        async with self._pool.connection() as connection:
            return await suggesting.suggest(connection, text, limit)

    async def language(self) -> SearchLanguage:
        """Return the language that the shop is searched in; see `language.get_language`."""
        async with self._pool.connection() as connection:
            return await language.get_language(connection)

    async def set_language(self, name: str, *, progress: ShowCount | None = None) -> Rewritten:
        """Have the shop searched in another language; see `language.set_language`."""
        return await language.set_language(self._pool, name, progress=progress)

    async def rebuild(self, *, progress: ShowCount | None = None) -> Rewritten:
        """Write the documents anew that are not as they should be; see `language.rebuild`."""
        return await language.rebuild(self._pool, progress=progress)

    async def refresh(self) -> int:
        """Take the words that are new; see `refreshing.refresh_search`."""
        return await refreshing.refresh_search(self._pool)

    async def refresh_popularity(self) -> int:
        """Bring popularity up to date; see `refreshing.refresh_popularity`."""
        return await refreshing.refresh_popularity(self._pool)

    async def count_words(self) -> int:
        """Count the products of each word anew; see `refreshing.count_words`."""
        return await refreshing.count_words(self._pool)
