"""Loads the generated shop into an empty one: COPY throughout, one transaction."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from shopflow.demo.batches import Rows, batches
from shopflow.demo.counts import Counts, counts_for
from shopflow.errors import ShopflowError
from shopflow.postgres import queries
from shopflow.postgres.pool import Pool

# What is loaded, how much of all is done, and how much all is, in the units of `Counts.units`.
Progress = Callable[[str, int, int], None]

_queries = queries.load(__package__)
_STAGES = [_queries[f"stage_demo_{name}"] for name in ("products", "variants", "orders", "steps")]
# What follows each time the second of two staged tables is filled, and the name of the real table.
_AFTER = {
    "demo_variants": [_queries["insert_products"], _queries["empty_stage_of_products"]],
    "demo_steps": [_queries["take_orders_through"], _queries["empty_stage_of_orders"]],
}
_REAL = {
    "demo_products": "products",
    "demo_variants": "product_variants",
    "demo_orders": "orders",
    "demo_steps": "order_status_history",
}
_ONE = {
    "products": "product",
    "categories": "category",
    "brands": "brand",
    "coupons": "coupon",
    "orders": "order",
}


class ShopNotEmptyError(ShopflowError):
    """The shop holds data already; the demo is loaded into an empty one.

    Attributes:
        found: how many rows there are, by table.
        what: the same in words.
    """

    def __init__(self, found: Mapping[str, int]) -> None:
        self.found = found
        self.what = ", ".join(
            f"{count} {_ONE[table] if count == 1 else table}" for table, count in found.items()
        )
        super().__init__(
            f"the shop holds {self.what}; the demo is loaded into an empty shop: "
            "use another database or SHOPFLOW_SCHEMA"
        )


class DemoReport(msgspec.Struct, frozen=True):
    """What was loaded: rows by table, and in how many seconds."""

    products: int
    seed: int
    rows: dict[str, int]
    seconds: float
    rows_per_second: float


class _Existing(msgspec.Struct, frozen=True):
    products: int
    categories: int
    brands: int
    coupons: int
    orders: int


async def load(
    pool: Pool,
    *,
    products: int,
    seed: int,
    counts: Counts | None = None,
    progress: Progress | None = None,
) -> DemoReport:
    """Fill an empty shop; the same seed and counts give the same rows, keys included.

    Only what a trigger writes by the real clock differs: the ids of order_status_history, and
    updated_at of orders, coupons and payments. It is one transaction; statistics are gathered
    after it.

    Args:
        pool: the shop.
        products: how many products; everything else follows from it.
        seed: any number.
        counts: how many of each, instead of what follows from `products`.
        progress: told after each batch; see `Progress`.

    Raises:
        ShopNotEmptyError: when there are products, categories, brands, coupons or orders.
        InvalidInputError: for a count that cannot be.
    """
    counts = counts or counts_for(products)
    begun = perf_counter()
    async with pool.connection() as connection:
        async with connection.transaction():
            rows = await fill(connection, counts, seed, progress)
        await _vacuum(connection)
    seconds = perf_counter() - begun
    total = sum(rows.values())
    return DemoReport(
        counts.products, seed, dict(rows), round(seconds, 3), round(total / seconds, 1)
    )


async def fill(
    connection: AsyncConnection[Any], counts: Counts, seed: int, progress: Progress | None = None
) -> Counter[str]:
    """Fill the shop within the connection's transaction and return the rows by table."""
    await _queries["begin_load"].execute(connection)
    await _queries["lock_catalogue"].execute(connection)
    await _refuse_full_shop(connection)
    for stage in _STAGES:
        await stage.execute(connection)
    rows: Counter[str] = Counter()
    done = 0
    source = batches(seed, counts)
    # The next batch is made while the server works on this one.
    upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
    try:
        while batch := await upcoming:
            upcoming = asyncio.create_task(asyncio.to_thread(next, source, None))
            for table, table_rows in batch.tables:
                await _copy(connection, table, table_rows)
                rows[_REAL.get(table, table)] += len(table_rows)
            done += batch.units
            if progress:
                progress(batch.what, done, counts.units)
    finally:
        await asyncio.wait([upcoming])
    return rows


async def _vacuum(connection: AsyncConnection[Any]) -> None:
    """Set the visibility map and gather statistics, without which the first queries are slow."""
    await _queries["wait_as_long_as_it_takes"].execute(connection)
    try:
        await _queries["vacuum"].execute(connection)
    finally:
        await _queries["be_patient_no_more"].execute(connection)


async def _refuse_full_shop(connection: AsyncConnection[Any]) -> None:
    existing = await _queries["count_what_is_there"].row(connection, _Existing)
    counted = msgspec.structs.asdict(existing) if existing else {}
    found = {name: count for name, count in counted.items() if count}
    if found:
        raise ShopNotEmptyError(found)


async def _copy(connection: AsyncConnection[Any], table: LiteralString, rows: Rows) -> None:
    if rows:
        columns = SQL(", ").join(map(Identifier, rows[0]._fields))
        statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), columns)
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)
    for query in _AFTER.get(table, []):
        await query.execute(connection)
