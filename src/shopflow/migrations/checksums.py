"""What each applied migration's file was, so that a file changed afterwards is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script, ScriptDirectory
from psycopg import Connection, sql
from sqlalchemy import Column, MetaData, String, Table

from shopflow.errors import MigrationError

TABLE = "migration_checksums"

_CREATE = sql.SQL(
    """
    CREATE TABLE IF NOT EXISTS {table} (
        revision text CONSTRAINT migration_checksums_pkey PRIMARY KEY,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """
)
_COMMENT = sql.SQL(
    "COMMENT ON TABLE {table} IS"
    " 'SHA-256 of every applied migration file, so that a change afterwards is noticed'"
)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, whatever its line endings."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def create_table(connection: Connection, schema: str) -> None:
    """Make the table in `schema` unless it is there."""
    table = sql.Identifier(schema, TABLE)
    with connection.transaction():
        connection.execute(_CREATE.format(table=table))
        connection.execute(_COMMENT.format(table=table))


def read(connection: Connection, schema: str) -> dict[str, str]:
    """Return the checksum of each applied revision, the one applied last at the end."""
    query = sql.SQL("SELECT revision, checksum FROM {} ORDER BY applied_at, revision")
    rows = connection.execute(query.format(sql.Identifier(schema, TABLE))).fetchall()
    return dict(rows)


def record(*, ctx: MigrationContext, step: MigrationInfo, **_: Any) -> None:
    """Write or take away the checksum of the step just made, in its transaction."""
    table = Table(
        TABLE,
        MetaData(),
        Column("revision", String),
        Column("checksum", String),
        schema=ctx.version_table_schema,
    )
    script = step.up_revision
    if not isinstance(script, Script):
        raise MigrationError(f"{script} is no migration file of ShopFlow or of this shop")
    if step.is_upgrade:
        ctx.execute(
            table.insert().values(revision=script.revision, checksum=checksum(Path(script.path)))
        )
    else:
        ctx.execute(table.delete().where(table.c.revision == script.revision))


def changed(scripts: Collection[Script], recorded: Mapping[str, str]) -> list[Script]:
    """Return the migrations whose file is not what was applied."""
    return [
        script
        for script in scripts
        if script.revision in recorded
        and checksum(Path(script.path)) != recorded[script.revision]
    ]
