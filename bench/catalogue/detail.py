"""A product with all that belongs to it, by id and by slug (§4.2)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bench.catalogue import literal
from bench.catalogue.ways import Read, Reading
from shopflow.products.detail import get_product
from shopflow.settings import Settings
from shopflow.shop import Shop

SAMPLE = """
    SELECT id, slug FROM products
    WHERE deleted_at IS NULL ORDER BY hashtextextended(sku, 0) LIMIT 40
"""


def cases(connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[str | UUID]]:
    """Return keys of products anywhere in the catalogue."""
    found = connection.execute(SAMPLE).fetchall()
    return {"by_id": [each for each, _ in found], "by_slug": [slug for _, slug in found]}


async def ours(shop: Shop, key: str | UUID) -> object:
    """Read a product by the public API."""
    return await shop.products.get(key)


async def statement(connection: AsyncConnection[Any], key: str | UUID) -> object:
    """Read it on a connection."""
    return await get_product(connection, key)


@asynccontextmanager
async def literally(settings: Settings) -> AsyncIterator[Read[str | UUID]]:
    """Give the function that reads a product as §4.2 has it."""
    literal.make(settings)
    async with literal.asking(settings) as ask:

        async def read(key: str | UUID) -> object:
            by_id = isinstance(key, UUID)
            return await ask(literal.DETAIL_BY_ID if by_id else literal.DETAIL_BY_SLUG, key=key)

        yield read


READING: Reading[str | UUID] = Reading(
    cases=cases, ours=ours, statement=statement, others={"literal": literally}
)
