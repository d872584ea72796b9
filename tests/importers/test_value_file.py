"""Files of prices and stocks: what is read, and what is told with its line."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from shopflow.errors import ShopflowError
from shopflow.importers import MalformedFileError, read_price_file, read_stock_file
from shopflow.products import LineProblem, PriceLine, StockLine


def written(directory: Path, text: str) -> Path:
    path = directory / "values.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_prices_with_compare_at_prices(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '\ufeffName,SKU,Compare_at_price,Price\r\nShirt, A-1 ,,9.90\r\n\r\n"Mug, red",B,12,8\r\n',
    )
    found = read_price_file(path)
    assert found.lines == [
        PriceLine(2, "A-1", Decimal("9.90"), None),
        PriceLine(4, "B", Decimal("8.00"), Decimal("12.00")),
    ]
    assert (found.problems, found.ignored) == ([], ("name",))


def test_without_the_column_compare_at_prices_are_not_given(tmp_path: Path) -> None:
    (line,) = read_price_file(written(tmp_path, "sku,price\nA,1.00\n")).lines
    assert line.compare_at_price is msgspec.UNSET


def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    found = read_price_file(
        written(
            tmp_path, "sku,price,compare_at_price\nA,cheap,\nB,1.999,\nC,1,x\nD\nE,1,2,3\nF,1,2\n"
        )
    )
    assert found.problems == [
        LineProblem(2, "A", "price", "cheap", "is not an amount of money"),
        LineProblem(3, "B", "price", "1.999", "has more than two decimal places"),
        LineProblem(4, "C", "compare_at_price", "x", "is not an amount of money"),
        LineProblem(5, "D", "price", "", "is not an amount of money"),
        LineProblem(6, "E", "row", "3", "has more values than the header has columns"),
    ]
    assert [line.sku for line in found.lines] == ["F"]


def test_stocks(tmp_path: Path) -> None:
    found = read_stock_file(written(tmp_path, "stock,sku\n5,A\n-1,B\n1.5,C\n007,D\n"))
    assert found.lines == [StockLine(2, "A", 5), StockLine(5, "D", 7)]
    assert [(each.line, each.field, each.value) for each in found.problems] == [
        (3, "stock", "-1"),
        (4, "stock", "1.5"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("sku;price\nA;1\n", "no column sku"),
        ("sku,cost\nA,1\n", "no column price"),
        ("sku,price,SKU\nA,1,B\n", "column sku is there twice"),
        ('sku,price\nA,"1\n', "has no end"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MalformedFileError, match=said):
        read_price_file(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ShopflowError, match="cannot read"):
        read_stock_file(tmp_path / "missing.csv")
