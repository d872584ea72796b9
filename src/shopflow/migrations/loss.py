"""What taking migrations back would lose, found by doing it in a transaction that is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

import msgspec
import psycopg
from alembic.runtime.migration import RevisionStep
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from shopflow.migrations import env, fingerprint, offline, state
from shopflow.migrations.applying import Run

_CHANGED_ROWS: LiteralString = """
    SELECT relname::text, n_tup_del + n_tup_upd
    FROM pg_stat_xact_user_tables
    WHERE schemaname = %(schema)s AND n_tup_del + n_tup_upd > 0
"""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What would be gone.

    Attributes:
        revisions: the migrations taken back, the newest first.
        tables: rows in each table that vanishes.
        columns: rows with a value in each column that vanishes from a table that stays.
        changed_rows: rows deleted or overwritten in each table that stays.
        others: everything else that vanishes, such as `index idx_products_search`.
        unknown: why it could not be found out, None when it could; `sql` is what would run.
    """

    revisions: tuple[str, ...]
    tables: Mapping[str, int] = {}
    columns: Mapping[str, int] = {}
    changed_rows: Mapping[str, int] = {}
    others: tuple[str, ...] = ()
    unknown: str | None = None
    sql: str | None = None


def rehearse(steps: Sequence[RevisionStep], run: Run) -> Loss:
    """Find out what `steps` would lose; the database is afterwards as before."""
    connection, schema = run.lock.connection, run.settings.schema
    revisions = tuple(step.revision.revision for step in steps)
    try:
        gone, changed_rows = _gone(steps, run)
    except DBAPIError as error:
        heads = state.read(connection, schema).heads
        text = offline.of_steps(steps, files=run.files, settings=run.settings, heads=heads)
        return Loss(revisions=revisions, unknown=str(error.orig), sql=text)
    return Loss(
        revisions=revisions,
        tables={
            thing.name: _count(connection, sql.SQL("*"), schema, thing.name)
            for thing in gone
            if thing.kind == "table"
        },
        columns={
            thing.name: _count(connection, sql.Identifier(_column(thing)), schema, thing.owner)
            for thing in gone
            if thing.kind == "column" and thing.owner
        },
        changed_rows=changed_rows,
        others=tuple(
            f"{thing.kind} {thing.name}"
            for thing in gone
            if thing.kind not in {"table", "column", "comment"}
        ),
    )


def _gone(
    steps: Sequence[RevisionStep], run: Run
) -> tuple[list[fingerprint.Thing], dict[str, int]]:
    schema = run.settings.schema
    with run.engine.connect() as connection, connection.begin() as transaction:
        raw = env.raw(connection)
        before = fingerprint.read(raw, schema)
        env.rehearse(steps, files=run.files, settings=run.settings, connection=connection)
        after = fingerprint.read(raw, schema)
        rows = raw.execute(_CHANGED_ROWS, {"schema": schema}).fetchall()
        transaction.rollback()
    return fingerprint.only_in(before, after), {
        table: count for table, count in rows if table not in fingerprint.BOOKKEEPING
    }


def _count(connection: psycopg.Connection, what: sql.Composable, schema: str, table: str) -> int:
    query = sql.SQL("SELECT count({}) FROM {}").format(what, sql.Identifier(schema, table))
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


def _column(thing: fingerprint.Thing) -> str:
    return thing.name.removeprefix(f"{thing.owner}.")
