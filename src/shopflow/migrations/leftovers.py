"""Indexes that a killed CREATE INDEX CONCURRENTLY left invalid, found and built again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from shopflow.errors import MigrationError
from shopflow.migrations import env

POLL = 0.2
# A killed migrator's index may still be under way until the server has noticed its end.
WAIT_FOR_BUILD = 600.0
# What REINDEX CONCURRENTLY leaves: the copy that was not ready, or the old one not yet dropped.
_COPY = re.compile(r"_cc(new|old)\d*$")

_INVALID: LiteralString = """
    SELECT c.relname::text AS name, t.relname::text AS on_table,
           EXISTS (
               SELECT FROM pg_stat_progress_create_index AS p
               WHERE p.index_relid = c.oid AND p.datname = current_database()
           ) AS being_built
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND NOT i.indisvalid
    ORDER BY c.relname
"""


class InvalidIndex(msgspec.Struct, frozen=True):
    """An index that PostgreSQL keeps up to date but does not use."""

    name: str
    on_table: str
    being_built: bool


def invalid_indexes(connection: psycopg.Connection, schema: str) -> list[InvalidIndex]:
    """Return the invalid indexes of `schema`."""
    with connection.cursor(row_factory=class_row(InvalidIndex)) as cursor:
        return cursor.execute(_INVALID, {"schema": schema}).fetchall()


def repair(connection: psycopg.Connection, schema: str, report: Callable[[str], None]) -> None:
    """Rebuild the invalid indexes of `schema` and drop left-over copies, over autocommit.

    Must come before the migrations: CREATE INDEX IF NOT EXISTS would skip an invalid one.

    Raises:
        MigrationError: a unique index cannot be rebuilt because of duplicates.
    """
    for index in _abandoned(connection, schema, report):
        name = sql.Identifier(schema, index.name)
        with _patient(connection):
            if _COPY.search(index.name):
                report(f"dropping {index.name}, left behind by an interrupted REINDEX")
                connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(name))
            else:
                report(f"rebuilding {index.name} on {index.on_table}, left invalid")
                _rebuild(connection, schema, index)


def _abandoned(
    connection: psycopg.Connection, schema: str, report: Callable[[str], None]
) -> list[InvalidIndex]:
    end = time.monotonic() + WAIT_FOR_BUILD
    said: set[str] = set()
    while True:
        found = invalid_indexes(connection, schema)
        busy = {index.name for index in found if index.being_built}
        if not busy:
            return found
        if time.monotonic() > end:
            raise MigrationError(f"another session is still building {', '.join(sorted(busy))}")
        if busy - said:
            report(f"another session is building {', '.join(sorted(busy))}; waiting for it")
            said |= busy
        time.sleep(POLL)


def _rebuild(connection: psycopg.Connection, schema: str, index: InvalidIndex) -> None:
    name = sql.Identifier(schema, index.name)
    try:
        connection.execute(sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(name))
    except psycopg.errors.UniqueViolation as error:
        for copy in invalid_indexes(connection, schema):
            if copy.on_table == index.on_table and _COPY.search(copy.name):
                connection.execute(
                    sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, copy.name))
                )
        raise MigrationError(
            f"the unique index {index.name} on {index.on_table} is invalid and cannot be rebuilt: "
            f"{error.diag.message_detail or 'there are duplicates'} Remove the duplicates and "
            "run again."
        ) from error


@contextmanager
def _patient(connection: psycopg.Connection) -> Iterator[None]:
    connection.execute(env.PATIENT)
    yield
    connection.execute(env.IMPATIENT)
