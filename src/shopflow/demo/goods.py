"""Products with their variants and images, each made from the seed and its number alone."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec

from shopflow.demo.chance import DAY_MS, NOW_MS, between, chance, key, moment, pick
from shopflow.demo.rows import Brand, Image, Product, Variant
from shopflow.demo.tree import OPENED_MS, Tree, slug
from shopflow.demo.vocabulary import Leaf, Option, vocabulary

HOST = "https://images.example.invalid/products"
# The newest product is some days old: there is an order even for that one.
NEWEST_MS = NOW_MS - 10 * DAY_MS
WITH_VARIANTS = 0.6
OUT_OF_STOCK = 0.08


class Listing(NamedTuple):
    """A product as a shop lists it; `noun` and `color` are what its reviews speak of."""

    product: Product
    variants: list[Variant]
    images: list[Image]
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
        words = vocabulary()
        random = chance(self._seed, "product", number)
        share = (number + random.random()) / self.count
        at = OPENED_MS + int(share * (NEWEST_MS - OPENED_MS))
        shelf = self._tree.shelf(random)
        leaf = shelf.leaf
        # Squared: a shop has brands that it sells much of.
        brand = self._brands[int(random.random() ** 2 * len(self._brands))]
        noun = pick(random, leaf.nouns)
        material = pick(random, words.materials[leaf.materials])
        color = pick(random, words.colors)
        adjective = pick(random, words.adjectives)
        name = f"{material} {noun}, {color}"
        if random.random() < 0.5:
            name = f"{adjective} {name}"
        sku = f"{brand.slug[:3]}-{noun[:3]}-{number:06d}".upper().replace(" ", "X")
        price, compare_at = _prices(random, leaf)
        created = moment(at)
        product_id = key(random, at)
        in_stock = random.random() >= OUT_OF_STOCK
        variants: list[Variant] = []
        if leaf.options and random.random() < WITH_VARIANTS:
            option = words.options[leaf.options]
            variants = _variants(random, option, product_id, sku, price, compare_at, in_stock, at)
        stock = sum(variant.stock_quantity for variant in variants)
        if not variants and in_stock:
            stock = _stock(random)
        season = pick(random, words.season_tags)
        origin = pick(random, words.origins)
        text_slug = f"{slug(name)}-{number}"
        product = Product(
            id=product_id,
            category_id=shelf.category_id,
            brand_id=brand.id,
            name=name,
            slug=text_slug,
            sku=sku,
            description=(
                f"{adjective} {noun.lower()} by {brand.name} in {color.lower()} {material.lower()}, "
                f"made in {origin}. Part of our {season} collection and made to be used for years."
            ),
            price=price,
            compare_at_price=compare_at,
            stock_quantity=stock,
            track_inventory=bool(variants) or random.random() < 0.98,
            has_variants=bool(variants),
            attributes=_json(
                {
                    "color": color,
                    "material": material,
                    "origin": origin,
                    "weight_grams": between(random, 4, 240) * 10,
                }
            ),
            tags=f"{{{season},{pick(random, words.tags)}}}",
            is_active=random.random() < 0.97,
            is_featured=random.random() < 0.02,
            created_at=created,
            updated_at=created,
        )
        images = [
            Image(
                key(random, at),
                product_id,
                f"{HOST}/{text_slug}-{place + 1}.jpg",
                name if place == 0 else f"{name}, view {place + 1}",
                place,
                place == 0,
                created,
            )
            for place in range(between(random, 1, 3))
        ]
        return Listing(product, variants, images, noun.lower(), color.lower())


def _variants(
    random: Random,
    option: Option,
    product_id: str,
    sku: str,
    price: Decimal,
    compare_at: Decimal | None,
    in_stock: bool,
    at: int,
) -> list[Variant]:
    size = between(random, 2, min(4, len(option.values)))
    first = between(random, 0, len(option.values) - size)
    created = moment(at)
    return [
        Variant(
            id=key(random, at),
            product_id=product_id,
            name=value,
            sku=f"{sku}-{value.upper().replace(' ', '')}",
            price=_risen(price, option.step * place),
            compare_at_price=_risen(compare_at, option.step * place) if compare_at else None,
            stock_quantity=_stock(random) if in_stock and random.random() < 0.9 else 0,
            option_values=_json({option.name: value}),
            sort_order=place,
            created_at=created,
            updated_at=created,
        )
        for place, value in enumerate(option.values[first : first + size])
    ]


def _prices(random: Random, leaf: Leaf) -> tuple[Decimal, Decimal | None]:
    """A price, most of them in the lower half, and what it was before, if it is reduced."""
    low, high = leaf.price
    whole = int(low * (high / low) ** (random.random() ** 1.5))
    ending = ".90" if random.random() < 0.7 else ".95"
    price = Decimal(f"{whole}{ending}")
    if random.random() < 0.82:
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
