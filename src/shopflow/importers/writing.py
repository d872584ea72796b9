"""From the staging tables to the shop: what is checked and written, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.importers.report import Changes, Notes, Problem, Rejected
from shopflow.importers.source import Source
from shopflow.importers.staging import QUERIES

# As many of the bad values are listed; all are counted, and all are in the rejects.
MOST_PROBLEMS = 100

MIXED_TRACKING = (
    "some variants of a product are tracked and some are not: the product sells without limit"
)
SHARED_IMAGE = "an image of several variants is linked to the first of them"

_STAGES = (
    "lock_variants",
    "stage_products",
    "analyze_products",
    "stage_variants",
    "analyze_variants",
)
_CHECKS = (
    "find_missing_values",
    "find_repeated_products",
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


class Writing:
    """What follows once all products are in the staging tables."""

    def __init__(self, connection: AsyncConnection[Any], sources: Sequence[Source]) -> None:
        self._connection = connection
        self._sources = sources

    async def check(self, links: Sequence[str] = ()) -> Rejected:
        """Lock the products that the files name, return what is wrong with what they say.

        Args:
            links: queries by name that first give each part the handle of its product, in a
                format that has none.
        """
        await self._run("analyze_parts", *links, *_STAGES, *_CHECKS)
        return await self._rejected()

    async def drop_rejected(self) -> Rejected:
        """Leave the products with bad rows out; return what is refused after all.

        A product that is left out keeps its SKU, which one that stays may have been given: so
        again until nothing new comes up.
        """
        taken = 1
        while taken:
            await self._run(*_DROPS)
            (taken,) = await self._run("find_taken_skus")
        return await self._rejected()

    async def write(self, notes: Notes) -> Changes:
        """Bring the shop to what the staging tables say; only what differs is written."""
        (brands,) = await self._run("create_brands")
        *_, categories = await self._run(
            "stage_categories", "find_categories", "name_new_categories", "create_categories"
        )
        await self._run(*_WRITES)
        await self._note("count_mixed_tracking", MIXED_TRACKING, notes)
        await self._note("count_shared_images", SHARED_IMAGE, notes)
        found = await QUERIES["count_changes"].rows(
            self._connection, Changes, brands=brands, categories=categories
        )
        return found[0]

    async def _run(self, *names: str) -> list[int]:
        return [await QUERIES[name].execute(self._connection) for name in names]

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
        source = self._sources[found.file]
        column = source.names.get(found.field, found.field)
        return Problem(source.path.name, found.line, column, found.value, found.reason)

    async def _note(self, query: str, message: str, notes: Notes) -> None:
        found = await QUERIES[query].row(self._connection, _Counted)
        if found is None or found.n is None:
            return
        place = await QUERIES["place_of_variant"].row(self._connection, _Place, n=found.n)
        if place is not None:
            notes.add(message, self._sources[place.file].path.name, place.line, found.count)
