"""What somebody typed into a search box, as terms: words, "phrases" and -what is not wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from shopflow.errors import InvalidInputError
from shopflow.text import check_text

Kind = Literal["word", "phrase", "without"]

LONGEST_TEXT = 200
MOST_TERMS = 20
# A single letter begins a tenth of all words.
SHORTEST_PREFIX = 2
_TOKEN = re.compile(r'(?<!\S)(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))|"')
_QUOTES = str.maketrans(dict.fromkeys("“”„«»", '"'))
# What may stand around a word; within it the parser of PostgreSQL decides.
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")


class Term(msgspec.Struct, frozen=True):
    """A part of a search.

    `is_prefix` finds longer words as well, for the last one is still being typed.
    """

    text: str
    kind: Kind = "word"
    is_prefix: bool = False

    def __str__(self) -> str:
        """Show it as it is typed."""
        quoted = f'"{self.text}"' if " " in self.text or self.kind == "phrase" else self.text
        return f"-{quoted}" if self.kind == "without" else quoted


def parse(text: str) -> tuple[Term, ...]:
    """Return the terms of a search; none where there is no word in it.

    The last word is a prefix unless a space follows.

    Args:
        text: what was typed, up to 200 characters.

    Raises:
        InvalidInputError: for a longer text or more than 20 terms.
    """
    check_text("text", text, LONGEST_TEXT, shortest=0)
    terms = list(_terms(text.translate(_QUOTES)))
    if len(terms) > MOST_TERMS:
        raise InvalidInputError("text", text, f"must have at most {MOST_TERMS} terms")
    if terms and terms[-1].kind == "word" and text.endswith(terms[-1].text):
        is_prefix = len(terms[-1].text) >= SHORTEST_PREFIX
        terms[-1] = msgspec.structs.replace(terms[-1], is_prefix=is_prefix)
    return tuple(terms)


def as_document(terms: Sequence[Term]) -> str:
    """Return terms as the JSON that `search_understood` and `search_query` take."""
    return msgspec.json.encode(terms).decode()


def corrected_text(terms: Sequence[Term], words: Sequence[str | None]) -> str | None:
    """Return the search with words put in the place of others; None when there are none."""
    if not any(words):
        return None
    return " ".join(word or str(term) for term, word in zip(terms, words, strict=True))


def _terms(text: str) -> Iterator[Term]:
    for found in _TOKEN.finditer(text):
        phrase = found["phrase"]
        words = " ".join((phrase if phrase is not None else found["word"] or "").split())
        bare = _AROUND.sub("", words)
        if not bare:
            continue
        if found["minus"]:
            yield Term(bare, "without")
        elif phrase is not None and " " in bare:
            yield Term(bare, "phrase")
        else:
            yield Term(bare)
