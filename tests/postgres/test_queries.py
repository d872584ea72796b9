"""Named queries: how they are written down, run, typed and timed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from timeit import repeat
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from shopflow.errors import (
    CommitOutcomeUnknownError,
    ConstraintViolatedError,
    InvalidInputError,
    MigrationError,
    ServerError,
)
from shopflow.postgres import queries
from shopflow.postgres.pool import Pool
from shopflow.postgres.queries import Query, parse
from shopflow.postgres.timings import EDGES, Histogram


class Thing(msgspec.Struct, frozen=True):
    id: UUID
    price: Decimal
    tags: list[str]
    made_at: datetime
    note: str | None
    attributes: bytes


@dataclass(frozen=True)
class Pair:
    a: int
    b: str


class Document(msgspec.Struct, frozen=True):
    a: int


def query(name: str, sql: str) -> Query:
    return Query(name, "A test.", sql.encode())


def parsed(text: str) -> dict[str, Query]:
    return dict(parse(text, source="test.sql"))


def test_a_file_is_read() -> None:
    found = parsed(
        """-- What this file is about.

-- name: list_brands
-- All brands,
-- by name.
SELECT id  -- the key
  FROM brands
 ORDER BY name;

-- name: pick
-- One of them.
-- plan: custom
SELECT 1
"""
    )
    brands, pick = found["list_brands"], found["pick"]
    assert (brands.name, brands.purpose) == ("list_brands", "All brands, by name.")
    assert brands.sql == b"SELECT id  -- the key\n  FROM brands\n ORDER BY name;"
    assert not brands.custom_plan
    assert (pick.purpose, pick.custom_plan) == ("One of them.", True)
    assert b"plan" not in pick.sql


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a\n-- P.\nSELECT 1\n-- name: a\n-- P.\nSELECT 2", "a: the name is there twice"),
        ("-- name: a\nSELECT 1", "a: a `-- ` line that says what it is for"),
        ("-- name: a\n-- plan: custom\nSELECT 1", "a: a `-- ` line that says what it is for"),
        ("-- name: a\n-- P.\n", "a: the statement is missing"),
        ("-- name: a\n-- P.\n\n--only a comment\n", "a: the statement is missing"),
        ("-- name: BadName\n-- P.\nSELECT 1", "BadName: the name must be in snake_case"),
        ("-- name:\n-- P.\nSELECT 1", "the name must be in snake_case"),
        ("SELECT 1;\n-- name: a\n-- P.\nSELECT 1", "SQL before the first"),
    ],
)
def test_a_file_with_a_mistake_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^test\.sql: ") as caught:
        parse(text, source="test.sql")
    assert complaint in str(caught.value)


def test_a_package_is_loaded_and_its_names_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("some_domain", "other_domain"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "queries.sql").write_text("-- name: one_of_each\n-- One.\nSELECT 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert queries.load("some_domain")["one_of_each"].sql == b"SELECT 1"
    with pytest.raises(ValueError, match=r"other_domain.*one_of_each is in some_domain too"):
        queries.load("other_domain")


async def test_documents_are_decoded_or_passed_on(pool: Pool) -> None:
    found = query("document", """SELECT '{"a": 1}'::json WHERE %(there)s""")
    null = query("null_document", "SELECT NULL::jsonb")
    async with pool.connection() as connection:
        assert await found.document(connection, Document, there=True) == Document(1)
        assert await found.raw(connection, there=True) == b'{"a": 1}'
        assert await found.document(connection, Document, there=False) is None
        assert await found.raw(connection, there=False) is None
        assert await null.document(connection, Document) is None
        with pytest.raises(msgspec.ValidationError):
            await query("other", """SELECT '{"b": 1}'::json""").document(connection, Document)


async def test_documents_do_not_need_the_pool(connection: AsyncConnection) -> None:
    found = query("document", """SELECT '{"a": 1}'::jsonb""")
    assert await found.document(connection, Document) == Document(1)


@pytest.mark.parametrize("sql", ["SELECT 1, 2", "VALUES (1), (2)", "CREATE TABLE public.x ()"])
async def test_what_is_not_one_document_is_refused(pool: Pool, sql: str) -> None:
    async with pool.connection() as connection:
        with pytest.raises(ValueError, match="query odd must return one column"):
            await query("odd", sql).raw(connection)


async def test_rows_become_structs_of_their_types(pool: Pool) -> None:
    things = query(
        "things",
        """SELECT '019a0000-0000-7000-8000-000000000001'::uuid AS id, 19.90 AS price,
                  ARRAY['x', 'y'] AS tags, '2026-01-02 03:04:05+00'::timestamptz AS made_at,
                  %(note)s::text AS note, '{"w":1}'::jsonb AS attributes""",
    )
    async with pool.connection() as connection:
        (thing,) = await things.rows(connection, Thing, note=None)
    assert thing == Thing(
        id=UUID("019a0000-0000-7000-8000-000000000001"),
        price=Decimal("19.90"),
        tags=["x", "y"],
        made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        note=None,
        attributes=b'{"w": 1}',
    )


async def test_one_row_or_none_or_an_error(pool: Pool) -> None:
    pairs = query("pairs", "SELECT a, 'x' AS b FROM generate_series(1, %(count)s::int) AS a")
    async with pool.connection() as connection:
        assert await pairs.rows(connection, Pair, count=2) == [Pair(1, "x"), Pair(2, "x")]
        assert await pairs.row(connection, Pair, count=1) == Pair(1, "x")
        assert await pairs.row(connection, Pair, count=0) is None
        with pytest.raises(ValueError, match="pairs returned 2 rows instead of one"):
            await pairs.row(connection, Pair, count=2)


@pytest.mark.parametrize(
    "columns", ["1 AS a", "1 AS a, 'x' AS b, 2 AS c", "1 AS a, 'x' AS other", "1 AS a, 2 AS a"]
)
async def test_columns_and_fields_must_be_the_same(pool: Pool, columns: str) -> None:
    async with pool.connection() as connection:
        with pytest.raises(ValueError, match=r"query odd returns .*, and Pair has a, b"):
            await query("odd", f"SELECT {columns}").rows(connection, Pair)


async def test_a_value_of_another_type_is_refused(pool: Pool) -> None:
    async with pool.connection() as connection:
        with pytest.raises(msgspec.ValidationError, match=r"\$\.a"):
            await query("odd", "SELECT 'one' AS a, 'x' AS b").rows(connection, Pair)


async def test_execute_returns_the_row_count(pool: Pool) -> None:
    async with pool.connection() as connection:
        await query("make", "CREATE TABLE public.t AS VALUES (1), (2)").execute(connection)
        assert await query("wipe", "DELETE FROM public.t").execute(connection) == 2


async def test_a_percent_sign_is_written_twice_with_or_without_parameters(pool: Pool) -> None:
    async with pool.connection() as connection:
        assert await query("percent", "SELECT to_json('5%%'::text)").raw(connection) == b'"5%"'


async def test_composed_sql_runs_under_its_name(pool: Pool) -> None:
    listing = Query.composed(
        "composed_listing",
        "A listing with some filters.",
        SQL("SELECT {} AS a, 'x' AS b").format(SQL("%(a)s::int"))
        + SQL(" FROM pg_class WHERE relname = 'pg_class' AND {} > 0").format(Identifier("oid")),
    )
    async with pool.connection() as connection:
        assert await listing.row(connection, Pair, a=7) == Pair(7, "x")
    assert queries.timings()["composed_listing"].executions == 1


async def test_a_custom_plan_is_not_prepared(pool: Pool) -> None:
    text = "-- name: {}\n-- A test.\n{}SELECT %(a)s::int AS a, 'x' AS b, '{}' AS c\n"
    custom = parsed(text.format("custom", "-- plan: custom\n", "custom"))["custom"]
    usual = parsed(text.format("usual", "", "usual"))["usual"]
    async with pool.connection() as connection:
        for _ in range(10):
            await custom.execute(connection, a=1)
            await usual.execute(connection, a=1)
        cursor = await connection.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [statement for (statement,) in await cursor.fetchall()]
    assert len(prepared) == 1
    assert "'usual'" in prepared[0]


async def test_a_broken_constraint_is_the_domains_error(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "CREATE TABLE public.t (token text CONSTRAINT t_token_key UNIQUE);"
            "INSERT INTO public.t VALUES ('hash-of-a-secret')"
        )
        insert = query("insert", "INSERT INTO public.t VALUES (%(token)s)")
        with pytest.raises(ConstraintViolatedError) as caught:
            await insert.execute(connection, token="hash-of-a-secret")
    assert caught.value.constraint == "t_token_key"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    ["SELECT id FROM not_there", "SELECT not_there FROM (SELECT 1) AS t", "SELECT not_there()"],
)
async def test_what_a_schema_that_is_not_up_lacks_is_said_to_be_that(pool: Pool, sql: str) -> None:
    async with pool.connection() as connection:
        with pytest.raises(MigrationError, match=r"not_there.*shopflow migrate up"):
            await query("missing", sql).execute(connection)


LOST = "pg_terminate_backend(pg_backend_pid(), 5000)"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT {LOST}", ServerError),
        (f"SELECT id FROM public.t WHERE {LOST} FOR NO KEY UPDATE", ServerError),
        (f"INSERT INTO public.t SELECT 2 WHERE {LOST}", CommitOutcomeUnknownError),
        (f"WITH w AS (SELECT {LOST}) UPDATE public.t SET id = 3 FROM w", CommitOutcomeUnknownError),
        (f"DELETE FROM public.t WHERE {LOST}", CommitOutcomeUnknownError),
    ],
)
async def test_a_connection_that_is_lost_is_said_to_be_that(
    pool: Pool, sql: str, expected: type[Exception]
) -> None:
    async with pool.connection() as connection:
        await connection.execute("CREATE TABLE public.t (id int); INSERT INTO public.t VALUES (1)")
        with pytest.raises(expected, match="connection was lost"):
            await query("lost", sql).execute(connection)
    async with pool.connection() as connection:
        with pytest.raises(psycopg.OperationalError):
            # What runs the transaction knows what was committed.
            async with connection.transaction():
                await query("lost", sql).execute(connection)


@pytest.mark.parametrize(
    ("sql", "params", "field", "value"),
    [
        ("SELECT %(order_id)s::uuid", {"order_id": "A-17"}, "order_id", "A-17"),
        ("SELECT 1 WHERE uuidv7() = %(a_id)s", {"limit": 20, "a_id": 17}, "a_id", 17),
        ("SELECT 1 WHERE uuidv7() = %(id)s", {"name": "x", "id": b"17"}, "id", b"17"),
        ("SELECT 1 WHERE uuidv7() = ANY(%(ids)s)", {"ids": ["A-17"]}, "ids", ["A-17"]),
        ("SELECT %(actor)s::uuid", {"a_id": None, "actor": 17}, "actor", 17),
        (
            "SELECT * FROM jsonb_to_recordset(%(lines)s::jsonb) AS l (id uuid)",
            {"lines": '[{"id": "A-17"}]'},
            "id",
            "A-17",
        ),
    ],
)
async def test_what_should_be_an_id_and_is_none_is_named(
    pool: Pool, sql: str, params: dict[str, object], field: str, value: object
) -> None:
    async with pool.connection() as connection:
        with pytest.raises(InvalidInputError, match="must be a UUID") as refused:
            await query("wrong_id", sql).execute(connection, **params)
    assert (refused.value.field, refused.value.value) == (field, value)


async def test_each_execution_is_timed_also_when_it_fails(pool: Pool) -> None:
    timed = query("timed_query", "SELECT pg_sleep(%(seconds)s), 1 / %(divisor)s::int")
    async with pool.connection() as connection:
        for seconds in (0.0, 0.0, 0.21):
            await timed.execute(connection, seconds=seconds, divisor=1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await timed.execute(connection, seconds=0.0, divisor=0)
    timing = queries.timings()["timed_query"]
    assert timing.executions == 4
    assert sum(timing.counts[EDGES.index(0.2) + 1 :]) == 1
    assert timing.seconds > 0.21


def test_the_edges_of_the_specification_are_exact() -> None:
    assert {0.2, 0.5} <= set(EDGES)
    histogram = Histogram()
    for seconds in (0.2, 0.2000001, 0.5, 0.5000001, 11.0):
        histogram.add(seconds)
    upto_200_ms = EDGES.index(0.2)
    assert histogram.counts[upto_200_ms : upto_200_ms + 3] == [1, 2, 1]
    assert histogram.counts[-1] == 1
    assert histogram.seconds == pytest.approx(12.4000002)


def test_timing_costs_less_than_a_microsecond() -> None:
    histogram = Histogram()
    # The best of many rounds: what it costs when nothing else has the core.
    best = min(repeat(lambda: histogram.add(0.0123), number=2000, repeat=20)) / 2000
    assert best < 1e-6
