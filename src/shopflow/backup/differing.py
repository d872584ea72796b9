"""Which rows of a table differ between then and now, found by the database itself."""

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import scalar_row
from psycopg.types.json import set_json_loads

from shopflow.backup import source
from shopflow.backup.restoring import Progress, restore, settings_for
from shopflow.backup.scratch import scratch
from shopflow.backup.targets import Target
from shopflow.errors import InvalidInputError
from shopflow.postgres.embedded import silent
from shopflow.postgres.roles import SECRET_COLUMNS
from shopflow.settings import Settings

LIMIT = 100
# Shown in place of what nobody may see; that it differs is told.
HIDDEN = "(secret)"


class Change(msgspec.Struct, frozen=True):
    """A column that had one value and has another; as JSON, secrets hidden."""

    column: str
    old: Any
    new: Any


class Row(msgspec.Struct, frozen=True):
    """A row that is added, removed or changed.

    Attributes:
        change: what became of it between then and now.
        key: its primary key, by column.
        columns: of a changed row, those that differ.
    """

    change: str
    key: dict[str, Any]
    columns: list[Change]


class TableDifference(msgspec.Struct, frozen=True):
    """How a table differs between then and now.

    Attributes:
        table: its name.
        added: rows that are there now and were not.
        removed: rows that were there.
        changed: rows with other values.
        rows: the first of them by primary key, as many as were asked for.
        only_then: columns that are no more, which are not compared.
        only_now: columns that were not yet, which are not compared.
    """

    table: str
    added: int
    removed: int
    changed: int
    rows: list[Row]
    only_then: list[str]
    only_now: list[str]


class _Table(msgspec.Struct, frozen=True):
    name: str
    columns: list[str]
    key: list[str]


def diff(
    settings: Settings,
    at: Target,
    tables: Iterable[str],
    *,
    limit: int = LIMIT,
    scratch_in: Path | None = None,
    report: Callable[[str], None] = silent,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[TableDifference]:
    """Compare tables of the live shop with what they were, by primary key.

    The shop as of then is restored into a scratch directory; the live tables are copied there and
    compared there, so that the live server is read once and does nothing else.

    Args:
        settings: of the live server, which runs, and `backup_url`.
        at: then.
        tables: names of tables of the shop's schema, with a primary key.
        limit: of how many rows of a table the values are returned; all are counted.
        scratch_in: on which disk to restore; None for the home.
        report: told what is done.
        progress: told how far it is, in bytes.

    Raises:
        InvalidInputError: for a table that is not there, then or now, and as `restore`.
        ConfigurationError: when no store is set.
        BackupError: as `restore`, or when a drill or another comparison is under way.
        ServerError: when the live server does not run.
    """
    names = list(dict.fromkeys(tables))
    with source.connect(settings) as live:
        now = {name: _table(live, name) for name in names}
        with scratch(settings, scratch_in) as directory:
            restore(settings, directory, at, check=False, report=report, progress=progress)
            with source.connect(settings_for(settings, directory)) as then:
                pairs = [(_table(then, name), now[name]) for name in names]
                for name in names:
                    report(f"comparing {name}")
                return [_compared(then, live, *pair, limit) for pair in pairs]


def _table(connection: psycopg.Connection, name: str) -> _Table:
    row = connection.execute(
        """
        SELECT
            (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
            (SELECT array_agg(a.attname::text ORDER BY k.position)
             FROM pg_index AS i
             CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, position)
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
             WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_class AS c
        WHERE c.relname = %(name)s AND c.relkind = 'r'
            AND c.relnamespace = current_schema()::regnamespace
        """,
        {"name": name},
    ).fetchone()
    if row is None or row[1] is None:
        raise InvalidInputError("table", name, "is no table of the shop with a primary key")
    return _Table(name, *row)


def _compared(
    then: psycopg.Connection, live: psycopg.Connection, old: _Table, new: _Table, limit: int
) -> TableDifference:
    if old.key != new.key:
        raise InvalidInputError("table", new.name, "had another primary key then")
    both = [column for column in old.columns if column in set(new.columns)]
    secret = SECRET_COLUMNS.get(new.name, set())
    with then.transaction(force_rollback=True):
        then.execute(_SESSION)
        _copy(then, live, new.name, both, secret)
        counted = then.execute(_differences(old.key, _COUNTS)).fetchone()
        with then.cursor(row_factory=scalar_row) as cursor:
            # Money stays as it is written.
            set_json_loads(partial(json.loads, parse_float=Decimal), cursor)
            found = cursor.execute(_differences(old.key, _ROWS), {"limit": limit}).fetchall()
    added, removed, changed = counted or (0, 0, 0)
    return TableDifference(
        table=new.name,
        added=added,
        removed=removed,
        changed=changed,
        rows=[_row(each, old.key, secret) for each in found],
        only_then=[column for column in old.columns if column not in new.columns],
        only_now=[column for column in new.columns if column not in old.columns],
    )


def _copy(
    then: psycopg.Connection,
    live: psycopg.Connection,
    table: str,
    columns: list[str],
    secret: set[str],
) -> None:
    """Make the temporary tables `was` and `is_now`: each row as JSON, secrets as their digests."""
    shown = sql.SQL(", ").join(
        sql.SQL("md5({0}::text) AS {0}").format(sql.Identifier(column))
        if column in secret
        else sql.Identifier(column)
        for column in columns
    )
    rows = sql.SQL("SELECT to_jsonb(r) AS row FROM (SELECT {} FROM {}) AS r").format(
        shown, sql.Identifier(table)
    )
    then.execute(sql.SQL("CREATE TEMPORARY TABLE was ON COMMIT DROP AS {}").format(rows))
    then.execute("CREATE TEMPORARY TABLE is_now (row jsonb) ON COMMIT DROP")
    with (
        live.transaction(),
        live.cursor() as reader,
        then.cursor() as writer,
    ):
        live.execute(_SESSION)
        with (
            reader.copy(sql.SQL("COPY ({}) TO STDOUT").format(rows)) as read,
            writer.copy("COPY is_now FROM STDIN") as write,
        ):
            for block in read:
                write.write(block)


# As long as it takes; and times read the same on both servers.
_SESSION = "SELECT set_config('statement_timeout', '0', TRUE), set_config('timezone', 'UTC', TRUE)"
_COUNTS = sql.SQL(
    """
    SELECT count(*) FILTER (WHERE was IS NULL), count(*) FILTER (WHERE is_now IS NULL),
        count(*) FILTER (WHERE was IS NOT NULL AND is_now IS NOT NULL)
    FROM different
    """
)
_ROWS = sql.SQL(
    """
    SELECT jsonb_build_object('was', was, 'is_now', is_now) FROM different
    ORDER BY {order} LIMIT %(limit)s
    """
)


def _differences(key: list[str], what: sql.SQL) -> sql.Composed:
    same = sql.SQL(" AND ").join(
        sql.SQL("w.row -> {0} = n.row -> {0}").format(sql.Literal(column)) for column in key
    )
    order = sql.SQL(", ").join(
        sql.SQL("coalesce(was, is_now) -> {}").format(sql.Literal(column)) for column in key
    )
    return sql.SQL(
        """
        WITH different AS (
            SELECT w.row AS was, n.row AS is_now
            FROM was AS w FULL JOIN is_now AS n ON {same}
            WHERE w.row IS DISTINCT FROM n.row
        )
        """
    ).format(same=same) + what.format(order=order)


def _row(found: Mapping[str, Any], key: list[str], secret: set[str]) -> Row:
    was, is_now = found["was"], found["is_now"]
    change = "added" if was is None else "removed" if is_now is None else "changed"
    one = was or is_now

    def shown(column: str, value: Any) -> Any:
        return HIDDEN if column in secret and value is not None else value

    columns = [
        Change(column, shown(column, was[column]), shown(column, is_now[column]))
        for column in (was if change == "changed" else ())
        if was[column] != is_now[column]
    ]
    return Row(change, {column: shown(column, one[column]) for column in key}, columns)
