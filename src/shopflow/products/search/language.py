"""The language that the shop is searched in, and writing all documents anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products.search.models import SearchLanguage
from shopflow.products.search.suggesting import QUERIES
from shopflow.text import check_text

BATCH = 1000
FIRST = UUID(int=0)
LONGEST_NAME = 63
ShowCount = Callable[[int], None]


class Rewritten(msgspec.Struct, frozen=True):
    """How many products a rebuild has looked at, and how many documents it has changed."""

    products: int
    changed: int


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Held(msgspec.Struct, frozen=True):
    last: UUID | None
    seen: int
    held: int


class _Count(msgspec.Struct, frozen=True):
    count: int


async def get_language(connection: AsyncConnection[Any]) -> SearchLanguage:
    """Return the language that the shop is searched in. Raises nothing of its own."""
    (found,) = await QUERIES["get_search_language"].rows(connection, SearchLanguage)
    return found


async def set_language(
    pool: Pool, language: str, *, progress: ShowCount | None = None
) -> Rewritten:
    """Have the shop searched in another language, and rewrite all documents in batches.

    From the beginning searches are read in both, so that every product is found all the time. When
    it is interrupted, a worker goes on with it; so does another call. Waits for those who write
    products' texts at the moment.

    Args:
        pool: where to take connections from.
        language: a text search configuration of the server, such as `english`, `german` or
            `simple`, which takes words as they are written.
        progress: told after each batch how many products it looked at.

    Raises:
        InvalidInputError: when the server has no such configuration.
    """
    check_text("language", language, LONGEST_NAME)
    async with pool.connection() as connection:
        exists = await QUERIES["search_language_exists"].row(connection, _Name, language=language)
        now = await get_language(connection)
    if exists is None:
        reason = "must be a text search configuration of the server (psql's \\dF lists them)"
        raise InvalidInputError("language", language, reason)
    if now.previous is not None and now.language != language:
        await rebuild(pool)
    await run_transaction(pool, lambda connection: _switch(connection, language))
    return await rebuild(pool, progress=progress)


async def rebuild(
    pool: Pool, *, batch: int = BATCH, progress: ShowCount | None = None
) -> Rewritten:
    """Write every document anew that is not as it should be, in batches; return how many.

    It is what changes the language, and what puts right whatever happened with the triggers off.
    An edit of a product waits for a batch at most. Interrupted, it begins again. Raises nothing of
    its own.

    Args:
        pool: where to take connections from.
        batch: products a transaction.
        progress: told after each batch how many products it looked at.
    """
    async with pool.connection() as connection:
        language = (await get_language(connection)).language
    after, products, changed = FIRST, 0, 0
    while True:
        held, count = await run_transaction(pool, partial(_rewrite, after=after, batch=batch))
        if held.last is None:
            break
        after, products, changed = held.last, products + held.seen, changed + count
        if progress is not None:
            progress(held.seen)
    async with pool.connection() as connection:
        await QUERIES["finish_search_language"].execute(connection, language=language)
    return Rewritten(products, changed)


async def _switch(connection: AsyncConnection[Any], language: str) -> None:
    # Whoever has read the language before writes in it: they end first.
    await QUERIES["hold_product_texts"].execute(connection)
    if await QUERIES["set_search_language"].execute(connection, language=language):
        await QUERIES["hold_search_words"].execute(connection)
        await QUERIES["restem_words"].execute(connection)


async def _rewrite(connection: AsyncConnection[Any], after: UUID, batch: int) -> tuple[_Held, int]:
    # Two statements: the second sees the texts of those whom the first has waited for.
    (held,) = await QUERIES["next_products_to_rewrite"].rows(
        connection, _Held, after=after, size=batch
    )
    if held.last is None:
        return held, 0
    (done,) = await QUERIES["rewrite_products"].rows(
        connection, _Count, after=after, last=held.last
    )
    return held, done.count
