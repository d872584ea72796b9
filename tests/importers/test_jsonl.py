"""JSON Lines: a product a line; each bad value is named, and what is not given stays."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopflow.importers.csv_records import MalformedFileError
from shopflow.importers.jsonl import import_jsonl
from shopflow.importers.jsonl_lines import Line
from shopflow.importers.report import ImportRefusedError, Rejected
from tests.importers.conftest import Importer, problems

D = Decimal
PRODUCT = {"slug": "mug", "name": "Mug", "price": "8.50"}


def lines(importer: Importer, *found: dict[str, Any] | str) -> Path:
    path = importer.directory / "shop.jsonl"
    texts = (each if isinstance(each, str) else json.dumps(each) for each in found)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


async def refused(importer: Importer, *found: dict[str, Any] | str) -> Rejected:
    before = await importer.everything()
    with pytest.raises(ImportRefusedError) as error:
        await import_jsonl(importer.connection, [lines(importer, *found)])
    assert await importer.everything() == before
    return error.value.rejected


async def test_the_least_that_a_line_must_have(importer: Importer) -> None:
    report = await import_jsonl(importer.connection, [lines(importer, "", PRODUCT)])
    assert report.rows == report.changes.products_created == 1
    assert await importer.rows(
        "SELECT slug, sku, name, price, stock_quantity, track_inventory, is_active FROM products"
    ) == [("mug", "MUG", "Mug", D("8.50"), 0, True, True)]


async def test_what_a_line_does_not_have_stays(importer: Importer) -> None:
    full = PRODUCT | {
        "description": "Holds tea",
        "brand": "Potter",
        "category": ["Home", "Mugs"],
        "tags": ["tea"],
        "attributes": {"ml": 300},
        "compare_at_price": "9",
        "stock_quantity": 4,
        "track_inventory": False,
        "is_active": False,
        "is_featured": True,
        "images": [{"url": "https://x/1.jpg"}],
    }
    await import_jsonl(importer.connection, [lines(importer, full)])
    query = (
        "SELECT description, brand_id, category_id, tags, attributes, compare_at_price,"
        " stock_quantity, track_inventory, is_active, is_featured FROM products"
    )
    before = await importer.rows(query)
    report = await import_jsonl(importer.connection, [lines(importer, PRODUCT | {"price": 7.25})])
    assert (report.changes.products_updated, report.changes.images_deleted) == (1, 0)
    assert await importer.rows(query) == before
    assert await importer.rows("SELECT price FROM products") == [(D("7.25"),)]
    emptied: dict[str, Any] = PRODUCT | {
        "description": None,
        "brand": None,
        "tags": [],
        "images": [],
    }
    report = await import_jsonl(importer.connection, [lines(importer, emptied)])
    assert report.changes.images_deleted == 1
    found = await importer.rows("SELECT description, brand_id, tags, is_featured FROM products")
    assert found == [(None, None, [], True)]


async def test_variants_and_the_images_that_show_them(importer: Importer) -> None:
    sizes = [
        {"sku": "M-S", "price": "5", "option_values": {"Size": "S"}, "stock_quantity": 2},
        {"price": "6", "option_values": {"Size": "M"}, "compare_at_price": "7"},
    ]
    product = PRODUCT | {
        "variants": sizes,
        "images": [{"url": "https://x/1"}, {"url": "https://x/2", "variant": "m-s"}],
    }
    del product["price"]
    await import_jsonl(importer.connection, [lines(importer, product)])
    assert await importer.rows(
        "SELECT name, sku, price, compare_at_price, stock_quantity FROM product_variants"
        " ORDER BY sort_order"
    ) == [("S", "M-S", D(5), None, 2), ("M", "MUG-M", D(6), D(7), 0)]
    assert await importer.rows(
        "SELECT i.url, i.is_primary, v.sku FROM product_images AS i"
        " LEFT JOIN product_variants AS v ON v.id = i.variant_id ORDER BY i.sort_order"
    ) == [("https://x/1", True, None), ("https://x/2", False, "M-S")]
    assert await importer.rows("SELECT price FROM products") == [(D("5.00"),)]
    report = await import_jsonl(
        importer.connection, [lines(importer, product | {"variants": sizes[:1], "price": "4"})]
    )
    assert (report.changes.variants_deactivated, report.changes.variants_updated) == (1, 0)
    assert await importer.rows("SELECT price FROM products") == [(D("4.00"),)]


ONE = {"price": "1", "option_values": {"Size": "S"}}


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("{", "line", "{"),
        ("[]", "line", "[]"),
        ('{"slug": "a\\u0000"}', "line", '{"slug": "a\\u0000"}'),
        ({"name": "A", "price": "1"}, "slug", ""),
        ({"slug": "a", "price": "1"}, "name", ""),
        (PRODUCT | {"slug": "a b"}, "slug", "a b"),
        (PRODUCT | {"name": " "}, "name", " "),
        (PRODUCT | {"name": 5}, "name", "5"),
        (PRODUCT | {"prize": "1"}, "prize", "1"),
        (PRODUCT | {"price": "1.005"}, "price", "1.005"),
        (PRODUCT | {"price": "-1"}, "price", "-1"),
        (PRODUCT | {"price": "NaN"}, "price", "NaN"),
        (PRODUCT | {"price": "cheap"}, "price", "cheap"),
        ({"slug": "a", "name": "A"}, "price", ""),
        (PRODUCT | {"compare_at_price": "8.50"}, "compare_at_price", "8.50"),
        (PRODUCT | {"sku": "s" * 101}, "sku", "s" * 101),
        (PRODUCT | {"brand": ""}, "brand", ""),
        (PRODUCT | {"category": list("abcdefghijk")}, "category", json.dumps(list("abcdefghijk"))),
        (PRODUCT | {"tags": ["t" * 256]}, "tags", "t" * 200),
        (PRODUCT | {"tags": "tea"}, "tags", "tea"),
        (PRODUCT | {"attributes": [1]}, "attributes", "[1]"),
        (PRODUCT | {"stock_quantity": -1}, "stock_quantity", "-1"),
        (PRODUCT | {"stock_quantity": 2**31}, "stock_quantity", str(2**31)),
        (PRODUCT | {"variants": [ONE, {"sku": "x"}]}, "variants[1]", '{"sku":"x"}'),
        (PRODUCT | {"variants": [ONE | {"price": "x"}]}, "variants[0].price", "x"),
        (PRODUCT | {"variants": [ONE | {"name": ""}]}, "variants[0].name", ""),
        (PRODUCT | {"variants": [ONE, ONE]}, "variants", "S"),
        (PRODUCT | {"images": [{"url": "ftp://x/1"}]}, "images[0].url", "ftp://x/1"),
        (PRODUCT | {"images": [{"url": "https://x", "variant": "X"}]}, "images[0].variant", "X"),
        (
            PRODUCT | {"images": [{"url": "https://x", "is_primary": True}] * 2},
            "images[1].is_primary",
            "true",
        ),
    ],
)
async def test_a_bad_value_is_named(
    importer: Importer, line: dict[str, Any] | str, field: str, value: str
) -> None:
    rejected = await refused(importer, PRODUCT | {"slug": "good"}, line)
    found = [(line, column, shown.replace(" ", "")) for line, column, shown in problems(rejected)]
    assert found == [(2, field, value.replace(" ", ""))]


async def test_a_product_twice_is_refused(importer: Importer) -> None:
    rejected = await refused(importer, PRODUCT, PRODUCT | {"slug": "MUG", "sku": "other"})
    assert [str(found) for found in rejected.problems] == [
        "shop.jsonl, line 2, slug: is also in line 1 (got 'MUG')"
    ]


async def test_variants_are_not_lost_to_a_line_without_them(importer: Importer) -> None:
    await import_jsonl(importer.connection, [lines(importer, PRODUCT | {"variants": [ONE]})])
    assert problems(await refused(importer, PRODUCT)) == [(1, "slug", "mug")]


async def test_rejects_can_be_corrected_and_imported(importer: Importer) -> None:
    path = lines(importer, PRODUCT, "no JSON", {"slug": "tin", "name": "Tin", "price": "x"})
    report = await import_jsonl(importer.connection, [path], skip_bad=True)
    assert (report.changes.products_created, report.rejected.rejected_rows) == (1, 2)
    (rejects,) = report.rejects
    assert rejects == importer.directory / "shop.rejects.jsonl"
    first, second = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert first["line"] == "no JSON"
    assert first["reject_reason"].startswith("line: is not JSON")
    assert second["slug"] == "tin"
    assert second["reject_reason"].startswith("price: ")
    rejects.write_text(json.dumps(second | {"price": "3"}))
    report = await import_jsonl(importer.connection, [rejects])
    assert (report.rows, report.changes.products_created) == (1, 1)


async def test_a_line_without_end_is_refused(importer: Importer) -> None:
    path = importer.directory / "long.jsonl"
    path.write_bytes(b'{"slug":"' + b"x" * 2**24)
    with pytest.raises(MalformedFileError, match="line 1: too long for a product"):
        await import_jsonl(importer.connection, [path])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("slug", "name", "price", "sku", "attributes", "variants", "images", "category", "tags")


@settings(deadline=None)
@given(
    st.binary()
    | st.dictionaries(st.sampled_from(KEYS), anything).map(lambda d: json.dumps(d).encode())
)
def test_any_line_is_a_product_or_has_a_problem_that_can_be_stored(text: bytes) -> None:
    product = Line(1, 0, 1, 0, text).product()
    assert product.problems or (product.handle and product.title and product.variants)
    for problem in product.problems:
        assert len(problem.value) <= 200
        assert "\0" not in problem.value + problem.reason
        (problem.field + problem.value + problem.reason).encode()
