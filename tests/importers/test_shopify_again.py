"""Importing again: nothing where nothing differs, only what differs otherwise, one at a time."""

import asyncio
from decimal import Decimal

import psycopg
import pytest

from shopflow.errors import TransactionError
from shopflow.importers.report import Progress
from shopflow.importers.shopify import import_shopify
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings
from tests.importers.conftest import Importer, Row, further, product

D = Decimal


def a_shop() -> list[Row]:
    return [
        product("mug", vendor="Potter", type="Home > Mugs", tags="tea,blue", sku="M-1"),
        product("cap", name1="Size", value1="S", sku="C-S", image="https://x/1.jpg", vendor="A/B"),
        further("cap", value1="M", price="11", sku="C-M", variant_image="https://x/m.jpg"),
        product("made-up", vendor="a b", quantity="3", tracker="shopify"),
        product("long" * 50, type="Mugs"),
    ]


async def test_a_second_run_writes_no_row_at_all(importer: Importer) -> None:
    await importer.take(*a_shop())
    before = await importer.everything()
    report = await importer.take(*a_shop())
    assert await importer.everything() == before
    assert report.changes.total == 0
    assert report.changes.products_unchanged == 4


async def test_what_differs_is_updated_and_nothing_else(importer: Importer) -> None:
    await importer.take(*a_shop())
    _, *others = await importer.rows(
        "SELECT xmin::text, id FROM products ORDER BY slug <> 'mug', id"
    )
    changed = a_shop()
    changed[0] |= {"Variant Price": "12.50", "Vendor": "Kiln", "Variant Inventory Qty": "9"}
    report = await importer.take(*changed)
    assert (report.changes.products_updated, report.changes.products_unchanged) == (1, 3)
    found = await importer.rows(
        "SELECT p.price, p.stock_quantity, b.name FROM products AS p"
        " JOIN brands AS b ON b.id = p.brand_id WHERE p.slug = 'mug'"
    )
    assert found == [(D("12.50"), 9, "Kiln")]
    _, *after = await importer.rows(
        "SELECT xmin::text, id FROM products ORDER BY slug <> 'mug', id"
    )
    assert after == others


async def test_variants_and_images_that_are_gone_go_and_come_back(importer: Importer) -> None:
    await importer.take(*a_shop())
    ids = await importer.rows("SELECT id, name FROM product_variants ORDER BY name")
    fewer = a_shop()
    del fewer[2]
    report = await importer.take(*fewer)
    assert (report.changes.variants_deactivated, report.changes.images_deleted) == (1, 1)
    assert await importer.rows("SELECT name, is_active FROM product_variants ORDER BY name") == [
        ("M", False),
        ("S", True),
    ]
    report = await importer.take(*a_shop())
    assert (report.changes.variants_updated, report.changes.images_created) == (1, 1)
    assert await importer.rows("SELECT id, name FROM product_variants ORDER BY name") == ids


async def test_skus_can_be_exchanged(importer: Importer) -> None:
    await importer.take(*a_shop(), product("tin", sku="T-1"))
    exchanged = [*a_shop(), product("tin", sku="M-1")]
    exchanged[0]["Variant SKU"] = "T-1"
    exchanged[1]["Variant SKU"], exchanged[2]["Variant SKU"] = "C-M", "C-S"
    await importer.take(*exchanged)
    assert await importer.rows(
        "SELECT slug, sku FROM products WHERE slug IN ('mug', 'tin') ORDER BY slug"
    ) == [("mug", "T-1"), ("tin", "M-1")]
    assert await importer.rows("SELECT name, sku FROM product_variants ORDER BY name") == [
        ("M", "C-S"),
        ("S", "C-M"),
    ]


async def test_the_primary_image_can_change(importer: Importer) -> None:
    images = [further("mug", image=f"https://x/{i}.jpg", position=str(i)) for i in (1, 2)]
    await importer.take(product("mug"), *images)
    for row in images:
        row["Image Position"] = str(3 - int(row["Image Position"]))
    report = await importer.take(product("mug"), *images)
    assert report.changes.images_updated == 2
    assert await importer.rows("SELECT url FROM product_images WHERE is_primary") == [
        ("https://x/2.jpg",)
    ]


async def test_what_the_file_has_no_column_for_stays(importer: Importer) -> None:
    await importer.take(*a_shop()[::3])
    await importer.connection.execute("UPDATE products SET description = 'by hand'")
    query = (
        "SELECT slug, sku, brand_id, category_id, tags, stock_quantity, track_inventory,"
        " description FROM products ORDER BY slug"
    )
    before = await importer.rows(query)
    report = await importer.take(
        {"Handle": "mug", "Title": "Mug", "Variant Price": "7"},
        columns=("Handle", "Title", "Variant Price"),
    )
    assert report.changes.products_updated == 1
    assert await importer.rows(query) == before
    assert await importer.rows("SELECT price FROM products WHERE slug = 'mug'") == [(D("7.00"),)]


async def test_a_product_gets_variants_and_loses_them_again(importer: Importer) -> None:
    stock = "SELECT has_variants, stock_quantity, price FROM products"
    plain = product("mug", quantity="3", tracker="shopify")
    variants = [
        product("mug", name1="Size", value1="S", quantity="4"),
        further("mug", value1="M", quantity="5", price="9"),
    ]
    await importer.take(plain)
    await importer.take(*variants)
    assert await importer.rows(stock) == [(True, 9, D("9.00"))]
    await importer.take(plain)
    assert await importer.rows(stock) == [(True, 3, D("10.00"))]
    assert await importer.rows("SELECT name FROM product_variants WHERE is_active") == [
        ("Default Title",)
    ]
    before = await importer.everything()
    assert (await importer.take(plain)).changes.total == 0
    assert await importer.everything() == before


async def test_a_deleted_products_handle_and_sku_are_free(importer: Importer) -> None:
    await importer.take(*a_shop())
    await importer.connection.execute("UPDATE products SET deleted_at = now()")
    report = await importer.take(*a_shop())
    assert report.changes.products_created == 4


async def test_a_dry_run_counts_and_changes_nothing(importer: Importer) -> None:
    path = importer.file(*a_shop())
    before = await importer.everything()
    report = await import_shopify(importer.connection, [path], dry_run=True)
    assert report.dry_run
    assert report.changes.products_created == 4
    assert await importer.everything() == before


@pytest.mark.parametrize("other", [0, 1])
async def test_imports_at_once_double_nothing(
    importer: Importer, settings: Settings, other: int
) -> None:
    rows = a_shop()
    paths = [importer.file(*rows), importer.file(*reversed_products(rows), name="reversed.csv")]
    async with await psycopg.AsyncConnection.connect(conninfo(settings), autocommit=True) as second:
        reports = await asyncio.gather(
            import_shopify(importer.connection, [paths[0]]),
            import_shopify(second, [paths[other]]),
        )
    assert sorted(report.changes.products_created for report in reports) == [0, 4]
    assert sorted(report.changes.products_unchanged for report in reports) == [0, 4]
    assert await importer.rows("SELECT count(*), count(DISTINCT lower(name)) FROM brands") == [
        (3, 3)
    ]


def reversed_products(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["Handle"], reverse=True)


async def test_a_pool_does_as_well(importer: Importer, settings: Settings) -> None:
    pool = Pool(settings)
    await pool.open()
    try:
        stages: list[Progress] = []
        report = await import_shopify(pool, [importer.file(*a_shop())], progress=stages.append)
    finally:
        await pool.close()
    assert report.changes.products_created == 4
    assert [found.stage for found in stages] == ["checking", "writing"]
    assert stages[-1].read == stages[-1].total == (importer.directory / "shop.csv").stat().st_size


async def test_a_connection_in_a_transaction_is_refused(importer: Importer) -> None:
    async with importer.connection.transaction():
        with pytest.raises(TransactionError, match="not in a transaction"):
            await import_shopify(importer.connection, [importer.file(*a_shop())])


async def test_stock_that_a_file_brings_is_a_movement_with_its_reason(importer: Importer) -> None:
    def rows(mug: str, small: str) -> list[Row]:
        return [
            product("mug", quantity=mug, tracker="shopify"),
            product("shirt", name1="Size", value1="S", quantity=small, tracker="shopify"),
            further("shirt", value1="M", quantity="4", price="9"),
        ]

    await importer.take(*rows("3", "2"))
    await importer.take(*rows("5", "1"))
    await importer.take(*rows("5", "1"))
    moved = (
        "SELECT p.slug, v.name, m.change, m.reason FROM stock_movements AS m"
        " JOIN products AS p ON p.id = m.product_id"
        " LEFT JOIN product_variants AS v ON v.id = m.variant_id ORDER BY 1, 2, 3 DESC"
    )
    assert await importer.rows(moved) == [
        ("mug", None, 3, "import"),
        ("mug", None, 2, "import"),
        ("shirt", "M", 4, "import"),
        ("shirt", "S", 2, "import"),
        ("shirt", "S", -1, "import"),
    ]
    # For the transaction of the import alone.
    await importer.rows("UPDATE products SET stock_quantity = 9 WHERE slug = 'mug' RETURNING id")
    last = "SELECT reason FROM stock_movements WHERE change = 4 AND variant_id IS NULL"
    assert await importer.rows(last) == [("correction",)]
