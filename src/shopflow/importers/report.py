"""What an import answers: counts, notes, and the values that it could not take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from shopflow.errors import ShopflowError


class Progress(msgspec.Struct, frozen=True):
    """How far an import is; `read` and `total` are bytes of all files."""

    stage: Literal["reading", "checking", "writing"]
    read: int
    total: int
    rows: int


ShowProgress = Callable[[Progress], None]


class Problem(msgspec.Struct, frozen=True):
    """A value that cannot be imported; `line` is where its row begins, from 1."""

    file: str
    line: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.file}, line {self.line}, {self.column}: {self.reason} (got {self.value!r})"


class Note(msgspec.Struct, frozen=True):
    """Something imported otherwise than it stood there: how often, and where first."""

    message: str
    count: int
    file: str
    line: int


class Notes:
    """Notes counted while rows go by."""

    def __init__(self) -> None:
        self._found: dict[str, Note] = {}

    def add(self, message: str, file: str, line: int, count: int = 1) -> None:
        """Count one more, or `count` at once."""
        earlier = self._found.get(message)
        self._found[message] = (
            Note(message, count, file, line)
            if earlier is None
            else msgspec.structs.replace(earlier, count=earlier.count + count)
        )

    def all(self) -> tuple[Note, ...]:
        """Return them, in the order in which they first came up."""
        return tuple(self._found.values())


class Rejected(msgspec.Struct, frozen=True):
    """What is refused: bad values, rows that have some, and all rows and products they take along.

    `problems` holds the first of the `total` bad values.
    """

    total: int = 0
    bad_rows: int = 0
    rejected_rows: int = 0
    rejected_products: int = 0
    problems: tuple[Problem, ...] = ()


class Changes(msgspec.Struct, frozen=True):
    """What an import changed; a product is updated when it, a variant or an image of it is."""

    products_created: int
    products_updated: int
    products_unchanged: int
    variants_created: int
    variants_updated: int
    variants_deactivated: int
    images_created: int
    images_updated: int
    images_deleted: int
    brands_created: int
    categories_created: int

    @property
    def total(self) -> int:
        """The number of changes; 0 when everything was as the files say."""
        counts: tuple[int, ...] = msgspec.structs.astuple(self)
        return sum(counts) - self.products_unchanged


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did, or with `dry_run` would do.

    Attributes:
        rows: rows read, of all files, without the headers.
        rejects: the files with the rejected rows; None of them is written in a dry run.
        ignored_columns: columns of the files that are not imported.
    """

    rows: int
    changes: Changes
    rejected: Rejected
    rejects: tuple[Path, ...]
    notes: tuple[Note, ...]
    ignored_columns: tuple[str, ...]
    dry_run: bool
    seconds: float = 0.0
    rows_per_second: float = 0.0


class ImportRefusedError(ShopflowError):
    """Some rows cannot be imported, so nothing was.

    Attributes:
        rejected: how many, and the first of the bad values.
    """

    def __init__(self, rejected: Rejected) -> None:
        rows = _counted(rejected.bad_rows, "bad row")
        products = _counted(rejected.rejected_products, "product")
        them = "it" if rejected.bad_rows == 1 else "them"
        super().__init__(
            f"nothing was imported: {rows}, in {products}; correct {them}, or import the rest"
            " with --skip-bad"
        )
        self.rejected = rejected


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
