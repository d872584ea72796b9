"""Products with their variants and images, each made from the seed and its number alone."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec

from shopflow.demo.chance import DAY_MS, NOW_MS, between, chance, key, moment, pick
from shopflow.demo.rows import Brand, Image, Product, Variant
from shopflow.demo.tree import OPENED_MS, Shelf, Tree, slug
from shopflow.demo.vocabulary import Leaf, vocabulary

HOST = "https://images.example.invalid/products"
# The newest product is some days old: there is an order even for that one.
NEWEST_MS = NOW_MS - 10 * DAY_MS
# Shares of all products, or of all variants of a product that is in stock.
WITH_VARIANTS = 0.6
WITH_ADJECTIVE = 0.5
OUT_OF_STOCK = 0.08
SIZE_SOLD_OUT = 0.1
UNTRACKED = 0.02
INACTIVE = 0.03
FEATURED = 0.02
REDUCED = 0.18
ENDS_ON_90 = 0.7


class Listing(NamedTuple):
    """A product as a shop lists it; `noun` and `color` are what its reviews speak of."""

    product: Product
    variants: list[Variant]
    images: list[Image]
    noun: str
    color: str


class Look(NamedTuple):
    """What a product is, in words."""

    adjective: str
    material: str
    noun: str
    color: str


class Goods:
    """The products by number; the number grows with the time of their creation."""

    def __init__(self, seed: int, count: int, tree: Tree, brands: list[Brand]) -> None:
        self._seed = seed
        self.count = count
        self._tree = tree
        self._brands = brands

    def listing(self, number: int) -> Listing:
        """Return the product of this number with all that belongs to it."""
        random = chance(self._seed, "product", number)
        shelf = self._tree.shelf(random)
        look = _look(random, shelf.leaf)
        bare = self._product(random, number, shelf, look)
        in_stock = random.random() >= OUT_OF_STOCK
        variants = _variants(random, shelf.leaf, bare, in_stock=in_stock)
        stock = sum(variant.stock_quantity for variant in variants)
        if not variants and in_stock:
            stock = _stock(random)
        product = bare._replace(stock_quantity=stock, has_variants=bool(variants))
        images = _images(random, product)
        return Listing(product, variants, images, look.noun.lower(), look.color.lower())

    def _product(self, random: Random, number: int, shelf: Shelf, look: Look) -> Product:
        """The product before it is known what there is of it."""
        share = (number + random.random()) / self.count
        at = OPENED_MS + int(share * (NEWEST_MS - OPENED_MS))
        # Squared: a shop has brands that it sells much of.
        brand = self._brands[int(random.random() ** 2 * len(self._brands))]
        name = f"{look.material} {look.noun}, {look.color}"
        if random.random() < WITH_ADJECTIVE:
            name = f"{look.adjective} {name}"
        words = vocabulary()
        season = pick(random, words.season_tags)
        origin = pick(random, words.origins)
        price, compare_at = _prices(random, shelf.leaf)
        created = moment(at)
        return Product(
            id=key(random, at),
            category_id=shelf.category_id,
            brand_id=brand.id,
            name=name,
            slug=f"{slug(name)}-{number}",
            sku=f"{brand.slug[:3]}-{look.noun[:3]}-{number:06d}".upper().replace(" ", "X"),
            description=(
                f"{look.adjective} {look.noun.lower()} by {brand.name} in {look.color.lower()} "
                f"{look.material.lower()}, made in {origin}. Part of our {season} collection and "
                "made to be used for years."
            ),
            price=price,
            compare_at_price=compare_at,
            stock_quantity=0,
            track_inventory=random.random() >= UNTRACKED,
            has_variants=False,
            attributes=_json(
                {
                    "color": look.color,
                    "material": look.material,
                    "origin": origin,
                    "weight_grams": between(random, 4, 240) * 10,
                }
            ),
            tags=f"{{{season},{pick(random, words.tags)}}}",
            is_active=random.random() >= INACTIVE,
            is_featured=random.random() < FEATURED,
            created_at=created,
            updated_at=created,
        )


def _look(random: Random, leaf: Leaf) -> Look:
    words = vocabulary()
    return Look(
        adjective=pick(random, words.adjectives),
        material=pick(random, words.materials[leaf.materials]),
        noun=pick(random, leaf.nouns),
        color=pick(random, words.colors),
    )


def _variants(random: Random, leaf: Leaf, product: Product, *, in_stock: bool) -> list[Variant]:
    if leaf.options is None or random.random() >= WITH_VARIANTS:
        return []
    option = vocabulary().options[leaf.options]
    size = between(random, 2, min(4, len(option.values)))
    first = between(random, 0, len(option.values) - size)
    at = int(product.created_at.timestamp() * 1000)
    before = product.compare_at_price
    return [
        Variant(
            id=key(random, at),
            product_id=product.id,
            name=value,
            sku=f"{product.sku}-{value.upper().replace(' ', '')}",
            price=_risen(product.price, option.step * place),
            compare_at_price=_risen(before, option.step * place) if before else None,
            stock_quantity=_stock(random) if in_stock and random.random() >= SIZE_SOLD_OUT else 0,
            option_values=_json({option.name: value}),
            sort_order=place,
            created_at=product.created_at,
            updated_at=product.created_at,
        )
        for place, value in enumerate(option.values[first : first + size])
    ]


def _images(random: Random, product: Product) -> list[Image]:
    at = int(product.created_at.timestamp() * 1000)
    return [
        Image(
            id=key(random, at),
            product_id=product.id,
            url=f"{HOST}/{product.slug}-{place + 1}.jpg",
            alt_text=product.name if place == 0 else f"{product.name}, view {place + 1}",
            sort_order=place,
            is_primary=place == 0,
            created_at=product.created_at,
        )
        for place in range(between(random, 1, 3))
    ]


def _prices(random: Random, leaf: Leaf) -> tuple[Decimal, Decimal | None]:
    """A price, most of them in the lower half, and what it was before, if it is reduced."""
    low, high = leaf.price
    whole = int(low * (high / low) ** (random.random() ** 1.5))
    ending = ".90" if random.random() < ENDS_ON_90 else ".95"
    price = Decimal(f"{whole}{ending}")
    if random.random() >= REDUCED:
        return price, None
    return price, Decimal(f"{int(whole * (1.15 + random.random() / 2)) + 1}{ending}")


def _risen(price: Decimal, by: float) -> Decimal:
    if not by:
        return price
    whole = int(price)
    return Decimal(whole + int(whole * by)) + (price - whole)


def _stock(random: Random) -> int:
    return 1 + int(random.random() ** 2 * 150)


def _json(value: dict[str, str | int]) -> str:
    return msgspec.json.encode(value).decode()
