"""Databases that were dumped and restored: pg_restore writes some expressions otherwise."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from shopflow.migrations import env, fingerprint, runner
from shopflow.migrations.fingerprint import Fingerprint
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.migrations.conftest import Versions

# An example of everything that holds an expression which changes its form.
EVERY_KIND = [
    "CREATE DOMAIN colour AS varchar CHECK (VALUE IN ('red', 'blue'))",
    "CREATE TABLE goods (id int PRIMARY KEY, state varchar DEFAULT 'new'"
    " CONSTRAINT goods_state CHECK (state IN ('new', 'old')),"
    " known bool DEFAULT ('x'::varchar IN ('y', 'z')),"
    " is_new bool GENERATED ALWAYS AS (state IN ('new', 'newer')) STORED,"
    " CONSTRAINT goods_once EXCLUDE USING btree (state WITH =) WHERE (state IN ('one', 'only')))",
    "CREATE INDEX goods_some ON goods (id) WHERE state IN ('new', 'old')",
    "CREATE INDEX goods_is ON goods ((state IN ('new', 'old')))",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS"
    " 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER goods_touch BEFORE UPDATE ON goods FOR EACH ROW"
    " WHEN (NEW.state IN ('new', 'old')) EXECUTE FUNCTION touch()",
    "CREATE POLICY everyone ON goods USING (state IN ('new', 'old'))"
    " WITH CHECK (state IN ('new', 'old'))",
    "CREATE STATISTICS goods_both ON id, (state IN ('new', 'old')) FROM goods",
    "CREATE VIEW news WITH (security_barrier = true) AS"
    " SELECT id FROM goods WHERE state IN ('new', 'newer')",
    "CREATE MATERIALIZED VIEW kept AS SELECT id FROM goods WHERE state IN ('new', 'newer')",
    "CREATE RULE quiet AS ON DELETE TO goods WHERE OLD.state IN ('new', 'old') DO INSTEAD NOTHING",
    "CREATE FUNCTION is_new(state varchar, known bool DEFAULT ('x'::varchar IN ('y', 'z')))"
    " RETURNS bool RETURN state IN ('new', 'newer')",
    "CREATE TABLE parts (id int, state varchar CONSTRAINT parts_state CHECK (state IN ('a', 'b')),"
    " is_a bool GENERATED ALWAYS AS (state IN ('a', 'A')) STORED) PARTITION BY RANGE (id)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (9)",
    "CREATE TRIGGER parts_touch BEFORE UPDATE ON parts FOR EACH ROW"
    " WHEN (NEW.state IN ('a', 'b')) EXECUTE FUNCTION touch()",
    "CREATE INDEX parts_some ON parts (id) WHERE state IN ('a', 'b')",
]


def move(source: Settings, target: Settings, directory: Path) -> None:
    """Dump one database and restore it into another, empty one."""
    server, file = Server(source), directory / "shop.dump"
    assert source.database_url is not None
    assert target.database_url is not None
    dump, restore = server.binary("pg_dump"), server.binary("pg_restore")
    subprocess.run([dump, "-Fc", "-f", file, source.database_url], check=True)
    subprocess.run([restore, "--exit-on-error", "-d", target.database_url, file], check=True)


def read(settings: Settings) -> Fingerprint:
    with env.connection(settings, application_name="test") as connection:
        return fingerprint.read(connection, settings.schema)


def test_a_restored_shop_is_clean(
    settings: Settings, empty_settings: Settings, tmp_path: Path
) -> None:
    move(settings, empty_settings, tmp_path)
    assert fingerprint.compare(read(settings), read(empty_settings))
    assert [str(it) for it in runner.check(empty_settings).drift] == []


def test_everything_that_holds_an_expression_may_be_restored(
    settings: Settings, empty_settings: Settings, versions: Versions, tmp_path: Path
) -> None:
    for statement in EVERY_KIND:
        versions.add(statement)
    own = msgspec.structs.replace(settings, schema="own")
    restored = msgspec.structs.replace(empty_settings, schema="own")
    runner.up(own, locations=[versions.directory])
    move(own, restored, tmp_path)
    written = fingerprint.compare(read(own), read(restored))
    assert {it.kind for it in written} == {
        *("type", "column", "constraint", "index", "trigger", "policy", "statistics"),
        *("view", "materialized view", "rule", "function"),
    }
    assert [str(it) for it in runner.check(restored, locations=[versions.directory]).drift] == []


def test_what_was_changed_after_a_restore_is_found(
    settings: Settings, empty_settings: Settings, tmp_path: Path
) -> None:
    move(settings, empty_settings, tmp_path)
    with env.connection(empty_settings, application_name="test") as connection:
        connection.execute(
            "ALTER TABLE users DROP CONSTRAINT users_role_check,"
            " ADD CONSTRAINT users_role_check CHECK (role IN ('customer', 'admin'))"
        )
    (found,) = runner.check(empty_settings).drift
    assert str(found).startswith("different: constraint users.users_role_check\n")


@pytest.mark.parametrize("schema", ["public", "temp", "search_path", "select"])
def test_a_schema_of_any_name_is_clean(empty_settings: Settings, schema: str) -> None:
    named = msgspec.structs.replace(empty_settings, schema=schema)
    runner.up(named)
    assert [str(it) for it in runner.check(named).drift] == []
