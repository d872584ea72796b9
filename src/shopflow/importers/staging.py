"""The steps of an import inside its transaction: rows to staging tables, checks, upserts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.importers.report import Changes, Notes, Problem, Progress, Rejected, ShowProgress
from shopflow.importers.shopify_file import ShopifyFile
from shopflow.postgres.queries import load

QUERIES = load("shopflow.importers")
# As many of the bad values are listed; all are counted, and all are in the rejects.
MOST_PROBLEMS = 100
NO_ROWS = "no rows: nothing follows the header"
PROGRESS_EVERY = 1000

MIXED_TRACKING = (
    "some variants of a product are tracked and some are not: the product sells without limit"
)
SHARED_IMAGE = "an image of several variants is linked to the first of them"

_TABLES = ("files", "rows", "problems", "changes")
_STAGES = (
    "analyze_rows",
    "lock_variants",
    "stage_products",
    "analyze_products",
    "stage_variants",
    "analyze_variants",
)
_CHECKS = (
    "find_bad_values",
    "find_missing_values",
    "find_variants_without_options",
    "find_uneven_options",
    "find_repeated_options",
    "find_hidden_variants",
    "stage_skus",
    "analyze_skus",
    "find_repeated_skus",
    "find_taken_skus",
)
_DROPS = ("drop_bad_products", "drop_bad_variants", "drop_bad_skus")
_WRITES = (
    "stage_catalogue",
    "stage_images",
    "analyze_catalogue",
    "release_variants",
    "release_skus",
    "update_products",
    "update_variants",
    "create_products",
    "delete_images",
    "release_primary_images",
    "update_images",
    "create_images",
)


class _Counted(msgspec.Struct, frozen=True):
    count: int
    n: int | None


class _Place(msgspec.Struct, frozen=True):
    file: int
    line: int


class _Rejected(msgspec.Struct, frozen=True):
    problems: int
    bad_rows: int
    rejected_rows: int
    rejected_products: int


class _Problem(msgspec.Struct, frozen=True):
    file: int
    line: int
    field: str
    value: str
    reason: str


class Staging:
    """The staging tables of one import; they last as long as the transaction."""

    def __init__(self, connection: AsyncConnection[Any], files: Sequence[ShopifyFile]) -> None:
        self._connection = connection
        self._files = files

    async def run(self, *names: str) -> list[int]:
        """Run queries by name; return how many rows each touched."""
        return [await QUERIES[name].execute(self._connection) for name in names]

    async def take_rows(self, notes: Notes, progress: ShowProgress) -> int:
        """Wait for other imports, then copy all rows of the files; return how many there are."""
        await self.run("import_session", "import_lock", "import_lock_timeout")
        await self.run(*(f"create_import_{table}" for table in _TABLES))
        for file in self._files:
            await QUERIES["add_file"].execute(
                self._connection, file=file.number, fields=list(file.columns.places)
            )
        total, before, n = sum(file.size for file in self._files), 0, 0
        async with self._connection.cursor().copy(QUERIES["copy_rows"].sql) as copy:
            for file in self._files:
                name = file.path.name

                def note(line: int, message: str, name: str = name) -> None:
                    notes.add(message, name, line)

                first = n + 1
                for row in file.rows(first, note):
                    await copy.write_row(row)
                    n = row.n
                    if n % PROGRESS_EVERY == 0:
                        progress(Progress("reading", before + row.stop, total, n))
                if n < first:
                    note(1, NO_ROWS)
                before += file.size
        progress(Progress("checking", total, total, n))
        return n

    async def check(self) -> Rejected:
        """Lock the products that the rows name, group the rows, return what is wrong with them."""
        await self.run(*_STAGES, *_CHECKS)
        return await self._rejected()

    async def drop_rejected(self) -> Rejected:
        """Leave the products with bad rows out; return what is refused after all.

        A product that is left out keeps its SKU, which one that stays may have been given: so
        again until nothing new comes up.
        """
        taken = 1
        while taken:
            await self.run(*_DROPS)
            (taken,) = await self.run("find_taken_skus")
        return await self._rejected()

    async def write(self, notes: Notes) -> Changes:
        """Bring the shop to what the staging tables say; only what differs is written."""
        (brands,) = await self.run("create_brands")
        *_, categories = await self.run(
            "stage_categories", "find_categories", "name_new_categories", "create_categories"
        )
        await self.run(*_WRITES)
        await self._note("count_mixed_tracking", MIXED_TRACKING, notes)
        await self._note("count_shared_images", SHARED_IMAGE, notes)
        found = await QUERIES["count_changes"].rows(
            self._connection, Changes, brands=brands, categories=categories
        )
        return found[0]

    async def _rejected(self) -> Rejected:
        counted = await QUERIES["count_problems"].row(self._connection, _Rejected)
        if counted is None or not counted.problems:
            return Rejected()
        first = await QUERIES["first_problems"].rows(self._connection, _Problem, most=MOST_PROBLEMS)
        return Rejected(
            total=counted.problems,
            bad_rows=counted.bad_rows,
            rejected_rows=counted.rejected_rows,
            rejected_products=counted.rejected_products,
            problems=tuple(self._problem(problem) for problem in first),
        )

    def _problem(self, found: _Problem) -> Problem:
        file = self._files[found.file]
        column = file.columns.names[found.field]
        return Problem(file.path.name, found.line, column, found.value, found.reason)

    async def _note(self, query: str, message: str, notes: Notes) -> None:
        found = await QUERIES[query].row(self._connection, _Counted)
        if found is None or found.n is None:
            return
        place = await QUERIES["place_of_row"].row(self._connection, _Place, n=found.n)
        if place is not None:
            notes.add(message, self._files[place.file].path.name, place.line, found.count)
