"""The words, the tree of categories and the brands of the large catalogue."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

SEED = 4
MADE_WORDS = 20_000
# How many categories each level has, of every 500.
LEVELS = (12, 60, 240, 188)


class Words(msgspec.Struct, frozen=True):
    """Lists of words; see `words.toml`."""

    common: list[str]
    nouns: list[str]
    departments: list[str]
    colors: list[str]
    materials: list[str]
    tags: list[str]
    sizes: list[str]
    syllables: list[str]
    attributes: dict[str, list[str]]
    reviews: dict[str, tuple[str, str]]


class Category(NamedTuple):
    """A category; `parent` is its place in the list, None for a department."""

    parent: int | None
    level: int
    name: str
    noun: str


class Shelf(NamedTuple):
    """A category that holds products; `place` is its place in the list of categories."""

    place: int
    noun: str
    attribute: str
    choices: list[str]


@cache
def words() -> Words:
    """Return the words."""
    text = Path(__file__).with_name("words.toml").read_bytes()
    return msgspec.toml.decode(text, type=Words)


@cache
def ranked_words() -> list[str]:
    """Return all words, the commonest first: real ones, then as many that are made up."""
    given = words()
    random = Random(SEED)
    found = dict.fromkeys([*given.common, *given.nouns])
    while len(found) < MADE_WORDS:
        parts = (random.choice(given.syllables) for _ in range(2 + int(random.random() * 3)))
        found.setdefault("".join(parts))
    return list(found)


def categories(count: int) -> list[Category]:
    """Return a tree of `count` categories, four levels deep where there are enough."""
    return list(_grown(count))


def shelves(tree: list[Category]) -> list[Shelf]:
    """Return the leaves and one in five of the others, in the order of how much they hold."""
    random = Random(SEED)
    parents = {category.parent for category in tree}
    attributes = list(words().attributes.items())
    found = [
        Shelf(place, category.noun, *attributes[place % len(attributes)])
        for place, category in enumerate(tree)
        if place not in parents or random.random() < 1 / 5
    ]
    random.shuffle(found)
    return found


def brand_names(count: int) -> list[str]:
    """Return names of brands, no two alike."""
    made = ranked_words()[-count:]
    return [f"{word.title()} {ending}" for word, ending in zip(made, _endings(), strict=False)]


def _grown(count: int) -> Iterator[Category]:
    random = Random(SEED)
    given = words()
    nouns = iter(given.nouns * 5)
    above: list[int] = []
    made: list[Category] = []
    sizes = [max(1, count * size // sum(LEVELS)) for size in LEVELS]
    sizes[-1] += count - sum(sizes)
    for level, size in enumerate(sizes):
        begun = len(made)
        for _ in range(size):
            if not above:
                name = given.departments[len(made) % len(given.departments)]
                made.append(Category(None, level, name, given.nouns[len(made)]))
            else:
                # Squared: a few have many below them.
                parent = above[int(random.random() ** 2 * len(above))]
                noun = next(nouns)
                adjective = given.common[len(made) % len(given.common)]
                made.append(Category(parent, level, f"{adjective} {noun}".capitalize(), noun))
        above = list(range(begun, len(made)))
    yield from made


def _endings() -> Iterator[str]:
    while True:
        yield from ("& Co", "Goods", "Works", "Supply", "House", "Studio", "Craft")
