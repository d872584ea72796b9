"""Pages of the catalogue: ours, the specification's, the ORM's, and pgbench's; and a deep one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import psycopg
from msgspec.structs import asdict
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bench.catalogue import literal, orm, pages
from bench.catalogue.pages import Page
from bench.catalogue.ways import Read, Reading
from shopflow.cursors import LARGEST_LIMIT
from shopflow.products.filters import ProductFilters
from shopflow.products.listing import list_products
from shopflow.settings import Settings
from shopflow.shop import Shop

# Rows before page 10,000, and of what there is at most.
DEEPEST, DEEPEST_SHARE = 200_000, 0.8
SIZE = "SELECT count(*) FROM products"
# Where a deep page begins, by shop: who pages through it has the cursor.
_cursors: dict[tuple[int, int], str | None] = {}


def cases(connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[Page]]:
    """Return the mix, the first page and a deep one."""
    (products,) = connection.execute(SIZE).fetchone() or (0,)
    deep = min(DEEPEST, int(products * DEEPEST_SHARE))
    return {**pages.mix(connection), "page_1": [Page()], "page_10000": [Page(offset=deep)]}


def filters(page: Page) -> ProductFilters:
    """Return what is asked of ShopFlow."""
    return ProductFilters(
        category_id=page.category_id,
        brand_ids=(page.brand_id,) if page.brand_id else (),
        price_min=page.price_min,
        price_max=page.price_max,
        in_stock=bool(page.in_stock),
    )


async def ours(shop: Shop, page: Page) -> object:
    """Read a page by the public API, a deep one by its cursor."""
    cursor = await _cursor(shop, page) if page.offset else None
    return await shop.products.list(filters(page), page.sort, limit=page.limit, cursor=cursor)


async def _cursor(shop: Shop, page: Page) -> str | None:
    key = id(shop), page.offset
    if key not in _cursors:
        cursor = None
        for _ in range(page.offset // LARGEST_LIMIT):
            found = await shop.products.list(limit=LARGEST_LIMIT, cursor=cursor)
            cursor = found.next
        _cursors[key] = cursor
    return _cursors[key]


async def statement(connection: AsyncConnection[Any], page: Page) -> object:
    """Read it on a connection."""
    return await list_products(connection, filters(page), page.sort, limit=page.limit)


@asynccontextmanager
async def literally(settings: Settings) -> AsyncIterator[Read[Page]]:
    """Give the function that reads a page as §4.1 has it."""
    literal.make(settings)
    async with literal.asking(settings) as ask:

        async def read(page: Page) -> object:
            return await ask(literal.LISTING, **asdict(page))

        begun = perf_counter()
        for _ in range(literal.WARM_UP):
            if perf_counter() - begun < literal.PATIENCE:
                await read(Page())
        yield read


READING: Reading[Page] = Reading(
    cases=cases,
    ours=ours,
    statement=statement,
    others={"orm": orm.reading, "literal": literally},
    only={"page_1": ("ours",), "page_10000": ("ours", "literal")},
)
