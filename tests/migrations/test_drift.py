import psycopg
import pytest
from psycopg import sql

from shopflow.errors import MigrationError
from shopflow.migrations import drift, env, lint, runner
from shopflow.migrations.locking import MigratorLock
from shopflow.settings import Settings
from tests.migrations.conftest import Versions, values

OBJECTS = [
    "CREATE TABLE goods (id int PRIMARY KEY, name text NOT NULL, price numeric DEFAULT 1,"
    " CONSTRAINT price_positive CHECK (price > 0), twice numeric GENERATED ALWAYS AS (price * 2)"
    " STORED)",
    "CREATE TABLE parts (goods_id int CONSTRAINT parts_goods REFERENCES goods)",
    "CREATE INDEX goods_name ON goods (name)",
    "CREATE SEQUENCE numbers",
    "CREATE TYPE size AS ENUM ('s', 'm')",
    "CREATE VIEW cheap AS SELECT id FROM goods WHERE price < 10",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS"
    " 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER goods_touch BEFORE UPDATE ON goods FOR EACH ROW EXECUTE FUNCTION touch()",
    "COMMENT ON COLUMN goods.name IS 'What it is called'",
    "CREATE STATISTICS goods_both ON id, name FROM goods",
    "CREATE POLICY everyone ON goods USING (id > 0)",
]
BY_HAND = [
    ("DROP TABLE parts", [("missing", "table", "parts")]),
    ("CREATE TABLE more (id int)", [("extra", "table", "more")]),
    ("ALTER TABLE parts SET UNLOGGED", [("different", "table", "parts")]),
    ("ALTER TABLE goods ADD colour text", [("extra", "column", "goods.colour")]),
    ("ALTER TABLE parts ALTER goods_id TYPE bigint", [("different", "column", "parts.goods_id")]),
    (
        "ALTER TABLE goods ALTER name DROP NOT NULL",
        [
            ("different", "column", "goods.name"),
            ("missing", "constraint", "goods.goods_name_not_null"),
        ],
    ),
    ("ALTER TABLE goods ALTER price SET DEFAULT 2", [("different", "column", "goods.price")]),
    (
        "ALTER TABLE goods ALTER twice SET EXPRESSION AS (price * 3)",
        [("different", "column", "goods.twice")],
    ),
    (
        "ALTER TABLE goods DROP CONSTRAINT price_positive,"
        " ADD CONSTRAINT price_positive CHECK (price >= 0)",
        [("different", "constraint", "goods.price_positive")],
    ),
    (
        "ALTER TABLE parts DROP CONSTRAINT parts_goods",
        [("missing", "constraint", "parts.parts_goods")],
    ),
    ("DROP INDEX goods_name", [("missing", "index", "goods_name")]),
    ("CREATE INDEX again ON goods (name, id)", [("extra", "index", "again")]),
    ("ALTER SEQUENCE numbers INCREMENT 2", [("different", "sequence", "numbers")]),
    ("ALTER TYPE size ADD VALUE 'l'", [("different", "type", "size")]),
    (
        "CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < 9",
        [("different", "view", "cheap")],
    ),
    (
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path FROM CURRENT AS 'BEGIN RETURN OLD; END'",
        [("different", "function", "touch()")],
    ),
    ("ALTER FUNCTION touch() RESET search_path", [("different", "function", "touch()")]),
    (
        "ALTER TABLE goods DISABLE TRIGGER goods_touch",
        [("different", "trigger", "goods.goods_touch")],
    ),
    ("DROP TRIGGER goods_touch ON goods", [("missing", "trigger", "goods.goods_touch")]),
    (
        "COMMENT ON COLUMN goods.name IS 'x'",
        [("different", "comment", "column name of table goods")],
    ),
    ("COMMENT ON TABLE goods IS 'x'", [("extra", "comment", "table goods")]),
    ("DROP STATISTICS goods_both", [("missing", "statistics", "goods_both")]),
    ("DROP POLICY everyone ON goods", [("missing", "policy", "goods.everyone")]),
    ("ALTER TABLE goods SET (fillfactor = 50)", [("different", "table", "goods")]),
    ("GRANT SELECT ON goods TO PUBLIC", []),
    ("INSERT INTO goods VALUES (1, 'a', 1)", []),
]


@pytest.fixture
def shop(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> psycopg.Connection:
    for statement in OBJECTS:
        versions.add(statement)
    runner.up(empty_settings, locations=[versions.directory])
    return database


@pytest.mark.parametrize(("statement", "expected"), BY_HAND)
def test_what_is_changed_by_hand_is_found_and_nothing_else(
    empty_settings: Settings,
    versions: Versions,
    shop: psycopg.Connection,
    statement: str,
    expected: list[tuple[str, str, str]],
) -> None:
    shop.execute(statement.encode())
    found = runner.check(empty_settings, locations=[versions.directory])
    changes = [(it.change, it.kind, it.name) for it in found.drift]
    assert changes == expected
    assert (
        values(shop, f"SELECT nspname FROM pg_namespace WHERE nspname ~ '^{drift.SCRATCH}'") == []
    )


def test_the_schema_as_migrated_is_clean(settings: Settings) -> None:
    found = runner.check(settings)
    assert [str(line) for line in (*found.drift, *found.findings)] == []
    assert found.lint_skipped is None
    assert found.clean


def test_a_difference_shows_both_definitions(settings: Settings) -> None:
    with env.connection(settings, application_name="test") as connection:
        connection.execute("ALTER TABLE products ALTER price SET DEFAULT 12")
    (difference,) = runner.check(settings).drift
    assert str(difference).startswith("different: column products.price\n  expected: numeric")
    assert str(difference).endswith("DEFAULT 12")


def test_what_is_pending_is_no_drift(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    last = versions.add("CREATE TABLE later (id int)")
    found = runner.check(empty_settings, locations=[versions.directory])
    assert (found.drift, found.pending) == ([], [last])


def test_what_a_killed_check_left_is_dropped_but_not_that_of_one_at_work(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    shop.execute("CREATE SCHEMA _shopflow_check_dead CREATE TABLE one (id int)")
    shop.execute("CREATE SCHEMA _shopflow_check_busy")
    assert MigratorLock(shop, "_shopflow_check_busy").try_acquire()
    runner.check(empty_settings, locations=[versions.directory])
    assert values(shop, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^_shopflow_check'") == [
        "_shopflow_check_busy"
    ]


def test_a_login_that_may_not_create_a_schema_is_told_what_it_needs(
    empty_settings: Settings,
    versions: Versions,
    shop: psycopg.Connection,
    admin: psycopg.Connection,
) -> None:
    name = sql.Identifier(shop.info.dbname)
    admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(name))
    with pytest.raises(MigrationError, match="GRANT CREATE ON DATABASE"):
        runner.check(empty_settings, locations=[versions.directory])


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE goods ADD CHECK (price < 100)", "constraint-missing-not-valid"),
        ("CREATE INDEX more ON goods (price)", "require-concurrent-index-creation"),
        ("ALTER TABLE goods DROP COLUMN price", "ban-drop-column"),
        ("ALTER TABLE goods RENAME COLUMN price TO cost", "renaming-column"),
    ],
)
def test_what_would_hurt_a_shop_at_work_is_found(
    empty_settings: Settings, versions: Versions, statement: str, rule: str
) -> None:
    versions.add("CREATE TABLE goods (id bigint, price numeric)")
    revision = versions.add(statement)
    found = runner.check(empty_settings, locations=[versions.directory])
    assert [(it.file, it.rule) for it in found.findings] == [(f"{revision}_step.py", rule)]
    assert found.findings[0].statement == f"{statement};"
    assert not found.clean


def test_a_file_with_another_name_is_found(empty_settings: Settings, versions: Versions) -> None:
    path = versions.path(versions.add("CREATE TABLE goods (id bigint)"))
    path.rename(path.with_name("goods.py"))
    found = runner.check(empty_settings, locations=[versions.directory])
    assert [(it.file, it.rule) for it in found.findings] == [("goods.py", "file-name")]


def test_without_squawk_the_lint_is_skipped_and_says_so(
    empty_settings: Settings, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint, "squawk", lambda: None)
    versions.add("CREATE TABLE goods (id int)")
    found = runner.check(empty_settings, locations=[versions.directory])
    assert found.lint_skipped == "squawk is not installed (pip install squawk-cli)"
    assert found.clean
