"""Makes a catalogue of any size: deterministic, batch by batch, and goes on where it was cut."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

import shopflow
from bench.catalogue import kept, tree
from shopflow.demo.chance import NOW_MS, chance, key
from shopflow.migrations import runner
from shopflow.postgres import queries
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

BATCH = 10_000
# What all products need comes before the first of them, indexes and sums after the last.
BASE, END = -1, -2
# What workers count comes when the schema is the newest.
SOLD = -3
# The newest revision whose triggers `queries.sql` does the work of.
LOADED_AT = "20261124100902"
_queries = queries.load(__package__)
_TABLES = ["schema", "indexes", "chance", "key", "batches", "shelves", "brands", "users"]
_LOADS = [
    _queries[name]
    for name in (
        "empty_bench_stage",
        "make_bench_products",
        "make_bench_variants",
        "load_bench_products",
        "load_bench_images",
        "load_bench_reviews",
    )
]
Report = Callable[[str], None]
Step = Callable[[AsyncConnection[Any], "Size"], Awaitable[None]]


class Size(msgspec.Struct, frozen=True):
    """How much there is of what."""

    products: int
    categories: int
    brands: int
    users: int


class _Index(msgspec.Struct, frozen=True):
    name: str
    definition: str


class _Loaded(msgspec.Struct, frozen=True):
    first: int
    products: int


def size(products: int) -> Size:
    """Return what belongs to so many products: 500 categories and 2,000 brands from 10,000 on."""
    return Size(
        products=products,
        categories=min(500, max(12, products // 20)),
        brands=min(2_000, max(10, products // 5)),
        users=min(100_000, max(100, products // 10)),
    )


async def generate(products: int, report: Report) -> Settings:
    """Make the kept catalogue of `products`, or what is missing of it, at the newest schema.

    Raises:
        ValueError: when what is there was begun for another number of products.
    """
    with kept.running(products) as settings:
        await fill(settings, products, report)
        runner.up(settings, report=report)
        async with _loader(settings) as connection:
            if not await _queries["is_sold"].rows(connection, _Loaded):
                report("sold counts, words and popularity")
                await _in_transaction(connection, SOLD, size(products), _sell)
                async with shopflow.open(settings) as shop:
                    await shop.products.search.refresh()
                    await shop.products.search.count_words()
                    await shop.products.search.refresh_popularity()
                await connection.execute("RESET ROLE")
                await connection.execute("VACUUM (ANALYZE)")
    return settings


async def fill(settings: Settings, products: int, report: Report) -> None:
    """Load what is missing, each batch in a transaction of its own.

    It is loaded at the revision `LOADED_AT`, whose triggers are known here; what later ones keep
    is filled by their own migrations.

    Raises:
        ValueError: when what is there was begun for another number of products.
    """
    if not runner.status(settings).heads:
        runner.up(settings, target=LOADED_AT, report=report)
    async with _loader(settings) as connection:
        for table in _TABLES:
            await _queries[f"make_bench_{table}"].execute(connection)
        loaded = await _queries["loaded_batches"].rows(connection, _Loaded)
        if any(batch.products != products for batch in loaded):
            raise ValueError(f"{settings.home} holds {loaded[0].products} products, not {products}")
        done = {batch.first for batch in loaded}
        wanted = size(products)
        if BASE not in done:
            await _in_transaction(connection, BASE, wanted, _load_base)
        missing = iter([first for first in range(0, products, BATCH) if first not in done])
        await asyncio.gather(
            *(_load_from(missing, settings, wanted, report) for _ in range(os.cpu_count() or 1))
        )
        if END not in done:
            report("making indexes and what triggers keep")
            await _in_transaction(connection, END, wanted, _finish)
            await connection.execute("RESET ROLE")
            await connection.execute("VACUUM (ANALYZE)")
    report(f"{products} products are there")


@asynccontextmanager
async def _loader(settings: Settings) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection as the shop's owner, but without triggers, which only a superuser leaves out."""
    admin = Server(settings).superuser_conninfo()
    async with await AsyncConnection.connect(admin, autocommit=True) as connection:
        await connection.execute(
            SQL("SET search_path = {}, public").format(Identifier(settings.schema))
        )
        await _queries["begin_bench_load"].execute(connection)
        await connection.execute(SQL("SET ROLE {}").format(Identifier(f"{settings.schema}_owner")))
        yield connection


async def _in_transaction(
    connection: AsyncConnection[Any], step: int, wanted: Size, load: Step
) -> None:
    async with connection.transaction():
        await load(connection, wanted)
        await _queries["note_batch"].execute(connection, first=step, products=wanted.products)


async def _load_from(
    missing: Iterator[int], settings: Settings, wanted: Size, report: Report
) -> None:
    """Load one batch after the other, as long as there are any; others take from `missing` too."""
    async with _loader(settings) as connection:
        for kind in ("products", "variants"):
            await _queries[f"stage_bench_{kind}"].execute(connection)
        for first in missing:
            await _in_transaction(connection, first, wanted, partial(_load, first))
            report(f"products from {first} on")


async def _finish(connection: AsyncConnection[Any], _wanted: Size) -> None:
    await _queries["load_bench_stats"].execute(connection)
    await _queries["load_bench_movements"].execute(connection)
    for index in await _queries["list_indexes"].rows(connection, _Index):
        await connection.execute(SQL(index.definition))


async def _sell(connection: AsyncConnection[Any], _wanted: Size) -> None:
    await _queries["load_sold_counts"].execute(connection)


async def _load(first: int, connection: AsyncConnection[Any], wanted: Size) -> None:
    given = tree.words()
    numbers = {
        "first": first,
        "last": min(first + BATCH, wanted.products) - 1,
        "products": wanted.products,
        "users": wanted.users,
        "brands": wanted.brands,
        "shelves": len(tree.shelves(tree.categories(wanted.categories))),
        "ranks": tree.MADE_WORDS,
    }
    lists = {
        "words": tree.ranked_words(),
        "colors": given.colors,
        "materials": given.materials,
        "tags": given.tags,
        "sizes": given.sizes,
        "titles": [given.reviews[str(rating)][0] for rating in range(1, 6)],
        "texts": [given.reviews[str(rating)][1] for rating in range(1, 6)],
    }
    for query in _LOADS:
        await query.execute(connection, **numbers, **lists)


async def _load_base(connection: AsyncConnection[Any], wanted: Size) -> None:
    random = chance(tree.SEED, "bench")
    made = tree.categories(wanted.categories)
    ids = [key(random, NOW_MS) for _ in made]
    categories = (
        (
            ids[number],
            None if each.parent is None else ids[each.parent],
            each.name,
            f"{each.name.lower().replace(' ', '-')}-{number}",
            number,
        )
        for number, each in enumerate(made)
    )
    shelves = (
        (number, ids[shelf.place], shelf.noun, shelf.attribute, shelf.choices)
        for number, shelf in enumerate(tree.shelves(made))
    )
    brands = [(key(random, NOW_MS), name) for name in tree.brand_names(wanted.brands)]
    for table, columns, rows in (
        ("categories", "id parent_id name slug sort_order", categories),
        ("bench.shelves", "n id noun attribute choices", shelves),
        (
            "brands",
            "id name slug",
            ((*brand, f"brand-{number}") for number, brand in enumerate(brands)),
        ),
        ("bench.brands", "n id", ((number, brand[0]) for number, brand in enumerate(brands))),
    ):
        statement = SQL("COPY {} ({}) FROM STDIN").format(
            Identifier(*table.split(".")), SQL(", ").join(map(Identifier, columns.split()))
        )
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)
    await _queries["load_bench_users"].execute(connection, users=wanted.users)
    await _queries["remember_indexes"].execute(connection)
    for index in await _queries["list_indexes"].rows(connection, _Index):
        await connection.execute(SQL("DROP INDEX {}").format(Identifier(index.name)))
    await connection.execute("ANALYZE categories, brands, users, bench.users")
