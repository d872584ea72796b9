"""What workers do for the search now and then: words, their counts, popularity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.products.search.language import FIRST, get_language, rebuild
from shopflow.products.search.suggesting import QUERIES

T = TypeVar("T")
BATCH = 5000


class _Batch(msgspec.Struct, frozen=True):
    last: UUID | None
    count: int


class _Count(msgspec.Struct, frozen=True):
    count: int


class _Words(msgspec.Struct, frozen=True):
    last: UUID | None
    products: dict[str, int]


class _Word(msgspec.Struct, frozen=True):
    word: str


async def refresh_search(pool: Pool) -> int:
    """Take the words that are new, and finish a change of language; return how many.

    It may be interrupted at any point and run again. Raises nothing of its own.
    """
    done = 0
    while taken := await run_transaction(pool, _take_new_words):
        done += taken
    async with pool.connection() as connection:
        language = await get_language(connection)
    if language.previous is not None:
        done += (await rebuild(pool)).changed
    return done


async def refresh_popularity(pool: Pool) -> int:
    """Bring the popularity of products up to date; return how many have another one now.

    Reads all products, in batches, and may be interrupted. Raises nothing of its own.
    """
    done = 0
    after: UUID | None = FIRST
    while after is not None:
        async with pool.connection() as connection:
            (batch,) = await QUERIES["refresh_popularity"].rows(
                connection, _Batch, after=after, size=BATCH
            )
        done += batch.count
        after = batch.last
    return done


async def count_words(pool: Pool) -> int:
    """Count the products of each word anew, and forget those of none; return how many changed.

    Reads all products, in batches. Raises nothing of its own.
    """
    async with pool.connection() as connection:
        gone = {row.word for row in await QUERIES["known_words"].rows(connection, _Word)}
    counts: dict[str, int] = {}
    after: UUID | None = FIRST
    while after is not None:
        async with pool.connection() as connection:
            found = await QUERIES["count_words"].document(
                connection, _Words, after=after, size=BATCH
            )
        after = found.last if found else None
        for word, products in found.products.items() if found else ():
            counts[word] = counts.get(word, 0) + products
    changed = 0
    for some in _batches(sorted(counts.items())):
        changed += await run_transaction(pool, partial(_write, counts=dict(some)))
    for words in _batches(sorted(gone - counts.keys())):
        changed += await run_transaction(pool, partial(_forget, words=words))
    return changed


async def _take_new_words(connection: AsyncConnection[Any]) -> int:
    await QUERIES["hold_search_words"].execute(connection)
    (taken,) = await QUERIES["take_new_words"].rows(connection, _Count, size=BATCH)
    return taken.count


async def _write(connection: AsyncConnection[Any], counts: dict[str, int]) -> int:
    await QUERIES["hold_search_words"].execute(connection)
    return await QUERIES["write_word_counts"].execute(
        connection, words=list(counts), products=list(counts.values())
    )


async def _forget(connection: AsyncConnection[Any], words: Sequence[str]) -> int:
    await QUERIES["hold_search_words"].execute(connection)
    return await QUERIES["forget_words"].execute(connection, words=list(words))


def _batches(everything: Sequence[T]) -> Iterator[Sequence[T]]:
    return (everything[at : at + BATCH] for at in range(0, len(everything), BATCH))
