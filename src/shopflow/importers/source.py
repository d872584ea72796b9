"""A file of an import, whatever its format: products to read, and refused ones to give back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import msgspec

from shopflow.errors import ShopflowError
from shopflow.importers.products import GivenProduct, Note


class Refused(msgspec.Struct, frozen=True):
    """A part of a file that was refused: its place, and the line, field and reason of each fault.

    `problems` is empty when it was refused for the fault in `first_bad_line` alone.
    """

    start: int
    stop: int
    line: int
    problems: Sequence[tuple[int, str, str]]
    first_bad_line: int


class Source(Protocol):
    """One open file of an import; use as a context manager.

    Attributes:
        number: its place among the files, from 0.
        path: where it is.
        size: bytes.
        names: our fields → what the file calls them.
        ignored: what it has that is not imported.
    """

    number: int
    path: Path
    size: int
    names: Mapping[str, str]
    ignored: tuple[str, ...]

    def __enter__(self) -> Self:
        """Return itself, open."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    def products(self, first: int, note: Note) -> Iterator[GivenProduct]:
        """Yield its products, or parts of them, counted from `first`; one is in memory."""
        ...

    def rejects_header(self) -> bytes:
        """Return what the file of the rejects begins with; only after all products were read."""
        ...

    def rejects(self, refused: Refused) -> Iterator[bytes]:
        """Yield the rows of a part as they stand, each with the reason."""
        ...


class OpenFile:
    """The part of a `Source` that opens, closes and goes back."""

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        try:
            self.file: BinaryIO = path.open("rb")
        except OSError as error:
            raise ShopflowError(f"cannot read {path}: {error.strerror}") from error
        self.size = os.fstat(self.file.fileno()).st_size

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.file.close()

    def between(self, start: int, stop: int) -> bytes:
        """Return bytes of the file; reading goes on elsewhere then."""
        self.file.seek(start)
        return self.file.read(stop - start)


def reason_of(refused: Refused, line: int, names: Mapping[str, str]) -> str:
    """Return why the row in `line` was refused."""
    own = [(field, why) for at, field, why in refused.problems if at == line]
    if not own:
        return f"refused with its product, see line {refused.first_bad_line}"
    return "; ".join(f"{names.get(field, field)}: {why}" for field, why in own)
