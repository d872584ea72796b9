"""`shop.products.stock`: changing and reading stock on the shop's pool."""

from __future__ import annotations

from shopflow.cursors import Page
from shopflow.ids import ProductId, UserId, VariantId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products import stock_changing, stock_reading
from shopflow.products.stock_changing import GivenReason, StockOf
from shopflow.products.stock_models import LowStock, Movement, StockChange, StockMismatch


class Stock:
    """The stock of a shop. Each call is one round trip, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def set(
        self,
        product_id: ProductId,
        variant_id: VariantId | None = None,
        *,
        quantity: int,
        reason: GivenReason = "correction",
        notes: str | None = None,
        actor: UserId | None = None,
    ) -> StockChange:
        """Make a stock this many pieces; see `stock_changing.set_stock`."""
        of = StockOf(product_id, variant_id, reason, notes, actor)
        async with self._pool.connection() as connection:
            return await stock_changing.set_stock(connection, of, quantity)

    async def adjust(
        self,
        product_id: ProductId,
        variant_id: VariantId | None = None,
        *,
        change: int,
        reason: GivenReason = "correction",
        notes: str | None = None,
        actor: UserId | None = None,
    ) -> StockChange:
        """Add pieces to a stock or take them away; see `stock_changing.adjust_stock`."""
        of = StockOf(product_id, variant_id, reason, notes, actor)
        async with self._pool.connection() as connection:
            return await stock_changing.adjust_stock(connection, of, change)

    async def movements(
        self,
        product_id: ProductId,
        variant_id: VariantId | None = None,
        *,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Movement]:
        """Return a page of movements, newest first; see `stock_reading.list_movements`."""
        async with self._pool.connection() as connection:
            return await stock_reading.list_movements(
                connection, product_id, variant_id, limit=limit, cursor=cursor
            )

    async def low(
        self, threshold: int = 5, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LowStock]:
        """Return what is nearly sold out, least first; see `stock_reading.list_low_stock`."""
        async with self._pool.connection() as connection:
            return await stock_reading.list_low_stock(
                connection, threshold, limit=limit, cursor=cursor
            )

    async def check(self) -> list[StockMismatch]:
        """Return every stock that does not add up; see `stock_reading.check_stock`."""
        return await run_transaction(self._pool, stock_reading.check_stock)
