"""`shop.products.categories`: the tree of categories on the shop's pool."""

from __future__ import annotations

from shopflow.ids import CategoryId
from shopflow.postgres.pool import Pool
from shopflow.products import admin_reading, category_writing
from shopflow.products.admin_models import Category
from shopflow.products.inputs import CategoryChanges, NewCategory


class Categories:
    """The categories of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def tree(self) -> tuple[Category, ...]:
        """Return the roots with all below them; see `admin_reading.category_tree`."""
        async with self._pool.connection() as connection:
            return await admin_reading.category_tree(connection)

    async def create(self, category: NewCategory) -> CategoryId:
        """Make a category; see `category_writing.create_category`."""
        async with self._pool.connection() as connection:
            return await category_writing.create_category(connection, category)

    async def update(
        self, category_id: CategoryId, changes: CategoryChanges, *, expected_version: int | None
    ) -> int:
        """Change a category and return its new version; see `category_writing.update_category`."""
        async with self._pool.connection() as connection:
            return await category_writing.update_category(
                connection, category_id, changes, expected_version=expected_version
            )

    async def move(
        self,
        category_id: CategoryId,
        parent_id: CategoryId | None,
        *,
        sort_order: int | None = None,
        expected_version: int | None,
    ) -> int:
        """Put a category elsewhere in the tree; see `category_writing.move_category`."""
        async with self._pool.connection() as connection:
            return await category_writing.move_category(
                connection,
                category_id,
                parent_id,
                sort_order=sort_order,
                expected_version=expected_version,
            )

    async def delete(self, category_id: CategoryId, *, expected_version: int | None) -> None:
        """Delete a category without others below; see `category_writing.delete_category`."""
        async with self._pool.connection() as connection:
            await category_writing.delete_category(
                connection, category_id, expected_version=expected_version
            )
