"""Which migrations a schema has had; reads only, and works where nothing was ever migrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

import msgspec
from psycopg import Connection, sql

_RELATIONS: LiteralString = """
    SELECT c.relname::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says about its migrations.

    Attributes:
        heads: the newest revision of each branch.
        checksums: each applied revision's file as it was, the last applied at the end.
        empty: whether the schema holds nothing yet, or is not there.
    """

    heads: tuple[str, ...] = ()
    checksums: Mapping[str, str] = {}
    empty: bool = True


def read(connection: Connection, schema: str) -> State:
    """Read the state of `schema`."""
    relations = {row[0] for row in connection.execute(_RELATIONS, {"schema": schema})}
    heads: tuple[str, ...] = ()
    checksums: dict[str, str] = {}
    if "alembic_version" in relations:
        query = sql.SQL("SELECT version_num FROM {} ORDER BY version_num")
        table = sql.Identifier(schema, "alembic_version")
        heads = tuple(row[0] for row in connection.execute(query.format(table)))
    if "migration_checksums" in relations:
        query = sql.SQL("SELECT revision, checksum FROM {} ORDER BY applied_at, revision")
        table = sql.Identifier(schema, "migration_checksums")
        checksums = dict(connection.execute(query.format(table)).fetchall())
    empty = relations <= {"alembic_version", "migration_checksums"}
    return State(heads=heads, checksums=checksums, empty=empty)
