"""The words that the generated shop is made of, read from `vocabulary.toml`."""

from functools import cache
from importlib import resources

import msgspec


class Option(msgspec.Struct, frozen=True):
    """What a product's variants differ in; `step` is the rise of the price from one to the next."""

    name: str
    values: tuple[str, ...]
    step: float = 0.0


class Leaf(msgspec.Struct, frozen=True):
    """A category that holds products.

    `path` is department, group and category; `price` the lowest and highest in whole units;
    `options` None where products have no variants.
    """

    path: tuple[str, str, str]
    nouns: tuple[str, ...]
    materials: str
    price: tuple[int, int]
    options: str | None = None


class Vocabulary(msgspec.Struct, frozen=True):
    """Every list of words; `cities` are city, state, first digits of the postal code, country."""

    colors: tuple[str, ...]
    adjectives: tuple[str, ...]
    lines: tuple[str, ...]
    tags: tuple[str, ...]
    season_tags: tuple[str, ...]
    origins: tuple[str, ...]
    brand_stems: tuple[str, ...]
    brand_endings: tuple[str, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str, str], ...]
    card_brands: tuple[str, ...]
    materials: dict[str, tuple[str, ...]]
    options: dict[str, Option]
    reviews: dict[str, tuple[tuple[str, str], ...]]
    leaves: tuple[Leaf, ...]


@cache
def vocabulary() -> Vocabulary:
    """Return the words."""
    text = resources.files(__package__).joinpath("vocabulary.toml").read_bytes()
    return msgspec.toml.decode(text, type=Vocabulary)
