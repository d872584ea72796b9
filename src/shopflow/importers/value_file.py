"""Files of prices or stocks by SKU: a CSV with a header, read into lines and problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from shopflow.errors import InvalidInputError, ShopflowError
from shopflow.importers.csv_records import MalformedFileError, Record, records
from shopflow.money import parse_amount
from shopflow.products import LineProblem, PriceLine, StockLine

T = TypeVar("T", bound=PriceLine | StockLine)
_WHOLE = re.compile(r"[0-9]{1,18}")


class ValueFile(msgspec.Struct, Generic[T], frozen=True):
    """What a file says, what in it could not be read, and the columns that were not looked at."""

    lines: list[T]
    problems: list[LineProblem]
    ignored: tuple[str, ...]


def read_price_file(path: Path) -> ValueFile[PriceLine]:
    """Read the columns `sku`, `price` and, where it is there, `compare_at_price`.

    An empty compare-at price takes it away. The columns' order and case do not matter.

    Raises:
        MalformedFileError: when it is not CSV, or has not these columns.
        ShopflowError: when it cannot be read.
    """
    return _read(path, ("sku", "price"), ("compare_at_price",), _price_line)


def read_stock_file(path: Path) -> ValueFile[StockLine]:
    """Read the columns `sku` and `stock`, whole numbers of pieces.

    Raises:
        MalformedFileError: when it is not CSV, or has not these columns.
        ShopflowError: when it cannot be read.
    """
    return _read(path, ("sku", "stock"), (), _stock_line)


def _price_line(line: int, values: Mapping[str, str]) -> PriceLine:
    sku, price = values["sku"], parse_amount("price", values["price"])
    if "compare_at_price" not in values:
        return PriceLine(line, sku, price)
    compare = values["compare_at_price"]
    return PriceLine(
        line, sku, price, parse_amount("compare_at_price", compare) if compare else None
    )


def _stock_line(line: int, values: Mapping[str, str]) -> StockLine:
    if not _WHOLE.fullmatch(values["stock"]):
        raise InvalidInputError("stock", values["stock"], "is not a whole number of pieces")
    return StockLine(line, values["sku"], int(values["stock"]))


def _read(
    path: Path,
    needed: Sequence[str],
    optional: Sequence[str],
    make: Callable[[int, Mapping[str, str]], T],
) -> ValueFile[T]:
    try:
        with path.open("rb") as file:
            rows = records(file, path.name)
            header = next(rows, None)
            if header is None:
                raise MalformedFileError(f"{path.name} is empty")
            names = [name.strip().casefold() for name in header.values]
            places = _places(names, needed, optional, path.name)
            lines, problems = _lines(rows, places, len(names), make)
    except OSError as error:
        raise ShopflowError(f"cannot read {path}: {error.strerror}") from error
    ignored = tuple(name for name in names if name not in places)
    return ValueFile(lines, problems, ignored)


def _places(
    names: list[str], needed: Sequence[str], optional: Sequence[str], file: str
) -> dict[str, int]:
    for name in needed:
        if name not in names:
            raise MalformedFileError(f"{file}: it has no column {name}, comma-separated")
    known = [name for name in (*needed, *optional) if name in names]
    for name in known:
        if names.count(name) > 1:
            raise MalformedFileError(f"{file}: the column {name} is there twice")
    return {name: names.index(name) for name in known}


def _lines(
    rows: Iterator[Record],
    places: Mapping[str, int],
    width: int,
    make: Callable[[int, Mapping[str, str]], T],
) -> tuple[list[T], list[LineProblem]]:
    lines: list[T] = []
    problems: list[LineProblem] = []
    for row in rows:
        padded = [*row.values, *[""] * width]
        values = {name: padded[place].strip() for name, place in places.items()}
        if len(row.values) > width:
            reason = "has more values than the header has columns"
            extra = row.values[width]
            problems.append(LineProblem(row.line, values["sku"], "row", extra, reason))
            continue
        try:
            lines.append(make(row.line, values))
        except InvalidInputError as error:
            problems.append(
                LineProblem(row.line, values["sku"], error.field, str(error.value), error.reason)
            )
    return lines, problems
