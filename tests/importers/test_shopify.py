"""Shopify's product CSV becomes products, variants, images, brands and categories."""

from decimal import Decimal
from pathlib import Path

import pytest

from shopflow.importers.shopify import import_shopify
from tests.importers.conftest import COLUMNS, Importer, further, product

SAMPLE = Path("/work/shared/data/shopify-apparel.csv")
D = Decimal


def sizes(handle: str, *values: str, **first: str) -> list[dict[str, str]]:
    """A product with a variant a size."""
    head = product(handle, **({"name1": "Size", "value1": values[0]} | first))
    return [head, *(further(handle, value1=value, price="12.00") for value in values[1:])]


async def test_a_product_without_variants_has_everything_of_its_row(importer: Importer) -> None:
    report = await importer.take(
        product(
            "wool-jumper",
            title="Wool Jumper",
            body="<p>Warm,\n and soft</p>",
            vendor="Shepherd & Co",
            type="Knitwear",
            tags="wool, winter , wool,,new",
            sku="WJ-1",
            tracker="shopify",
            quantity="7",
            policy="deny",
            price="80",
            compare="99.50",
        )
    )
    assert report.rows == report.changes.products_created == 1
    assert report.rows_per_second > 0
    assert await importer.rows(
        "SELECT p.name, p.slug, p.sku, p.description, b.name, b.slug, c.name, c.slug, p.tags,"
        " p.price, p.compare_at_price, p.stock_quantity, p.track_inventory, p.has_variants,"
        " p.is_active FROM products AS p JOIN brands AS b ON b.id = p.brand_id"
        " JOIN categories AS c ON c.id = p.category_id"
    ) == [
        (
            *("Wool Jumper", "wool-jumper", "WJ-1", "<p>Warm,\n and soft</p>"),
            *("Shepherd & Co", "shepherd-&-co", "Knitwear", "knitwear"),
            *(["wool", "winter", "new"], D("80.00"), D("99.50"), 7, True, False, True),
        )
    ]


async def test_three_options_become_variants(importer: Importer) -> None:
    options = {"name1": "Size", "name2": "Color", "name3": "Cut"}
    rows = [
        product("shirt", **options, value1="S", value2="Red", value3="Slim", quantity="2"),
        further("shirt", value1="M", value2="Red", value3="Slim", price="9.00", compare="12"),
        further("shirt", value1="M", value2="Blue", value3="Wide", price="9.00", quantity="5"),
    ]
    for row in rows:
        row |= {"Variant Inventory Tracker": "shopify"}
    report = await importer.take(*rows)
    assert report.changes.variants_created == 3
    assert await importer.rows(
        "SELECT name, sku, price, compare_at_price, stock_quantity, option_values, sort_order"
        " FROM product_variants ORDER BY sort_order"
    ) == [
        ("S / Red / Slim", "SHIRT-S-RED-SLIM", D("10.00"), None, 2, _of("S", "Red", "Slim"), 1),
        (
            "M / Red / Slim",
            "SHIRT-M-RED-SLIM",
            D("9.00"),
            D("12.00"),
            0,
            _of("M", "Red", "Slim"),
            2,
        ),
        ("M / Blue / Wide", "SHIRT-M-BLUE-WIDE", D("9.00"), None, 5, _of("M", "Blue", "Wide"), 3),
    ]
    found = await importer.rows(
        "SELECT price, compare_at_price, stock_quantity, has_variants, track_inventory, sku"
        " FROM products"
    )
    assert found == [(D("9.00"), D("12.00"), 7, True, True, "SHIRT")]


def _of(size: str, color: str, cut: str) -> dict[str, str]:
    return {"Size": size, "Color": color, "Cut": cut}


async def test_images_have_positions_alt_texts_and_variants(importer: Importer) -> None:
    rows = sizes("cap", "S", "M", "L", image="https://x/2.jpg", position="2", alt="Back")
    rows[1] |= {"Image Src": "https://x/1.jpg", "Image Position": "1", "Image Alt Text": "Front"}
    rows[1] |= {"Variant Image": "https://x/2.jpg"}
    rows[2] |= {"Variant Image": "https://x/of-l.jpg"}
    rows.append(further("cap", image="https://x/3.jpg", position="3"))
    rows.append(further("cap", image="https://x/1.jpg", position="4", alt="again"))
    report = await importer.take(*rows)
    assert report.changes.images_created == 4
    assert await importer.rows(
        "SELECT i.url, i.alt_text, i.sort_order, i.is_primary, v.name FROM product_images AS i"
        " LEFT JOIN product_variants AS v ON v.id = i.variant_id ORDER BY i.sort_order"
    ) == [
        ("https://x/1.jpg", "Front", 1, True, None),
        ("https://x/2.jpg", "Back", 2, False, "M"),
        ("https://x/3.jpg", None, 3, False, None),
        ("https://x/of-l.jpg", None, 4, False, "L"),
    ]


async def test_an_image_of_several_variants_goes_to_the_first_and_is_noted(
    importer: Importer,
) -> None:
    rows = sizes("cap", "S", "M", image="https://x/1.jpg")
    for row in rows:
        row["Variant Image"] = "https://x/1.jpg"
    report = await importer.take(*rows)
    found = await importer.rows(
        "SELECT v.name FROM product_images AS i JOIN product_variants AS v ON v.id = i.variant_id"
    )
    assert found == [("S",)]
    assert [(note.count, note.line) for note in report.notes] == [(1, 2)]


@pytest.mark.parametrize(
    ("values", "tracked"),
    [
        ({"tracker": "shopify", "policy": "deny"}, True),
        ({"tracker": "shopify"}, True),
        ({"tracker": "shopify", "policy": "continue"}, False),
        ({"tracker": "", "policy": "deny"}, False),
        ({"tracker": "shopify", "gift_card": "true"}, False),
    ],
)
async def test_only_tracked_stock_that_denies_limits_sales(
    importer: Importer, values: dict[str, str], tracked: bool
) -> None:
    await importer.take(product("a", quantity="3", **values))
    found = await importer.rows("SELECT track_inventory, stock_quantity FROM products")
    assert found == [(tracked, 3)]


async def test_mixed_tracking_oversold_stock_and_no_reduction_are_noted(
    importer: Importer,
) -> None:
    rows = sizes("a", "S", "M", tracker="shopify", quantity="-4", compare="10.00")
    report = await importer.take(*rows)
    assert sorted(note.message.split()[0] for note in report.notes) == ["a", "a", "some"]
    assert await importer.rows(
        "SELECT track_inventory, stock_quantity, compare_at_price FROM products"
    ) == [(False, 0, None)]


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({}, True),
        ({"published": "TRUE", "status": "active"}, True),
        ({"published": "false"}, False),
        ({"published": "true", "status": "draft"}, False),
        ({"status": "archived"}, False),
    ],
)
async def test_what_is_not_published_is_not_active(
    importer: Importer, values: dict[str, str], active: bool
) -> None:
    await importer.take(product("a", **values))
    assert await importer.rows("SELECT is_active FROM products") == [(active,)]


async def test_categories_are_trees_and_slugs_stay_apart(importer: Importer) -> None:
    columns = [*COLUMNS, "Product Category"]
    report = await importer.take(
        product("a", type="Clothing > Tops", vendor="A/B"),
        product("b", type="Bags > Tops", vendor="a b"),
        product("c", vendor="A b") | {"Product Category": "Clothing > Shoes"},
        product("d", type="Tops") | {"Product Category": "Clothing > Shoes"},
        product("e"),
        columns=columns,
    )
    assert report.changes.categories_created == 6
    assert report.changes.brands_created == 2
    found = await importer.rows(
        "SELECT p.slug, c.name, up.name, b.name FROM products AS p"
        " LEFT JOIN categories AS c ON c.id = p.category_id"
        " LEFT JOIN categories AS up ON up.id = c.parent_id"
        " LEFT JOIN brands AS b ON b.id = p.brand_id ORDER BY p.slug"
    )
    assert found == [
        ("a", "Tops", "Clothing", "A/B"),
        ("b", "Tops", "Bags", "a b"),
        ("c", "Shoes", "Clothing", "a b"),
        ("d", "Tops", None, None),
        ("e", None, None, None),
    ]
    slugs = [slug for (slug,) in await importer.rows("SELECT slug FROM brands ORDER BY id")]
    assert slugs[0] == "a-b"
    assert slugs[1].startswith("a-b-")


async def test_an_empty_sku_is_made_from_the_handle(importer: Importer) -> None:
    long = "x" * 120
    await importer.take(
        product("Été-42"), product("plain", sku="LONG"), product(long), product("long")
    )
    skus: dict[str, str] = dict(await importer.rows("SELECT slug, sku FROM products"))
    assert skus["Été-42"] == "ÉTÉ-42"
    assert skus[long].startswith("X" * 91 + "-")
    assert len(skus[long]) == 100
    assert skus["long"].startswith("LONG-")


async def test_newer_column_names_are_known_and_markets_ignored(importer: Importer) -> None:
    row = {
        "Title": "Mug",
        "URL handle": "mug",
        "Description": "Holds tea",
        "Product category": "Home > Mugs",
        "Published on online store": "TRUE",
        "Status": "Active",
        "SKU": "M-1",
        "Option1 name": "Title",
        "Option1 value": "Default Title",
        "Price": "8.50",
        "Compare-at price": "9.00",
        "Price / International": "1.00",
        "Included / Germany": "true",
        "Inventory tracker": "shopify",
        "Inventory quantity": "4",
        "Continue selling when out of stock": "DENY",
        "Product image URL": "https://x/mug.jpg",
        "Image alt text": "A mug",
        "Variant image URL": "",
    }
    report = await importer.take(row, columns=tuple(row))
    assert report.ignored_columns == ("Price / International", "Included / Germany")
    assert await importer.rows(
        "SELECT p.slug, p.sku, p.price, p.stock_quantity, p.track_inventory, c.name, i.alt_text"
        " FROM products AS p JOIN categories AS c ON c.id = p.category_id"
        " JOIN product_images AS i ON i.product_id = p.id"
    ) == [("mug", "M-1", D("8.50"), 4, True, "Mugs", "A mug")]


async def test_rows_of_a_handle_may_stand_anywhere_in_several_files(importer: Importer) -> None:
    first, second, third = sizes("a", "S", "M", "L")
    files = [
        importer.file(first, product("b"), second, name="one.csv"),
        importer.file(product("c"), third, name="two.csv"),
    ]
    report = await import_shopify(importer.connection, files)
    assert (report.rows, report.changes.products_created) == (5, 3)
    assert report.changes.variants_created == 3


async def test_weird_but_legal_csv(importer: Importer) -> None:
    path = importer.directory / "weird.csv"
    path.write_bytes(
        b'\xef\xbb\xbfhandle,"TITLE",Variant Price,Tags,Nothing\r\n'
        b"\r\n"
        b'"caf\xc3\xa9-\xe2\x98\x95","Line one\r\nline ""two""", 3.50 ,"a\tb, c",\r\n'
        b"last,No newline at the end,1,,"
    )
    await import_shopify(importer.connection, [path])
    assert await importer.rows("SELECT slug, name, price, tags FROM products ORDER BY price") == [
        ("last", "No newline at the end", D("1.00"), []),
        ("café-☕", 'Line one\r\nline "two"', D("3.50"), ["a\tb", "c"]),
    ]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample export is not on this machine")
async def test_shopifys_own_sample(importer: Importer) -> None:
    report = await import_shopify(importer.connection, [SAMPLE])
    assert (report.rows, report.changes.products_created) == (22, 20)
    assert (report.changes.variants_created, report.changes.images_created) == (3, 20)
    before = await importer.everything()
    again = await import_shopify(importer.connection, [SAMPLE])
    assert again.changes.total == 0
    assert await importer.everything() == before
