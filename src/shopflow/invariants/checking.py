"""Runs the rules of `queries.sql` and every foreign key, and says of each how it stands."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec
import psycopg
from psycopg import Connection, sql

from shopflow.postgres import queries

Result = Literal["ok", "failed", "unknown"]
RULES: queries.Queries = queries.load("shopflow.invariants")
# Of what breaks a rule; the rest is not even counted.
SHOWN = 5


class Check(msgspec.Struct, frozen=True):
    """How one thing stands.

    Attributes:
        name: of the rule.
        result: unknown when it could not be found out.
        reason: what breaks it, or why it is unknown; ids alone, nobody's data. None when it is ok.
    """

    name: str
    result: Result
    reason: str | None = None


class _ForeignKey(msgspec.Struct, frozen=True):
    name: str
    child: str
    parent: str
    columns: list[str]
    referenced: list[str]


def check(connection: Connection[Any], schema: str) -> list[Check]:
    """Check every rule of the shop on one snapshot; nothing is changed and nobody waits.

    It reads the tables whole: as long as that takes. A rule about tables that are not there, as
    in an older schema, is unknown.

    Args:
        connection: of a login that may read the tables, outside of a transaction.
        schema: the shop's.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(
            """
            SELECT set_config('search_path', quote_ident(%(schema)s) || ', public, pg_temp', TRUE),
                set_config('statement_timeout', '0', TRUE), set_config('work_mem', '64MB', TRUE)
            """,
            {"schema": schema},
        )
        found = [_checked(connection, name, _rule(query)) for name, query in RULES.items()]
        return [*found, _checked(connection, "foreign_keys", _foreign_keys(schema))]


Look = Callable[[Connection[Any]], list[str]]


def _checked(connection: Connection[Any], name: str, look: Look) -> Check:
    try:
        with connection.transaction():
            found = look(connection)
    except psycopg.Error as error:
        return Check(name, "unknown", error.diag.message_primary or type(error).__name__)
    if not found:
        return Check(name, "ok")
    more = "; and more" if len(found) > SHOWN else ""
    return Check(name, "failed", "; ".join(found[:SHOWN]) + more)


def _rule(query: queries.Query) -> Look:
    def look(connection: Connection[Any]) -> list[str]:
        # A cursor of the server: of millions of rows only the first are fetched.
        with connection.cursor(name="rule") as cursor:
            return [row[0] for row in cursor.execute(query.sql, {}).fetchmany(SHOWN + 1)]

    return look


def _foreign_keys(schema: str) -> Look:
    """Whatever the constraints say: a restored page may not know of what they refused."""

    def look(connection: Connection[Any]) -> list[str]:
        return list(_orphans(connection, schema))

    return look


def _orphans(connection: Connection[Any], schema: str) -> Iterator[str]:
    rows = connection.execute(
        """
        SELECT k.conname, child.relname, parent.relname,
            (SELECT array_agg(a.attname::text ORDER BY n.position)
             FROM unnest(k.conkey) WITH ORDINALITY AS n (number, position)
             JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = n.number),
            (SELECT array_agg(a.attname::text ORDER BY n.position)
             FROM unnest(k.confkey) WITH ORDINALITY AS n (number, position)
             JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = n.number)
        FROM pg_constraint AS k
        JOIN pg_class AS child ON child.oid = k.conrelid
        JOIN pg_class AS parent ON parent.oid = k.confrelid
        WHERE k.contype = 'f' AND k.connamespace = to_regnamespace(quote_ident(%(schema)s))
        ORDER BY k.conname
        """,
        {"schema": schema},
    ).fetchall()
    if not rows:
        raise psycopg.DataError("the schema has no foreign key")
    for row in rows:
        key = _ForeignKey(*row)
        found = connection.execute(_orphans_of(key)).fetchone()
        if found is not None and found[0]:
            yield f"{key.name}: {found[0]} rows of {key.child} without their {key.parent}"


def _orphans_of(key: _ForeignKey) -> sql.Composed:
    pairs: Mapping[str, str] = dict(zip(key.columns, key.referenced, strict=True))
    given = sql.SQL(" AND ").join(
        sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(column)) for column in pairs
    )
    same = sql.SQL(" AND ").join(
        sql.SQL("p.{} = c.{}").format(sql.Identifier(referenced), sql.Identifier(column))
        for column, referenced in pairs.items()
    )
    return sql.SQL(
        "SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})"
    ).format(sql.Identifier(key.child), given, sql.Identifier(key.parent), same)
