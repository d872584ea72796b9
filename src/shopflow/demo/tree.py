"""The tree of categories, three levels deep, and the brands."""

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import NamedTuple, TypeVar

from shopflow.demo.chance import DAY_MS, NOW_MS, Zipf, chance, key, moment
from shopflow.demo.people import SHOP_DAYS
from shopflow.demo.rows import Brand, Category
from shopflow.demo.vocabulary import Leaf, vocabulary
from shopflow.errors import InvalidInputError

Thing = TypeVar("Thing")
OPENED_MS = NOW_MS - SHOP_DAYS * DAY_MS
# One leaf is a hundred times another, as in real shops.
LEAF_EXPONENT = 0.8


class Shelf(NamedTuple):
    """A category that holds products, and what is sold in it."""

    category_id: str
    leaf: Leaf


class Tree:
    """The categories, and which of them a product falls into."""

    def __init__(self, seed: int, count: int) -> None:
        self._random = chance(seed, "categories")
        self._ids: dict[tuple[str, ...], str] = {}
        self.categories: list[Category] = []
        self.shelves: list[Shelf] = []
        leaves = _shuffled(self._random, list(vocabulary().leaves))
        paths = [(leaf, leaf.path) for leaf in leaves]
        for line in vocabulary().lines:
            paths += [(leaf, (*leaf.path[:2], f"{line} {leaf.path[2]}")) for leaf in leaves]
        for leaf, path in paths:
            missing = sum(path[:depth] not in self._ids for depth in (1, 2, 3))
            if len(self.categories) + missing <= count:
                self.shelves.append(Shelf(self._add(path), leaf))
        if len(self.categories) < count or not self.shelves:
            raise InvalidInputError(
                "categories", count, f"must be from 3 to {len(self.categories)}"
            )
        shares = Zipf(len(self.shelves), LEAF_EXPONENT, 1.0)
        self._bounds = list(accumulate(shares.share(rank + 1) for rank in range(len(self.shelves))))

    def shelf(self, random: Random) -> Shelf:
        """Return where a product falls: few categories are large, many small."""
        place = bisect(self._bounds, random.random() * self._bounds[-1])
        return self.shelves[min(place, len(self.shelves) - 1)]

    def _add(self, path: tuple[str, ...]) -> str:
        if path in self._ids:
            return self._ids[path]
        parent = self._add(path[:-1]) if len(path) > 1 else None
        self._ids[path] = key(self._random, OPENED_MS)
        opened = moment(OPENED_MS)
        self.categories.append(
            Category(
                self._ids[path],
                parent,
                path[-1],
                slug(" ".join(path)),
                len(self.categories),
                opened,
                opened,
            )
        )
        return self._ids[path]


def brands(seed: int, count: int) -> list[Brand]:
    """Return the brands: stem and ending, such as `Alder & Co`."""
    words = vocabulary()
    names = [f"{stem} {ending}" for ending in words.brand_endings for stem in words.brand_stems]
    if not 0 < count <= len(names):
        raise InvalidInputError("brands", count, f"must be from 1 to {len(names)}")
    random = chance(seed, "brands")
    opened = moment(OPENED_MS)
    return [
        Brand(
            key(random, OPENED_MS),
            name,
            slug(name),
            f"https://images.example.invalid/brands/{slug(name)}.svg",
            opened,
            opened,
        )
        for name in _shuffled(random, names)[:count]
    ]


def slug(name: str) -> str:
    """Return a name as it stands in a URL: lower case, words joined by hyphens."""
    return name.lower().translate(_SLUG).replace("--", "-").strip("-")


_SLUG = str.maketrans({" ": "-", ",": "", "'": "", ".": "", "&": "and", "/": "-"})


def _shuffled(random: Random, things: list[Thing]) -> list[Thing]:
    return [
        thing
        for _, thing in sorted(
            ((random.random(), place), thing) for place, thing in enumerate(things)
        )
    ]
