"""Synonyms of the shop: who searches for one word finds another as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, InvalidInputError
from shopflow.postgres.pool import Pool
from shopflow.products.search.models import Synonym
from shopflow.products.search.suggesting import QUERIES
from shopflow.text import check_text

LONGEST = 100
# Runs of words that a search is looked through for.
MOST_WORDS = 3


async def list_synonyms(connection: AsyncConnection[Any], word: str | None = None) -> list[Synonym]:
    """Return the synonyms of a word, or all of the shop, by word.

    Raises:
        InvalidInputError: for a word that cannot be one.
    """
    asked = None if word is None else _plain(word)
    return await QUERIES["list_synonyms"].rows(connection, Synonym, word=asked)


async def add_synonyms(
    connection: AsyncConnection[Any], word: str, synonyms: Iterable[str], *, both_ways: bool = True
) -> int:
    """Have searches for a word find its synonyms as well, from now on; return how many are new.

    Args:
        connection: where to.
        word: one to three words; case does not count, nor which form of the word it is.
        synonyms: words or phrases.
        both_ways: whether searches for a synonym find the word too; they do not find each other's.

    Raises:
        InvalidInputError: for a word that is too long, is its own synonym or is never searched for,
            such as `the`.
    """
    pairs = _pairs(word, synonyms, both_ways=both_ways)
    try:
        return await QUERIES["add_synonyms"].execute(
            connection, words=[pair.word for pair in pairs], synonyms=[p.synonym for p in pairs]
        )
    except ConstraintViolatedError as error:
        if error.constraint != "search_synonyms_lexemes_check":
            raise
        reason = "must not be a word that is never searched for"
        raise InvalidInputError("word", word, reason) from error


async def remove_synonyms(
    connection: AsyncConnection[Any], word: str, synonyms: Iterable[str], *, both_ways: bool = True
) -> int:
    """Take synonyms back; return how many there were.

    Raises:
        InvalidInputError: for what cannot have been added.
    """
    pairs = _pairs(word, synonyms, both_ways=both_ways)
    return await QUERIES["remove_synonyms"].execute(
        connection, words=[pair.word for pair in pairs], synonyms=[p.synonym for p in pairs]
    )


class Synonyms:
    """The synonyms of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, word: str | None = None) -> list[Synonym]:
        """Return the synonyms of a word, or all; see `synonyms.list_synonyms`."""
        async with self._pool.connection() as connection:
            return await list_synonyms(connection, word)

    async def add(self, word: str, *synonyms: str, both_ways: bool = True) -> int:
        """Have a word find others as well; see `synonyms.add_synonyms`."""
        async with self._pool.connection() as connection:
            return await add_synonyms(connection, word, synonyms, both_ways=both_ways)

    async def remove(self, word: str, *synonyms: str, both_ways: bool = True) -> int:
        """Take synonyms back; see `synonyms.remove_synonyms`."""
        async with self._pool.connection() as connection:
            return await remove_synonyms(connection, word, synonyms, both_ways=both_ways)


def _pairs(word: str, synonyms: Iterable[str], *, both_ways: bool) -> list[Synonym]:
    plain = _plain(word)
    if len(plain.split()) > MOST_WORDS:
        raise InvalidInputError("word", word, f"must be at most {MOST_WORDS} words")
    others = [_plain(synonym) for synonym in synonyms]
    for other in others:
        if other == plain:
            raise InvalidInputError("synonyms", other, "must not be the word itself")
        if both_ways and len(other.split()) > MOST_WORDS:
            reason = f"must be at most {MOST_WORDS} words to be searched for itself"
            raise InvalidInputError("synonyms", other, reason)
    pairs = [Synonym(plain, other) for other in others]
    return pairs + ([Synonym(other, plain) for other in others] if both_ways else [])


def _plain(word: str) -> str:
    check_text("word", word, LONGEST)
    plain = " ".join(word.lower().split())
    check_text("word", plain, LONGEST)
    return plain
