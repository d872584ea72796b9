"""What a schema consists of, read from the catalogue, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import psycopg
from psycopg.rows import class_row

from shopflow.migrations import checksums

_QUERY = (Path(__file__).parent / "fingerprint.sql").read_bytes()

# What other objects are parts of.
WHOLE = frozenset({"table", "view", "materialized view"})
BOOKKEEPING = frozenset({"alembic_version", checksums.TABLE})
# Made where it was asked for: not every server has the extension that it needs.
OPTIONAL = frozenset({"product_embeddings"})

Key = tuple[str, str]
Change = Literal["missing", "extra", "different"]


class Thing(msgspec.Struct, frozen=True):
    """An object of a schema.

    Attributes:
        owner: the table or view that it goes with, None for what stands alone.
        definition: everything that makes it what it is, as text to compare.
    """

    kind: str
    owner: str | None
    name: str
    definition: str


Fingerprint = Mapping[Key, Thing]


class Difference(msgspec.Struct, frozen=True):
    """One object that is not as it should be.

    Attributes:
        change: `missing` and `extra` are said of what was found.
        expected: the definition it should have, None for an extra object.
        found: the definition it has, None for a missing one.
    """

    change: Change
    kind: str
    name: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        """Show it in one line, or three where both definitions matter."""
        line = f"{self.change}: {self.kind} {self.name}"
        if self.change != "different":
            return line
        return f"{line}\n  expected: {self.expected}\n  found:    {self.found}"


def read(connection: psycopg.Connection, schema: str) -> Fingerprint:
    """Read the objects of `schema`, which must come first in the connection's search_path.

    The migrator's own two tables are left out, and what only some shops have.
    """
    with connection.cursor(row_factory=class_row(Thing)) as cursor:
        things = cursor.execute(_QUERY, {"schema": schema}).fetchall()
    return {
        (thing.kind, thing.name): thing
        for thing in things
        if thing.owner not in BOOKKEEPING | OPTIONAL
    }


def compare(expected: Fingerprint, found: Fingerprint) -> list[Difference]:
    """Return how `found` differs; a table that is missing or extra stands for all of its parts."""
    return sorted(_differences(expected, found), key=lambda it: (it.kind, it.name))


def _differences(expected: Fingerprint, found: Fingerprint) -> Iterator[Difference]:
    missing = only_in(expected, found)
    extra = only_in(found, expected)
    for thing in missing:
        yield Difference("missing", thing.kind, thing.name, thing.definition, None)
    for thing in extra:
        yield Difference("extra", thing.kind, thing.name, None, thing.definition)
    for key in expected.keys() & found.keys():
        wanted, got = expected[key], found[key]
        if wanted.definition != got.definition:
            yield Difference("different", got.kind, got.name, wanted.definition, got.definition)


def only_in(one: Fingerprint, other: Fingerprint) -> list[Thing]:
    """Return what only `one` has, without the parts of a table or view that only `one` has."""
    gone = [one[key] for key in one if key not in other]
    whole = {thing.name for thing in gone if thing.kind in WHOLE}
    return [thing for thing in gone if thing.kind in WHOLE or thing.owner not in whole]
