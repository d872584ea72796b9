"""What each applied migration's file was, so that a file changed afterwards is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from psycopg import sql
from sqlalchemy import Column, MetaData, String, Table

from shopflow.errors import MigrationError

TABLE = "migration_checksums"


def checksum(script: Script) -> str:
    """Return the SHA-256 of a migration's file, whatever its line endings."""
    return hashlib.sha256(Path(script.path).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def changed(scripts: Iterable[Script], recorded: Mapping[str, str]) -> list[Script]:
    """Return the migrations whose file is not what was applied."""
    return [
        script
        for script in scripts
        if script.revision in recorded and checksum(script) != recorded[script.revision]
    ]


def creation(schema: str) -> list[sql.Composed]:
    """Return the statements that make the table in `schema` unless it is there."""
    table = sql.Identifier(schema, TABLE)
    return [
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {} ("
            "revision text CONSTRAINT migration_checksums_pkey PRIMARY KEY, "
            "checksum text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        ).format(table),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(
            table, "SHA-256 of each applied migration file, to notice when one changes later"
        ),
    ]


def record(*, ctx: MigrationContext, step: MigrationInfo, **_: Any) -> None:
    """Write, or on the way down take away, the checksum of a step in the step's transaction."""
    script = step.up_revision
    if not isinstance(script, Script):
        raise MigrationError(f"not a migration file: {script}")
    table = Table(
        TABLE,
        MetaData(),
        Column("revision", String),
        Column("checksum", String),
        schema=ctx.version_table_schema,
    )
    if step.is_upgrade:
        ctx.execute(table.insert().values(revision=script.revision, checksum=checksum(script)))
    else:
        ctx.execute(table.delete().where(table.c.revision == script.revision))
