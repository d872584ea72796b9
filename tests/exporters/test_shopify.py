"""What came from Shopify goes back as it came: importing the export changes nothing."""

import csv
from pathlib import Path

import pytest

from shopflow.exporters.exporting import ExportProgress
from shopflow.exporters.shopify import export_shopify
from shopflow.importers.jsonl import import_jsonl
from shopflow.importers.shopify import import_shopify
from tests.importers.conftest import Importer, Row, further, product

SAMPLE = Path("/work/shared/data/shopify-apparel.csv")


async def exported(importer: Importer) -> list[Row]:
    path = importer.directory / "out.csv"
    await export_shopify(importer.connection, path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def assert_nothing_changes(importer: Importer) -> None:
    before = await importer.everything()
    path = importer.directory / "again.csv"
    await export_shopify(importer.connection, path)
    report = await import_shopify(importer.connection, [path])
    assert report.changes.total == 0
    assert report.notes == ()
    assert await importer.everything() == before


def a_shop() -> list[Row]:
    colours = {"name1": "Size", "name2": "Color", "name3": "Cut"}
    tracked = {"tracker": "shopify", "quantity": "3"}
    return [
        product("mug", vendor='Potter, "the" one', type="Home > Mugs", tags="tea,blue", sku="M-1"),
        product("cap", value1="S", value2="Red", value3="Slim", **colours, **tracked)
        | {"Image Src": "https://x/1.jpg", "Image Position": "2"},
        further("cap", value1="M", value2="Red", value3="Slim", price="11", compare="12", **tracked)
        | {"Variant Image": "https://x/m.jpg", "Image Src": "https://x/0.jpg"}
        | {"Image Position": "1", "Image Alt Text": "Front"},
        product("draft", body="<p>one\ntwo</p>", published="false", compare="99", **tracked),
        product("café", gift_card="true", value1="Blue", name1="Color"),
    ]


async def test_importing_an_export_changes_nothing(importer: Importer) -> None:
    await importer.take(*a_shop())
    await assert_nothing_changes(importer)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample export is not on this machine")
async def test_shopifys_own_sample_goes_round(importer: Importer) -> None:
    await import_shopify(importer.connection, [SAMPLE])
    await assert_nothing_changes(importer)


async def test_the_rows_are_shopifys(importer: Importer) -> None:
    await importer.take(*a_shop())
    rows = await exported(importer)
    assert [row["Handle"] for row in rows] == ["mug", "cap", "cap", "cap", "draft", "café"]
    assert [row["Title"] for row in rows] == ["Mug", "Cap", "", "", "Draft", "Café"]
    assert [rows[1][f"Option{place} Name"] for place in (1, 2, 3)] == ["Size", "Color", "Cut"]
    assert [rows[2][f"Option{place} Value"] for place in (1, 2, 3)] == ["M", "Red", "Slim"]
    assert (rows[0]["Option1 Name"], rows[0]["Option1 Value"]) == ("Title", "Default Title")
    assert (rows[0]["Type"], rows[0]["Vendor"]) == ("Home > Mugs", 'Potter, "the" one')
    images = [f"https://x/{name}.jpg" for name in ("0", "1", "m")]
    assert [row["Image Src"] for row in rows[1:4]] == images
    assert (rows[4]["Published"], rows[4]["Status"]) == ("false", "draft")
    assert rows[2]["Variant Image"] == "https://x/m.jpg"


async def test_what_the_format_cannot_say_is_noted(importer: Importer) -> None:
    path = importer.directory / "in.jsonl"
    path.write_text(
        '{"slug":"odd","name":"Odd","variants":[{"price":"1","option_values":{"A":"x"}},'
        '{"price":"1","option_values":{"B":"x"}}]}\n'
        '{"slug":"named","name":"Named","tags":["a,b"],'
        '"variants":[{"price":"1","name":"Own","sku":"N","option_values":{"A":"x"}}],'
        '"images":[{"url":"https://x/1","variant":"N"},{"url":"https://x/2","variant":"N"},'
        '{"url":"https://x/1"}]}\n'
    )
    await import_jsonl(importer.connection, [path])
    report = await export_shopify(importer.connection, importer.directory / "out.csv")
    assert (report.products, report.rows) == (2, 2)
    assert sorted((note.message.split(":")[0].split()[0], note.line) for note in report.notes) == [
        ("a", 2),
        ("a", 2),
        ("a", 2),
        ("an", 2),
        ("left", 2),
    ]


async def test_progress_is_of_products(importer: Importer) -> None:
    await importer.take(*a_shop())
    seen: list[ExportProgress] = []
    await export_shopify(importer.connection, importer.directory / "out.csv", progress=seen.append)
    assert seen == [ExportProgress(4, 4)]
