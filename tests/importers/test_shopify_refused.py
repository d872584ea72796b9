"""Bad rows and bad files: every one named with line, column and value, and nothing written."""

import csv
from pathlib import Path

import pytest

from shopflow.errors import InvalidInputError, ShopflowError
from shopflow.importers.csv_records import MalformedFileError
from shopflow.importers.report import ImportRefusedError
from shopflow.importers.shopify import import_shopify
from shopflow.importers.writing import MOST_PROBLEMS
from tests.importers.conftest import Importer, Row, further, problems, product

VARIANT = {"name1": "Size", "value1": "S"}


@pytest.mark.parametrize(
    ("values", "column", "value"),
    [
        ({"price": "12,50"}, "Variant Price", "12,50"),
        ({"price": ""}, "Variant Price", ""),
        ({"price": "-1"}, "Variant Price", "-1"),
        ({"compare": "much"}, "Variant Compare At Price", "much"),
        ({"title": " "}, "Title", ""),
        ({"title": "x" * 256}, "Title", "x" * 200),
        ({"quantity": "2.5"}, "Variant Inventory Qty", "2.5"),
        ({"quantity": "2147483648"}, "Variant Inventory Qty", "2147483648"),
        ({"quantity": "9" * 5000}, "Variant Inventory Qty", "9" * 200),
        ({"policy": "maybe"}, "Variant Inventory Policy", "maybe"),
        ({"published": "ja"}, "Published", "ja"),
        ({"status": "sold"}, "Status", "sold"),
        ({"gift_card": "2"}, "Gift Card", "2"),
        ({"vendor": "v" * 256}, "Vendor", "v" * 200),
        ({"type": "t" * 256}, "Type", "t" * 200),
        ({"type": " > ".join("abcdefghijk")}, "Type", " > ".join("abcdefghijk")),
        ({"tags": "fine," + "t" * 256}, "Tags", "fine," + "t" * 195),
        ({"sku": "s" * 101}, "Variant SKU", "s" * 101),
        ({"position": "first"}, "Image Position", "first"),
        ({"image": "i" * 2001}, "Image Src", "i" * 200),
        ({"variant_image": "i" * 2001}, "Variant Image", "i" * 200),
        ({"image": "not a url"}, "Image Src", "not a url"),
        ({"image": "https://x/front side.jpg"}, "Image Src", "https://x/front side.jpg"),
        (
            {"image": "https://x/1.jpg\nhttps://x/2.jpg"},
            "Image Src",
            "https://x/1.jpg\nhttps://x/2.jpg",
        ),
        ({"image": "//x/1.jpg"}, "Image Src", "//x/1.jpg"),
        ({"image": "ftp://x/1.jpg"}, "Image Src", "ftp://x/1.jpg"),
        ({"image": "https://"}, "Image Src", "https://"),
        ({"variant_image": "javascript:alert(1)"}, "Variant Image", "javascript:alert(1)"),
        ({"body": "b" * 2**19 + "b"}, "Body (HTML)", "b" * 200),
        ({"name1": "n" * 101}, "Option1 Name", "n" * 101),
        ({"alt": "a\0b"}, "Image Alt Text", "a\\0b"),
        ({"value1": ""} | {"name1": "Size"}, "Option1 Value", ""),
        ({"name1": "", "value1": "S"}, "Option1 Name", ""),
        ({"name2": "Title", "value2": "x"}, "Option2 Name", "Title"),
        (VARIANT | {"name2": "Color"}, "Option2 Value", ""),
        (
            VARIANT | {"name2": "C", "value1": "s" * 200, "value2": "c" * 200},
            "Option1 Value",
            "s" * 200,
        ),
    ],
)
async def test_a_bad_value_is_named(
    importer: Importer, values: dict[str, str], column: str, value: str
) -> None:
    rejected = await importer.refused(product("good"), product("bad", **values))
    assert problems(rejected) == [(3, column, value)]
    assert (rejected.total, rejected.bad_rows, rejected.rejected_products) == (1, 1, 1)


@pytest.mark.parametrize("handle", ["", "two words", "a/b", "a?b", "a#b", "x" * 256])
async def test_a_bad_handle_is_named(importer: Importer, handle: str) -> None:
    rejected = await importer.refused(product(handle, title="A title"))
    assert problems(rejected) == [(2, "Handle", handle[:200])]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([further("a", value1="S", price="1")], (3, "Option1 Value", "S")),
        ([further("a", price="1")], (3, "Option1 Value", "")),
        ([further("a", value1="M", name1="Length", price="1")], (3, "Option1 Name", "Length")),
        ([further("a", value1="M", value2="Red", price="1")], (3, "Option2 Name", "")),
        ([further("a", value2="Red", value1="M")], (3, "Option2 Name", "")),
        ([further("a", value1="M")], (3, "Variant Price", "")),
    ],
)
async def test_rows_of_a_handle_must_go_together(
    importer: Importer, rows: list[Row], expected: tuple[int, str, str]
) -> None:
    rejected = await importer.refused(product("a", **VARIANT), *rows, product("good"))
    assert expected in problems(rejected)
    assert rejected.rejected_products == 1


async def test_a_product_twice_is_refused(importer: Importer) -> None:
    rejected = await importer.refused(product("a"), product("b"), product("A"))
    assert problems(rejected) == [(4, "Option1 Value", "Default Title")]
    assert "line 2" in rejected.problems[0].reason


async def test_a_sku_twice_in_the_file_is_refused(importer: Importer) -> None:
    rejected = await importer.refused(product("a", sku="X"), product("b", sku="x"))
    assert [str(found) for found in rejected.problems] == [
        "shop.csv, line 3, Variant SKU: is also the SKU of a in line 2 (got 'x')"
    ]


async def test_a_sku_of_another_product_is_refused_and_its_owner_named(importer: Importer) -> None:
    await importer.take(product("owner", sku="X"), product("sized", sku="S-1", **VARIANT))
    rejected = await importer.refused(
        product("thief", sku="x"), product("other", sku="s-1", **VARIANT)
    )
    assert [(found.line, found.value, found.reason) for found in rejected.problems] == [
        (2, "x", "is the SKU of owner in the shop"),
        (3, "s-1", "is the SKU of sized in the shop"),
    ]


async def test_variants_are_not_lost_to_a_file_without_options(importer: Importer) -> None:
    await importer.take(product("sized", **VARIANT))
    rejected = await importer.refused(
        {"Handle": "sized", "Title": "Sized", "Variant Price": "1"},
        columns=("Handle", "Title", "Variant Price"),
    )
    assert problems(rejected) == [(2, "Handle", "sized")]


async def test_all_bad_rows_are_counted_and_a_bounded_number_listed(importer: Importer) -> None:
    rejected = await importer.refused(*(product(f"p{i}", price="x") for i in range(150)))
    assert (rejected.total, rejected.bad_rows) == (150, 150)
    assert [found.line for found in rejected.problems] == list(range(2, MOST_PROBLEMS + 2))


async def test_a_row_of_another_width_is_refused(importer: Importer) -> None:
    path = importer.directory / "wide.csv"
    path.write_text("Handle,Title,Variant Price\na,A,1\nb,B\nc,C,1,2\n")
    with pytest.raises(ImportRefusedError) as refused:
        await import_shopify(importer.connection, [path])
    reasons = [
        found.reason for found in refused.value.rejected.problems if found.column == "Handle"
    ]
    assert reasons == ["the row has 2 values, not 3", "the row has 4 values, not 3"]


async def test_skip_bad_takes_the_rest_and_writes_the_rejects(importer: Importer) -> None:
    path = importer.file(
        product("good"),
        product("bad", title='A "bad"\none', **VARIANT),
        product("fine"),
        further("bad", value1="M", price="x"),
        product("also-good"),
    )
    report = await import_shopify(importer.connection, [path], skip_bad=True)
    assert report.changes.products_created == 3
    assert (report.rejected.bad_rows, report.rejected.rejected_rows) == (1, 2)
    assert report.rejects == (importer.directory / "shop.rejects.csv",)
    lines = path.read_text().splitlines(keepends=True)
    text = report.rejects[0].read_text()
    assert text.splitlines(keepends=True)[0] == lines[0].replace("\n", ',"Reject Reason"\n')
    assert "".join(lines[2:4]).rstrip("\n") in text
    with report.rejects[0].open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["Handle"], row["Reject Reason"]) for row in found] == [
        ("bad", "refused with its product, see line 6"),
        ("bad", "Variant Price: is not an amount of money"),
    ]


async def test_corrected_rejects_can_be_imported(importer: Importer) -> None:
    path = importer.file(product("good"), product("bad", price="x"))
    report = await import_shopify(importer.connection, [path], skip_bad=True)
    (rejects,) = report.rejects
    rejects.write_text(rejects.read_text().replace(",x,", ",3,"))
    report = await import_shopify(importer.connection, [rejects])
    assert (report.rows, report.changes.products_created) == (1, 1)


async def test_a_refused_product_keeps_its_sku_from_those_that_stay(importer: Importer) -> None:
    await importer.take(product("a", sku="1"), product("b", sku="2"), product("c", sku="3"))
    path = importer.file(
        product("a", sku="2"), product("b", sku="3"), product("c", sku="4", price="x")
    )
    report = await import_shopify(importer.connection, [path], skip_bad=True)
    assert report.rejected.rejected_products == 3
    assert report.changes.total == 0


async def test_a_dry_run_writes_no_rejects(importer: Importer) -> None:
    path = importer.file(product("good"), product("bad", price="x"))
    report = await import_shopify(importer.connection, [path], skip_bad=True, dry_run=True)
    assert report.rejected.bad_rows == 1
    assert report.rejects == ()
    assert list(importer.directory.iterdir()) == [path]


async def test_rejects_that_cannot_be_written_undo_the_import(importer: Importer) -> None:
    path = importer.file(product("good"), product("bad", price="x"))
    (importer.directory / "shop.rejects.csv").mkdir()
    with pytest.raises(ShopflowError, match=r"cannot write .*shop\.rejects\.csv"):
        await import_shopify(importer.connection, [path], skip_bad=True)
    assert await importer.rows("SELECT id FROM products") == []
    assert not (importer.directory / "shop.rejects.part").exists()


HEADER = b"Handle,Title,Variant Price\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.csv is empty"),
        (
            b"Handle;Title;Variant Price\n",
            "it has no column Handle or URL handle, no column Title,",
        ),
        (
            b"Handle,Title\na,A\n",
            "it has no column Variant Price or Price; its columns are 'Handle', 'Title'",
        ),
        (b"Handle,Title,Title,Price\n", "the column Title is there twice"),
        (HEADER + b'a,A,1\nb,"no end,1\nc,C,1\n', "line 3: a quoted value of this row has no end"),
        (HEADER + b'a,A,1\nb,"B"x,1\n', "line 3: this row is not CSV"),
        (HEADER + b"caf\xe9,A,1\n", "line 2: byte 0xe9 is not UTF-8"),
        ("Handle,Title\n".encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (HEADER + b"a,A\rb,B\r", "line 2: this row is not CSV"),
        (HEADER + b'a,"' + b"x\n" * 9_000_000, "line 2: a quoted value of this row has no end"),
        (HEADER + b"a," + b"x" * 2**24, "line 2: too long for CSV"),
    ],
)
@pytest.mark.parametrize("skip_bad", [False, True])
async def test_a_file_that_is_no_export_is_refused(
    importer: Importer, content: bytes, message: str, skip_bad: bool
) -> None:
    path = importer.directory / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(MalformedFileError, match=message.replace(".", r"\.")):
        await import_shopify(
            importer.connection, [importer.file(product("good")), path], skip_bad=skip_bad
        )
    assert await importer.rows("SELECT id FROM products") == []


async def test_a_file_of_only_a_header_is_noted(importer: Importer) -> None:
    empty = importer.file(name="empty.csv")
    report = await import_shopify(importer.connection, [importer.file(product("a")), empty])
    assert report.changes.products_created == 1
    assert [(note.message, note.file, note.count) for note in report.notes] == [
        ("no rows: nothing follows the header", "empty.csv", 1)
    ]
    report = await import_shopify(importer.connection, [empty])
    assert (report.rows, report.changes.total, len(report.notes)) == (0, 0, 1)


async def test_a_file_that_is_not_there_is_named(importer: Importer) -> None:
    with pytest.raises(ShopflowError, match=r"cannot read /nowhere\.csv: No such file"):
        await import_shopify(importer.connection, [Path("/nowhere.csv")])
    with pytest.raises(InvalidInputError, match="at least one file"):
        await import_shopify(importer.connection, [])


async def test_the_longest_values_fit_the_database(importer: Importer) -> None:
    """The bounds are below what btree, GIN and full-text search can hold of the worst content."""
    wide = [chr(0x10000 + 37 * i % 0x8000) for i in range(20_000)]
    url = "https://" + "".join(wide[:498])
    words = " ".join("".join(wide[i : i + 2]) for i in range(0, 2 * (2**19 // 9), 2))
    values = {"Option1 Value": "".join(wide[:80])}
    for number in (1, 2, 3):
        values[f"Option{number} Name"] = "".join(wide[number * 100 : number * 100 + 100])
        values.setdefault(f"Option{number} Value", "".join(wide[number * 84 : number * 84 + 84]))
    assert len(url.encode()) == 2000
    row = product("".join(wide[:255]), body=words, image=url, tags="".join(wide[:255])) | values
    report = await importer.take(row)
    assert report.changes.variants_created == 1
