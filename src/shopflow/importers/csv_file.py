"""An open product CSV: its header, its products, and its bytes for the rejects."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from shopflow.errors import ShopflowError
from shopflow.importers.columns import Columns, Format, columns_of
from shopflow.importers.csv_records import MalformedFileError, Record, records
from shopflow.importers.products import GivenProduct, Note
from shopflow.importers.source import OpenFile, Refused, reason_of

REASON = "Reject Reason"


class Reader(Protocol):
    """Makes products of the records of a file."""

    def products(self, records: Iterator[Record], first: int) -> Iterator[GivenProduct]:
        """Yield them, whose rows are counted from `first`."""
        ...


class MakeReader(Protocol):
    """Returns a reader for the `file`th of the files; `note` as for `Cells`."""

    def __call__(self, file: int, columns: Columns, note: Note) -> Reader:
        """Return it."""
        ...


class CsvFile(OpenFile):
    """A `Source` in a CSV format.

    Raises:
        ShopflowError: when it cannot be read.
        MalformedFileError: when it is not of the format.
    """

    def __init__(self, number: int, path: Path, kind: Format, reader: MakeReader) -> None:
        super().__init__(number, path)
        self._reader = reader
        try:
            self._records = records(self.file, path.name)
            header = next(self._records, None)
            if header is None:
                raise MalformedFileError(f"{path.name} is empty")
            self._header = header
            self.columns = columns_of(header.values, kind, path.name)
        except ShopflowError:
            self.file.close()
            raise
        names = self.columns.names
        self.names: Mapping[str, str] = {
            **names,
            **{core: names[ours] for core, ours in kind.aliases.items()},
        }
        self.ignored = self.columns.ignored

    def products(self, first: int, note: Note) -> Iterator[GivenProduct]:
        """As for `Source`."""
        return self._reader(self.number, self.columns, note).products(self._records, first)

    def rejects_header(self) -> bytes:
        """As for `Source`."""
        return _with_reason(self.between(self._header.start, self._header.stop), REASON)

    def rejects(self, refused: Refused) -> Iterator[bytes]:
        """As for `Source`."""
        part = self.between(refused.start, refused.stop)
        for record in records(io.BytesIO(part), self.path.name):
            reason = reason_of(refused, refused.line + record.line - 1, self.names)
            yield _with_reason(part[record.start : record.stop], reason)


def _with_reason(record: bytes, reason: str) -> bytes:
    text = record.rstrip(b"\r\n")
    quoted = reason.replace('"', '""')
    return text + f',"{quoted}"'.encode() + (record[len(text) :] or b"\n")
