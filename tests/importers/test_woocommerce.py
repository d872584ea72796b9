"""WooCommerce's product CSV: simple products, variable ones and their variations."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from shopflow.importers.csv_records import MalformedFileError
from shopflow.importers.report import ImportRefusedError, ImportReport, Rejected
from shopflow.importers.woocommerce import import_woocommerce
from tests.importers.conftest import Importer, Row, problems

D = Decimal
COLUMNS = [
    "ID",
    "Type",
    "SKU",
    "Name",
    "Published",
    "Is featured?",
    "Visibility in catalog",
    "Short description",
    "Description",
    "Date sale price starts",
    "Date sale price ends",
    "In stock?",
    "Stock",
    "Backorders allowed?",
    "Sale price",
    "Regular price",
    "Categories",
    "Tags",
    "Images",
    "Parent",
    "Brands",
    "Attribute 1 name",
    "Attribute 1 value(s)",
    "Attribute 1 visible",
    "Attribute 1 global",
    "Attribute 2 name",
    "Attribute 2 value(s)",
    "Weight (kg)",
]


def simple(name: str, **values: str) -> Row:
    given = {"Type": "simple", "Name": name, "Published": "1", "Regular price": "10"}
    return given | named(values)


def variable(name: str, **values: str) -> Row:
    return {"Type": "variable", "Name": name, "Published": "1"} | named(values)


def variation(parent: str, **values: str) -> Row:
    given = {"Type": "variation", "Name": "Some variation", "Parent": parent}
    return given | {"Published": "1", "Regular price": "10"} | named(values)


SHORT = {
    "number": "ID",
    "kind": "Type",
    "sku": "SKU",
    "featured": "Is featured?",
    "visibility": "Visibility in catalog",
    "short": "Short description",
    "starts": "Date sale price starts",
    "in_stock": "In stock?",
    "backorders": "Backorders allowed?",
    "sale": "Sale price",
    "price": "Regular price",
    "name1": "Attribute 1 name",
    "values1": "Attribute 1 value(s)",
    "name2": "Attribute 2 name",
    "values2": "Attribute 2 value(s)",
}


def named(values: dict[str, str]) -> Row:
    return {SHORT.get(name, name.capitalize()): text for name, text in values.items()}


def file(importer: Importer, *rows: Row, columns: Sequence[str] = COLUMNS) -> Path:
    return importer.file(*rows, columns=columns, name="woo.csv")


async def take(importer: Importer, *rows: Row) -> ImportReport:
    return await import_woocommerce(importer.connection, [file(importer, *rows)])


async def refused(importer: Importer, *rows: Row) -> Rejected:
    before = await importer.everything()
    with pytest.raises(ImportRefusedError) as error:
        await take(importer, *rows)
    assert await importer.everything() == before
    return error.value.rejected


def a_tee(**values: str) -> list[Row]:
    """A variable product, a variation that names it by SKU, one by ID, and one before it."""
    return [
        variation("TEE", sku="TEE-G", name1="Color", values1="Green", stock="1"),
        variable(
            "Summer Tee",
            number="10",
            sku="TEE",
            name1="Color",
            values1="Blue, Red, Green",
            name2="Size",
            values2=r"S, M\, slim",
            images="https://x/1.jpg, https://x/2.jpg",
            **values,
        ),
        variation(
            "tee",
            sku="TEE-B",
            name1="Color",
            values1="Blue",
            name2="Size",
            values2=r"M\, slim",
            sale="8",
            stock="5",
            images="https://x/2.jpg, https://x/9.jpg",
        ),
        variation("id:10", name1="Color", values1="Red", price="12", images="https://x/3.jpg"),
    ]


async def test_a_simple_product_has_everything_of_its_row(importer: Importer) -> None:
    report = await take(
        importer,
        simple(
            "Wool Jumper",
            sku="WJ-1",
            featured="1",
            description="<p>Warm,\n and soft</p>",
            short="Warm",
            brands="Shepherd & Co, Other",
            categories="Clothing > Jumpers, Sale",
            tags="wool, winter , wool",
            sale="79.50",
            price="99",
            stock="7",
            name1="Material",
            values1="Wool",
            name2="Care",
            values2="Hand wash, Iron",
        ),
    )
    assert report.rows == report.changes.products_created == 1
    assert await importer.rows(
        "SELECT p.name, p.slug, p.sku, p.description, b.name, c.name, up.name, p.tags, p.price,"
        " p.compare_at_price, p.stock_quantity, p.track_inventory, p.is_featured, p.is_active,"
        " p.attributes, p.has_variants FROM products AS p JOIN brands AS b ON b.id = p.brand_id"
        " JOIN categories AS c ON c.id = p.category_id JOIN categories AS up ON up.id = c.parent_id"
    ) == [
        (
            *("Wool Jumper", "wool-jumper", "WJ-1", "<p>Warm,\n and soft</p>", "Shepherd & Co"),
            *("Jumpers", "Clothing", ["wool", "winter"], D("79.50"), D("99.00"), 7),
            *(True, True, True, {"Material": "Wool", "Care": ["Hand wash", "Iron"]}, False),
        )
    ]
    assert [note.message.split()[2] for note in report.notes] == ["has", "has"]
    assert report.ignored_columns == ("Attribute 1 visible", "Attribute 1 global", "Weight (kg)")


async def test_variations_become_variants_wherever_they_stand(importer: Importer) -> None:
    report = await take(importer, *a_tee())
    assert (report.changes.products_created, report.changes.variants_created) == (1, 3)
    assert await importer.rows(
        "SELECT name, sku, price, compare_at_price, stock_quantity, option_values"
        " FROM product_variants ORDER BY sort_order"
    ) == [
        ("Green", "TEE-G", D("10.00"), None, 1, {"Color": "Green"}),
        ("Blue / M, slim", "TEE-B", D(8), D(10), 5, {"Color": "Blue", "Size": "M, slim"}),
        ("Red", "SUMMER-TEE-RED", D("12.00"), None, 0, {"Color": "Red"}),
    ]
    assert await importer.rows(
        "SELECT i.url, i.is_primary, v.sku FROM product_images AS i"
        " LEFT JOIN product_variants AS v ON v.id = i.variant_id ORDER BY i.sort_order"
    ) == [
        ("https://x/1.jpg", True, None),
        ("https://x/2.jpg", False, "TEE-B"),
        ("https://x/3.jpg", False, "SUMMER-TEE-RED"),
    ]
    assert await importer.rows(
        "SELECT sku, price, stock_quantity, has_variants, track_inventory FROM products"
    ) == [("TEE", D("8.00"), 6, True, False)]
    assert {note.message.split(":")[0] for note in report.notes} == {
        "a variation shows one image",
        "some variants of a product are tracked and some are not",
    }


async def test_a_second_run_writes_no_row_at_all(importer: Importer) -> None:
    rows = [*a_tee(), simple("Cap", sku="CAP"), simple("Cap", number="7"), simple("Cap", sku="C2")]
    await take(importer, *rows)
    before = await importer.everything()
    report = await take(importer, *rows)
    assert report.changes.total == 0
    assert report.changes.products_unchanged == 4
    assert await importer.everything() == before


async def test_a_product_is_known_by_its_sku_and_keeps_its_slug(importer: Importer) -> None:
    await take(importer, *a_tee())
    rows = a_tee()
    rows[1]["Name"] = "Winter Tee"
    report = await take(importer, rows[1], rows[2])
    assert (report.changes.products_updated, report.changes.variants_deactivated) == (1, 2)
    assert await importer.rows("SELECT name, slug FROM products") == [("Winter Tee", "summer-tee")]


@pytest.mark.parametrize(
    ("values", "tracked", "pieces"),
    [
        ({"stock": "3"}, True, 3),
        ({"stock": "-3"}, True, 0),
        ({"stock": "3", "backorders": "1"}, False, 3),
        ({"stock": "3", "backorders": "notify"}, False, 3),
        ({"in_stock": "1"}, False, 0),
        ({"in_stock": "0"}, True, 0),
        ({}, False, 0),
    ],
)
async def test_stock(
    importer: Importer, values: dict[str, str], tracked: bool, pieces: int
) -> None:
    await take(importer, simple("A", **values))
    found = await importer.rows("SELECT track_inventory, stock_quantity FROM products")
    assert found == [(tracked, pieces)]


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({}, True),
        ({"published": "0"}, False),
        ({"published": "-1"}, False),
        ({"visibility": "hidden"}, False),
        ({"visibility": "search"}, True),
    ],
)
async def test_published(importer: Importer, values: dict[str, str], active: bool) -> None:
    await take(importer, simple("A", **values))
    assert await importer.rows("SELECT is_active FROM products") == [(active,)]


async def test_what_is_left_out_is_noted(importer: Importer) -> None:
    report = await take(
        importer,
        simple("Set", kind="grouped"),
        simple("Elsewhere", kind="external"),
        simple("File", kind="simple, downloadable, virtual", sale="5", starts="2024-01-01"),
    )
    assert report.changes.products_created == 1
    assert [(note.count, note.line) for note in report.notes] == [(2, 2), (1, 4)]
    assert await importer.rows("SELECT price, compare_at_price FROM products") == [(D(10), None)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([simple("")], (2, "Name", "")),
        ([simple("A", price="")], (2, "Regular price", "")),
        ([simple("A", price="1,5")], (2, "Regular price", "1,5")),
        ([simple("A", sale="x")], (2, "Sale price", "x")),
        ([simple("A", kind="bundle")], (2, "Type", "bundle")),
        ([simple("A", number="x1")], (2, "ID", "x1")),
        ([simple("A", stock="some")], (2, "Stock", "some")),
        ([simple("A", published="maybe")], (2, "Published", "maybe")),
        ([simple("A", images="https://x/1.jpg, front.jpg")], (2, "Images", "front.jpg")),
        ([simple("A", sku="s" * 101)], (2, "SKU", "s" * 101)),
        ([simple("A", sku="X"), simple("B", sku="x")], (3, "SKU", "x")),
        ([variable("A", sku="X")], (2, "Regular price", "")),
        ([variation("none", name1="A", values1="x")], (2, "Parent", "none")),
        ([variation("id:9", name1="A", values1="x")], (2, "Parent", "id:9")),
        ([variation("", name1="A", values1="x")], (2, "Parent", "")),
        (
            [variable("A", sku="X", stock="3"), variation("X", stock="parent")],
            (3, "Stock", "parent"),
        ),
        (
            [
                variable("A", sku="X"),
                variation("X", name1="C", values1="x"),
                variation("X", name1="C", values1="x"),
            ],
            (4, "Attribute 1 value(s)", "x"),
        ),
    ],
)
async def test_a_bad_value_is_named(
    importer: Importer, rows: list[Row], expected: tuple[int, str, str]
) -> None:
    rejected = await refused(importer, *rows, simple("Good"))
    assert problems(rejected) == [expected]


async def test_skip_bad_takes_the_rest_and_writes_the_rejects(importer: Importer) -> None:
    rows = [*a_tee(), simple("Good", sku="G")]
    rows[3]["Regular price"] = "x"
    path = file(importer, *rows)
    report = await import_woocommerce(importer.connection, [path], skip_bad=True)
    assert report.changes.products_created == 1
    assert (report.rejected.bad_rows, report.rejected.rejected_rows) == (1, 4)
    with report.rejects[0].open(newline="") as rejects:
        found = [(row["Name"], row["Reject Reason"]) for row in csv.DictReader(rejects)]
    together = "refused with its product, see line 5"
    assert found == [
        ("Some variation", together),
        ("Summer Tee", together),
        ("Some variation", together),
        ("Some variation", "Regular price: is not an amount of money"),
    ]


async def test_another_file_is_refused(importer: Importer) -> None:
    path = importer.file(name="shopify.csv")
    with pytest.raises(MalformedFileError, match="no product export of WooCommerce"):
        await import_woocommerce(importer.connection, [path])
