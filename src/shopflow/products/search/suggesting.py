"""Suggestions while somebody types: searches, products, categories and brands."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.postgres import queries
from shopflow.products.search.models import (
    SuggestedBrand,
    SuggestedCategory,
    SuggestedProduct,
    Suggestions,
)
from shopflow.products.search.parsing import Term, as_document, corrected_text, parse

QUERIES = queries.load(__package__)

LARGEST_LIMIT = 20
NOTHING = Suggestions((), (), (), (), None)


class _Answer(msgspec.Struct, frozen=True):
    words: tuple[str, ...]
    corrected: tuple[str | None, ...]
    products: tuple[SuggestedProduct, ...]
    categories: tuple[SuggestedCategory, ...]
    brands: tuple[SuggestedBrand, ...]


async def suggest(connection: AsyncConnection[Any], text: str, limit: int = 5) -> Suggestions:
    """Return what somebody may mean who has typed `text` so far, in one round trip.

    Searches complete the last word to one that products have together with the words before it;
    products are those that are found by what was typed. When nothing begins with the last word it
    is corrected to the nearest word of the catalogue, and everything is for that.

    Args:
        connection: where to ask.
        text: what was typed, up to 200 characters; there are no suggestions for none.
        limit: of each kind at most, 1 to 20.

    Raises:
        InvalidInputError: for a longer text or another limit.
    """
    if not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidInputError("limit", limit, f"must be from 1 to {LARGEST_LIMIT}")
    terms = parse(text)
    if not terms:
        return NOTHING
    answer = await QUERIES["suggest"].document(
        connection, _Answer, limit=limit, **parameters(terms, text)
    )
    if answer is None:
        raise LookupError("the statement answers with one document")
    return Suggestions(
        searches=_searches(terms, answer),
        products=answer.products,
        categories=answer.categories,
        brands=answer.brands,
        corrected=corrected_text(terms, (*answer.corrected, None)[: len(terms)]),
    )


def parameters(terms: tuple[Term, ...], text: str) -> dict[str, object]:
    """Return what the statement is given for what was typed."""
    *earlier, last = terms
    # A single letter begins a tenth of all words: it is completed, and not searched for.
    searched = earlier if earlier and last.kind == "word" and len(last.text) == 1 else terms
    is_open = last.kind == "word" and text.endswith(last.text)
    return {
        "terms": as_document(searched),
        # A phrase or what is not wanted is not completed: no word begins so.
        "last": last.text.lower() if is_open else "\U0010ffff",
        "earlier": " ".join(map(str, earlier)),
        "typed": " ".join(text.lower().split()),
    }


def _searches(terms: tuple[Term, ...], answer: _Answer) -> tuple[str, ...]:
    # The last one is not there where it was not searched for.
    words = (*answer.corrected, None)[: len(terms)]
    corrected = corrected_text(terms, words)
    if not answer.words:
        return (corrected,) if corrected and answer.products else ()
    before = [word or str(term) for term, word in zip(terms, words, strict=True)][:-1]
    return tuple(" ".join((*before, word)) for word in answer.words)
