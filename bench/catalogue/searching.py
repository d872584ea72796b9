"""Products by words, and suggestions, against the index of §3.2 and a pattern."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from bench.catalogue import literal, tree
from bench.catalogue.ways import Read, Reading
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.search.ranking import find
from shopflow.products.search.suggesting import suggest
from shopflow.settings import Settings
from shopflow.shop import Shop


class Text(msgspec.Struct, frozen=True):
    """What is searched for."""

    text: str
    filters: ProductFilters = EVERYTHING


def searches(_connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[Text]]:
    """Return searches by how many products have the words: about 800,000 of 1,000,000 to few."""
    words = tree.ranked_words()
    cheap = ProductFilters(price_max=Decimal(30), in_stock=True)
    return {
        "commonest_word": [Text("quality "), Text("premium "), Text("classic ")],
        "common_word": [Text(f"{words[rank]} ") for rank in (8, 9, 10, 11, 12)],
        "two_words": [Text("wireless headphones "), Text("cotton shirt "), Text("steel bottle ")],
        "three_words": [Text("portable wooden lamp "), Text("soft winter jacket ")],
        "phrase": [Text('"premium classic" '), Text('"stainless steel" ')],
        "without_a_word": [Text("headphones -wireless "), Text("jacket -leather ")],
        "rare_word": [Text(f"{words[rank]} ") for rank in (3_000, 8_000, 15_000)],
        "with_filters": [Text("wireless ", cheap), Text("cotton ", cheap)],
        "typing_error": [Text("wirelss headphnes "), Text("lether jaket ")],
    }


async def search(shop: Shop, asked: Text) -> object:
    """Search by the public API."""
    return await shop.products.search.find(asked.text, asked.filters)


async def search_statement(connection: AsyncConnection[Any], asked: Text) -> object:
    """Search on a connection."""
    return await find(connection, asked.text, asked.filters)


def typed(_connection: psycopg.Connection[TupleRow]) -> Mapping[str, Sequence[str]]:
    """Return what somebody has typed so far."""
    return {
        "one_letter": ["w", "h", "s"],
        "three_letters": ["wir", "hea", "lea"],
        "five_letters": ["wirel", "headp", "leath"],
        "second_word": ["wireless hea", "cotton shi", "steel bot"],
        "typing_error": ["wirles", "hedpho"],
    }


async def suggestions(shop: Shop, text: str) -> object:
    """Suggest by the public API."""
    return await shop.products.search.suggest(text)


async def suggest_statement(connection: AsyncConnection[Any], text: str) -> object:
    """Suggest on a connection."""
    return await suggest(connection, text)


@asynccontextmanager
async def _search_literally(settings: Settings) -> AsyncIterator[Read[Text]]:
    literal.make(settings)
    async with literal.asking(settings) as ask:

        async def read(asked: Text) -> object:
            price = asked.filters.price_max
            return await ask(literal.SEARCH, text=asked.text, price_max=price)

        yield read


@asynccontextmanager
async def _suggest_literally(settings: Settings) -> AsyncIterator[Read[str]]:
    literal.make(settings)
    async with literal.asking(settings) as ask:

        async def read(text: str) -> object:
            return await ask(literal.SUGGEST, pattern=f"%{text}%")

        yield read


SEARCH: Reading[Text] = Reading(
    cases=searches,
    ours=search,
    statement=search_statement,
    others={"literal": _search_literally},
    # The literal one finds nothing then, and finds that soon.
    only={"typing_error": ("ours", "limit")},
)
SUGGEST: Reading[str] = Reading(
    cases=typed,
    ours=suggestions,
    statement=suggest_statement,
    others={"literal": _suggest_literally},
    only={"typing_error": ("ours", "limit")},
)
