"""Tells what a dump and its restore have written otherwise from what was changed.

PostgreSQL does not give every expression back as it was read: `status IN ('a', 'b')` on a varchar
becomes `ARRAY['a'::character varying, …]::text[]`, and that, read again by pg_restore,
`ARRAY['a'::character varying::text, …]`. Read once more it stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from shopflow.migrations import fingerprint
from shopflow.migrations.fingerprint import Difference, Fingerprint, Key

_QUERY = (Path(__file__).parent / "restored.sql").read_bytes()


def leave_out(
    differences: Sequence[Difference], connection: psycopg.Connection, schema: str
) -> list[Difference]:
    """Return the differences that a dump and restore of the expected schema would not make.

    Args:
        differences: what is different from `schema`.
        connection: to the database of `schema`, which comes first in its search_path.
        schema: the expected one, that nobody else uses; it is as before afterwards.
    """
    different = {(it.kind, it.name) for it in differences if it.change == "different"}
    restored = _restore(connection, schema, different) if different else {}
    return [it for it in differences if not _is_as_in(restored, it)]


def _restore(connection: psycopg.Connection, schema: str, keys: set[Key]) -> Fingerprint:
    """Make the objects again from what PostgreSQL says of them; return how it all reads then."""
    with connection.transaction(force_rollback=True):
        rows = connection.execute(_QUERY, {"schema": schema}).fetchall()
        for kind, name, statements in rows:
            if (kind, name) in keys:
                # A partition's part is made again with the whole table's, and not by itself; what
                # others depend on cannot be, and counts as changed.
                with suppress(psycopg.Error), connection.transaction():
                    connection.execute(statements.encode())
        return fingerprint.read(connection, schema)


def _is_as_in(restored: Fingerprint, difference: Difference) -> bool:
    thing = restored.get((difference.kind, difference.name))
    return thing is not None and thing.definition == difference.found
