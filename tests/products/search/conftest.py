"""A small shop whose products are known by name, for searches that have a right answer."""

from collections.abc import Mapping

import msgspec
import pytest

from shopflow import Shop
from shopflow.ids import ProductId

# Name, brand, tags, description.
GOODS: Mapping[str, tuple[str, str, list[str], str]] = {
    "headphones": (
        "Wireless Headphones",
        "Sonora",
        ["audio", "bluetooth"],
        "Over-ear sound with noise cancelling for travel.",
    ),
    "earbuds": (
        "Wireless Earbuds",
        "Sonora",
        ["audio", "bluetooth"],
        "Small and light, with a charging case.",
    ),
    "wired": (
        "Studio Headphones",
        "Klang",
        ["audio"],
        "Wired, closed back, for recording at home.",
    ),
    "speaker": (
        "Bluetooth Speaker",
        "Klang",
        ["audio", "bluetooth"],
        "Waterproof, plays twelve hours.",
    ),
    "soundbar": ("Soundbar 2.1", "Klang", ["audio"], "Clear voices for your television."),
    "keyboard": ("Mechanical Keyboard", "Tasten", ["computer"], "Quiet switches, German layout."),
    "wireless-keyboard": (
        "Wireless Keyboard",
        "Tasten",
        ["computer", "bluetooth"],
        "Slim, for tablet and computer.",
    ),
    "mouse": ("Ergonomic Mouse", "Tasten", ["computer"], "Vertical grip for long days."),
    "phone": ("Smartphone X2", "Orbit", ["phone"], "Six inch screen, two cameras."),
    "case": ("Phone Case", "Orbit", ["phone"], "Soft cover for the Smartphone X2."),
    "charger": ("USB-C Charger", "Orbit", ["phone", "computer"], "Fast charging, 65 W."),
    "blue-mug": ("Blue Mug", "Lehm", ["kitchen"], "Hand thrown stoneware, holds 0.3 l."),
    "red-mug": ("Red Mug", "Lehm", ["kitchen"], "Hand thrown stoneware, holds 0.3 l."),
    "travel-mug": (
        "Travel Mug",
        "Nordlicht",
        ["kitchen", "outdoor"],
        "Steel, keeps coffee hot on the road.",
    ),
    "teapot": ("Teapot", "Lehm", ["kitchen"], "Goes with the blue mug and the red mug."),
    "kettle": (
        "Electric Kettle",
        "Nordlicht",
        ["kitchen"],
        "Boils a litre of water in two minutes.",
    ),
    "pan": ("Cast Iron Pan", "Nordlicht", ["kitchen"], "For steak and pancakes."),
    "knife": ("Chef's Knife", "Klinge", ["kitchen"], "Forged steel with an oak handle."),
    "board": ("Oak Cutting Board", "Klinge", ["kitchen", "wood"], "Solid wood, oiled."),
    "couch": ("Three-Seat Couch", "Heim", ["furniture"], "Deep seats with a linen cover."),
    "armchair": ("Reading Armchair", "Heim", ["furniture"], "High back, soft wool."),
    "dining-table": ("Dining Table", "Heim", ["furniture", "wood"], "Oak, seats six."),
    "coffee-table": ("Coffee Table", "Heim", ["furniture"], "Round, glass on steel."),
    "desk": (
        "Standing Desk",
        "Heim",
        ["furniture", "office"],
        "Electric, with memory for two heights.",
    ),
    "lamp": ("Desk Lamp", "Nordlicht", ["light", "office"], "Warm light, bends where you want it."),
    "bulb": ("LED Bulb", "Nordlicht", ["light"], "As bright as 60 watts."),
    "sweater": (
        "Merino Sweater",
        "Faden",
        ["clothing", "winter"],
        "Fine wool, knitted in Portugal.",
    ),
    "cardigan": ("Wool Cardigan", "Faden", ["clothing", "winter"], "With horn buttons."),
    "t-shirt": (
        "Cotton T-Shirt",
        "Faden",
        ["clothing", "summer"],
        "Organic cotton, made in Portugal.",
    ),
    "shorts": ("Linen Shorts", "Faden", ["clothing", "summer"], "Light and loose."),
    "rain-jacket": ("Rain Jacket", "Gipfel", ["clothing", "outdoor"], "Waterproof and breathable."),
    "boots": (
        "Hiking Boots",
        "Gipfel",
        ["shoes", "outdoor"],
        "Leather, waterproof, for long walks.",
    ),
    "running-shoes": ("Running Shoes", "Gipfel", ["shoes", "sport"], "Cushioned, for the road."),
    "sandals": ("Leather Sandals", "Gipfel", ["shoes", "summer"], "For the beach and the town."),
    "tent": ("Two-Person Tent", "Gipfel", ["outdoor"], "Stands in three minutes."),
    "sleeping-bag": ("Sleeping Bag", "Gipfel", ["outdoor"], "Down, to minus five degrees."),
    "backpack": ("Travel Backpack", "Gipfel", ["outdoor"], "40 litres, with a rain cover."),
    "yoga-mat": ("Yoga Mat", "Balance", ["sport"], "Natural rubber that does not slip."),
    "dumbbells": ("Pair of Dumbbells", "Balance", ["sport"], "Twice 5 kg, cast iron."),
    "notebook": ("Dotted Notebook", "Papier", ["office"], "Thread stitched, 192 pages."),
    "pen": ("Fountain Pen", "Papier", ["office"], "Steel nib, blue ink."),
}


@pytest.fixture
async def goods(shop: Shop) -> Mapping[str, ProductId]:
    """The ids of these products, by what they are called here."""
    rows = [
        {"slug": key, "name": name, "brand": brand, "tags": tags, "description": description}
        for key, (name, brand, tags, description) in GOODS.items()
    ]
    async with shop.pool.connection() as connection:
        await connection.execute(
            "WITH given AS (SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb)"
            " AS g (slug text, name text, brand text, tags text[], description text)),"
            " brand AS (INSERT INTO brands (name, slug) SELECT DISTINCT brand, lower(brand) FROM given"
            " RETURNING id, name)"
            " INSERT INTO products (slug, sku, name, brand_id, tags, description, price)"
            " SELECT g.slug, g.slug, g.name, b.id, g.tags, g.description, 20"
            " FROM given AS g JOIN brand AS b ON b.name = g.brand",
            {"rows": msgspec.json.encode(rows).decode()},
        )
        found = await connection.execute("SELECT slug, id FROM products")
        return {slug: ProductId(product_id) for slug, product_id in await found.fetchall()}
