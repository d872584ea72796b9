"""The specification's Markdown, read line by line and compared with the live database.

What differs on purpose is named here, and docs/explanation/spec-decisions.md gives the reason.
"""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import POOL_LIMITS, Settings

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT.parent / "shared" / "spec" / "database-architecture.md"
DECISIONS = ROOT / "docs" / "explanation" / "spec-decisions.md"
VERSIONS = ROOT / "src" / "shopflow" / "migrations" / "versions"

pytestmark = pytest.mark.skipif(
    not SPECIFICATION.is_file(), reason=f"the specification is not at {SPECIFICATION}"
)

RENAMED_COLUMNS = {("order_items", "price"): "unit_price"}
ACTIONS = {"CASCADE": "c", "SET NULL": "n", "RESTRICT": "r"}
# Indexes that are built otherwise than written: the live definition, after ON <table>.
OTHER_INDEXES = {
    "users_email_key": "UNIQUE USING btree (lower((email)::text)) WHERE (deleted_at IS NULL)",
    "idx_products_slug": "UNIQUE USING btree (lower((slug)::text)) WHERE (deleted_at IS NULL)",
    "idx_products_sku": "UNIQUE USING btree (lower((sku)::text)) WHERE (deleted_at IS NULL)",
    "idx_products_search": "USING gin (document) WITH (fastupdate=off)",
    "idx_products_active": "USING btree (created_at DESC, id DESC) "
    "WHERE ((is_active = true) AND (deleted_at IS NULL))",
    "idx_products_category_id": "USING btree (category_id, created_at DESC, id DESC)",
    "idx_products_brand_id": "USING btree (brand_id, created_at DESC, id DESC)",
    "idx_products_price": "USING btree (price, created_at DESC, id DESC)",
    "idx_products_category_price": "USING btree (category_id, price, created_at DESC, id DESC) "
    "WHERE ((is_active = true) AND (deleted_at IS NULL))",
    "idx_products_stock": "USING brin (stock_quantity) WHERE (track_inventory = true)",
    "idx_categories_slug": "UNIQUE USING btree (lower((slug)::text))",
    "idx_carts_user_id": "UNIQUE USING btree (user_id)",
    "idx_carts_session_id": "UNIQUE USING btree (session_id)",
    "idx_orders_order_number": "UNIQUE USING btree (order_number)",
    "idx_cart_items_product_variant": "UNIQUE USING btree (cart_id, product_id, variant_id) "
    "NULLS NOT DISTINCT",
}
OTHER_TABLES = {"idx_products_search": "product_search"}
# Checks that ask for more than the text: NaN is no price.
STRICTER_CHECKS = {"products_price_positive", "products_compare_price"}
PRICES = (None, "-0.01", "0", "0.01", "20", "99999999.99", "NaN")


def specification(first: str, last: str) -> str:
    """The text from one heading up to another."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    return text[text.index(f"\n## {first}") : text.index(f"\n## {last}")]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without headings and rules."""
    lines = [
        line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")
    ]
    cells = [[cell.strip().strip("`") for cell in line] for line in lines]
    return [row for row in cells if not row[0].startswith("-")]


@pytest.fixture
def live(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(conninfo(settings)) as connection:
        yield connection


def one(live: psycopg.Connection, query: bytes, **values: str) -> tuple[object, ...] | None:
    return live.execute(query, values).fetchone()


def catalogue() -> list[list[str]]:
    return [row for row in rows(specification("2. ", "3. ")) if row[0] != "Table"]


def test_all_23_tables_are_there_with_their_key_columns_and_a_comment(
    live: psycopg.Connection,
) -> None:
    tables = catalogue()
    assert len(tables) == 23
    for table, _, key_columns, _ in tables:
        found = live.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %(table)s::regclass",
            {"table": table},
        ).fetchall()
        names = {name for (name,) in found}
        for written in key_columns.split(", "):
            column = RENAMED_COLUMNS.get((table, written), written.removesuffix("[]"))
            assert column in names, f"{table}.{column}"
        comment = one(live, b"SELECT obj_description(%(table)s::regclass)", table=table)
        assert comment is not None
        assert comment[0], f"{table} has no comment"


def literal_indexes() -> list[str]:
    text = specification("3. ", "4. ") + specification("6. ", "7. ").replace('"', "")
    return re.findall(r"CREATE (?:UNIQUE )?INDEX [^;]+;", text)


def index_definition(live: psycopg.Connection, name: str) -> str | None:
    row = one(
        live,
        b"SELECT pg_get_indexdef(c.oid) FROM pg_class AS c WHERE c.oid = to_regclass(%(name)s)",
        name=name,
    )
    if row is None:
        return None
    unique, table = "UNIQUE " if "UNIQUE INDEX" in str(row[0]) else "", str(row[0]).split(" ON ")[1]
    return unique + table.partition(" ")[2]


def table_of(live: psycopg.Connection, name: str) -> str:
    row = one(
        live,
        b"SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = %(n)s::regclass",
        n=name,
    )
    assert row is not None
    return str(row[0])


def test_every_named_index_is_there_as_written_or_as_decided(live: psycopg.Connection) -> None:
    written = literal_indexes()
    assert len(written) == 31
    for statement in written:
        found = re.match(r"CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+)", statement)
        assert found is not None, statement
        name, table = found.groups()
        built = index_definition(live, name)
        assert built is not None, f"{name} is missing"
        assert table_of(live, name) == OTHER_TABLES.get(name, table)
        expected = OTHER_INDEXES.get(name) or as_postgresql_reads(live, statement, name)
        assert built == expected, name


def as_postgresql_reads(live: psycopg.Connection, statement: str, name: str) -> str | None:
    """What the specification's own statement makes, in a transaction that is taken back."""
    with live.transaction(force_rollback=True):
        live.execute(f"DROP INDEX {name}".encode())
        live.execute(statement.encode())
        return index_definition(live, name)


def test_every_foreign_key_action_is_as_written(live: psycopg.Connection) -> None:
    keys = [row for row in rows(specification("8. ", "9. ")) if " -> " in row[0]]
    assert len(keys) == 10
    for relationship, on_delete, on_update in keys:
        child, parent = relationship.split(" -> ")
        found = one(
            live,
            b"SELECT confdeltype::text, confupdtype::text FROM pg_constraint WHERE contype = 'f' "
            b"AND conrelid = %(child)s::regclass AND confrelid = %(parent)s::regclass",
            child=child,
            parent=parent,
        )
        assert found == (ACTIONS[on_delete], ACTIONS[on_update]), relationship


def test_every_check_is_as_written_or_stricter(live: psycopg.Connection) -> None:
    text = specification("8. ", "9. ")
    checks = re.findall(r"CONSTRAINT (\w+) CHECK (\((?:[^()]|\([^()]*\))*\))", text)
    assert len(checks) == 7
    for name, expression in checks:
        found = one(
            live,
            b"SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            b"WHERE conname = %(name)s AND contype = 'c' AND convalidated",
            name=name,
        )
        assert found is not None, f"{name} is missing"
        table, built = found
        with live.transaction(force_rollback=True):
            live.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
            live.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK {expression}".encode())
            literal = one(
                live,
                b"SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
                b"WHERE conname = %(name)s",
                name=name,
            )
        assert literal is not None
        if name not in STRICTER_CHECKS:
            assert (table, built) == literal, name
            continue
        ours = refused(live, str(built))
        theirs = refused(live, str(literal[1]))
        assert theirs, f"no pair of prices tries {name}"
        assert theirs < ours, f"{name} is not stricter"
        assert all("NaN" in pair for pair in ours - theirs), name


def refused(live: psycopg.Connection, check: str) -> set[tuple[str | None, str | None]]:
    """The pairs of price and compare_at_price that a check on products does not let in."""
    found = set()
    with live.transaction(force_rollback=True):
        live.execute(
            "CREATE TEMP TABLE trial AS SELECT price, compare_at_price FROM products WITH NO DATA"
        )
        live.execute(f"ALTER TABLE trial ADD {check}".encode())
        for pair in product(PRICES, PRICES):
            try:
                with live.transaction():
                    live.execute("INSERT INTO trial VALUES (%s, %s)", pair)
            except psycopg.errors.CheckViolation:
                found.add(pair)
    return found


def test_the_users_table_has_the_templates_columns(live: psycopg.Connection) -> None:
    text = specification("6. ", "7. ").replace('"', "")
    body = text[text.index("CREATE TABLE users (") : text.index("CONSTRAINT users_pkey")]
    columns = re.findall(r"^    (\w+) (\S+)( NOT NULL)?(?: DEFAULT ([^,]+))?,", body, re.MULTILINE)
    assert len(columns) == 10
    for name, kind, not_null, default in columns:
        found = one(
            live,
            b"SELECT a.atttypid = %(kind)s::regtype, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) "
            b"FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON (adrelid, adnum) = (attrelid, attnum) "
            b"WHERE attrelid = 'users'::regclass AND attname = %(name)s",
            kind=kind.split("(")[0],
            name=name,
        )
        assert found is not None, name
        assert found[:2] == (True, bool(not_null)), name
        built = str(found[2]).split("::")[0] if found[2] is not None else ""
        assert built.lower() == ("uuidv7()" if name == "id" else default.lower()), name


def test_the_pool_has_the_numbers_as_written() -> None:
    text = specification("5. ", "6. ")
    config = {key: int(value) for key, value in re.findall(r"(\w+): (\d+),", text)}
    default = settings_module.load({}, environment="production")
    assert config == {
        "max": default.pool_max_size,
        "idleTimeoutMillis": default.pool_max_idle * 1000,
        "connectionTimeoutMillis": default.pool_timeout * 1000,
        "maxUses": default.pool_max_uses,
    }
    environments = {row[0].lower(): row[1:] for row in rows(text) if row[0] != "Environment"}
    assert environments == {
        name: [str(size), f"{idle:g}s"] for name, (size, idle) in POOL_LIMITS.items()
    }


def test_every_migration_named_is_there_and_all_are_named_so() -> None:
    named = re.findall(r"^(\d{14}_\w+)\.ts$", specification("6. ", "7. "), re.MULTILINE)
    assert len(named) == 4
    files = {path.stem for path in VERSIONS.glob("*.py")}
    assert set(named) <= files
    assert all(re.fullmatch(r"\d{14}_[a-z0-9_]+", file) for file in files)


def test_soft_and_hard_delete_are_as_written(live: psycopg.Connection) -> None:
    text = specification("9. ", "10. ")
    soft = {row[0] for row in rows(text) if len(row) == 3 and row[1] == "deleted_at"}
    assert soft == {"users", "products"}
    found = live.execute(
        "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid "
        "WHERE attname = 'deleted_at' AND relkind = 'r' "
        "AND relnamespace = current_schema()::regnamespace AND relname <> 'deleted_user_orders'"
    ).fetchall()
    assert {table for (table,) in found} == soft


def test_what_differs_has_its_reason_in_the_decisions() -> None:
    decisions = DECISIONS.read_text(encoding="utf-8")
    columns = {f"{table}.{column}" for table, column in RENAMED_COLUMNS}
    for name in OTHER_INDEXES.keys() | STRICTER_CHECKS | columns:
        assert f"`{name}`" in decisions, f"{name} is not explained"
