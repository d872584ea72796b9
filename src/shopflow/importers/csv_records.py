"""Records of a CSV file, one at a time, each with its line and its place in the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from shopflow.errors import ShopflowError

# Shopify's longest value is a description of 512 KiB; a forgotten quote would take in gigabytes.
LONGEST_VALUE = 16 * 2**20


class MalformedFileError(ShopflowError):
    """The file is not the CSV that it should be; nothing was imported."""


class Record(NamedTuple):
    """One record: its values, the line it begins on (from 1), and its bytes in the file."""

    values: list[str]
    line: int
    start: int
    stop: int


class _Lines:
    """The decoded lines of a file, and how far they reach."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.number = 0
        self.offset = 0

    def __iter__(self) -> Iterator[str]:
        while line := self.file.readline(LONGEST_VALUE + 1):
            self.number += 1
            self.offset += len(line)
            if len(line) > LONGEST_VALUE:
                raise MalformedFileError(f"{self.name}, line {self.number}: too long for CSV")
            try:
                yield line.decode("utf-8-sig" if self.number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise MalformedFileError(
                    f"{self.name}, line {self.number}: byte {line[error.start]:#04x} is not UTF-8;"
                    " save the file as CSV UTF-8"
                ) from error


def records(file: BinaryIO, name: str) -> Iterator[Record]:
    """Yield the records of `file`, leaving out empty lines; memory holds one at a time.

    RFC 4180 with any end of line and with or without a byte-order mark. Raises csv's own limit
    of a value, which is the process's, to 16 MiB where it is lower.

    Raises:
        MalformedFileError: naming the line, when it is not CSV or not UTF-8.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_VALUE))
    lines = _Lines(file, name)
    reader = csv.reader(iter(lines), strict=True)
    while True:
        line, start = lines.number + 1, lines.offset
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise MalformedFileError(f"{name}, line {line}: {_explained(error)}") from error
        if values is None:
            return
        if values:
            yield Record(values, line, start, lines.offset)


def _explained(error: csv.Error) -> str:
    if str(error) == "unexpected end of data" or "field limit" in str(error):
        return "a quoted value of this row has no end: a quote is missing, or the file was cut"
    return f"this row is not CSV: {error}"
