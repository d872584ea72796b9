"""An open product CSV of Shopify: its header, its rows, and its bytes for the rejects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from shopflow.errors import ShopflowError
from shopflow.importers.csv_records import MalformedFileError, records
from shopflow.importers.shopify_columns import columns_of
from shopflow.importers.shopify_rows import RowReader, StagedRow


class ShopifyFile:
    """One of the files of an import; use as a context manager.

    Attributes:
        number: its place among the files, from 0.
        size: bytes.
        columns: where it has what.

    Raises:
        ShopflowError: when it cannot be read.
        MalformedFileError: when it is no product export of Shopify.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self._file = _opened(path)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self._records = records(self._file, path.name)
            header = next(self._records, None)
            if header is None:
                raise MalformedFileError(f"{path.name} is empty")
            self._header = header
            self.columns = columns_of(header.values, path.name)
        except ShopflowError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def rows(self, first: int, note: Callable[[int, str], None]) -> Iterator[StagedRow]:
        """Yield the rows, numbered from `first`; `note` as for RowReader."""
        reader = RowReader(self.number, self.columns, note)
        for n, record in enumerate(self._records, first):
            yield reader.read(n, record)

    def header(self) -> bytes:
        """Return the header as it stands in the file, with its end of line."""
        return self.record(self._header.start, self._header.stop)

    def record(self, start: int, stop: int) -> bytes:
        """Return the bytes of a record; only after all rows were read."""
        self._file.seek(start)
        return self._file.read(stop - start)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ShopflowError(f"cannot read {path}: {error.strerror}") from error
