from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
from psycopg import sql

from shopflow.errors import MigrationError, ServerError
from shopflow.migrations import runner
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.migrations.conftest import Versions, values


def test_up_applies_what_is_pending_and_only_that(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    first = versions.add("CREATE TABLE one (id int)")
    said: list[str] = []
    applied = runner.up(empty_settings, locations=[versions.directory], report=said.append)
    assert applied == [first]
    assert said == ["making the schema, migrations: 1"]
    second = versions.add("CREATE TABLE two (id int)")
    done = runner.up(empty_settings, locations=[versions.directory], report=said.append)
    assert done == [second]
    assert second in said[-1]
    assert runner.up(empty_settings, locations=[versions.directory]) == []
    assert values(database, "SELECT count(*) FROM one, two") == [0]
    assert values(database, "SELECT version_num FROM alembic_version") == [second]
    assert values(database, "SELECT revision FROM migration_checksums ORDER BY 1") == [
        first,
        second,
    ]


def test_up_to_a_target(empty_settings: Settings, versions: Versions) -> None:
    first = versions.add("CREATE TABLE one (id int)")
    versions.add("CREATE TABLE two (id int)")
    assert runner.up(empty_settings, target=first, locations=[versions.directory]) == [first]


def test_everything_is_in_the_schema_of_the_settings(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("CREATE TABLE one (id int)")
    other = msgspec.structs.replace(empty_settings, schema="boutique")
    runner.up(other, locations=[versions.directory])
    tables = values(
        database,
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace ="
        " 'boutique'::regnamespace ORDER BY 1",
    )
    assert tables == ["alembic_version", "migration_checksums", "one"]


def test_a_failing_migration_leaves_nothing_and_the_ones_before_stay(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    first = versions.add("CREATE TABLE one (id int)")
    second = versions.add('CREATE TABLE two (id int)""")\nop.execute("""SELECT 1/0')
    with pytest.raises(MigrationError, match=rf"{second}_step\.py.*division by zero"):
        runner.up(empty_settings, locations=[versions.directory])
    assert values(database, "SELECT version_num FROM alembic_version") == [first]
    assert values(database, "SELECT to_regclass('two')") == [None]
    assert values(database, "SELECT revision FROM migration_checksums") == [first]


def test_no_timeout_of_the_settings_cuts_a_migration_off(
    empty_settings: Settings, versions: Versions
) -> None:
    versions.add("SELECT pg_sleep(0.3)")
    hasty = msgspec.structs.replace(empty_settings, statement_timeout=0.1)
    assert len(runner.up(hasty, locations=[versions.directory])) == 1


def test_a_changed_file_is_refused_and_shown(empty_settings: Settings, versions: Versions) -> None:
    revision = versions.add("CREATE TABLE one (id int)")
    runner.up(empty_settings, locations=[versions.directory])
    path = versions.path(revision)
    path.write_text(path.read_text().replace("id int", "id bigint"))
    with pytest.raises(MigrationError, match=path.name):
        runner.up(empty_settings, locations=[versions.directory])
    with pytest.raises(MigrationError, match=path.name):
        runner.down(empty_settings, confirm=lambda _: True, locations=[versions.directory])
    found = runner.status(empty_settings, locations=[versions.directory])
    assert [migration.revision for migration in found.changed] == [revision]


def test_line_endings_are_no_change(empty_settings: Settings, versions: Versions) -> None:
    path = versions.path(versions.add("CREATE TABLE one (id int)"))
    runner.up(empty_settings, locations=[versions.directory])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert runner.up(empty_settings, locations=[versions.directory]) == []


def test_a_database_of_a_newer_release_is_refused(
    empty_settings: Settings, versions: Versions
) -> None:
    versions.add("CREATE TABLE one (id int)")
    newest = versions.add("CREATE TABLE two (id int)")
    runner.up(empty_settings, locations=[versions.directory])
    versions.path(newest).unlink()
    with pytest.raises(MigrationError, match=f"{newest}.*newer ShopFlow"):
        runner.up(empty_settings, locations=[versions.directory])


def test_a_file_that_is_no_python_is_named(empty_settings: Settings, versions: Versions) -> None:
    path = versions.path(versions.add("CREATE TABLE one (id int)"))
    path.write_text("def upgrade(:")
    with pytest.raises(MigrationError, match=path.name):
        runner.up(empty_settings, locations=[versions.directory])


def test_production_wants_a_backup_unless_the_schema_is_empty(
    empty_settings: Settings, versions: Versions
) -> None:
    production = msgspec.structs.replace(empty_settings, environment="production")
    versions.add("CREATE TABLE one (id int)")
    assert len(runner.up(production, locations=[versions.directory])) == 1
    assert runner.up(production, locations=[versions.directory]) == []
    second = versions.add("CREATE TABLE two (id int)")
    with pytest.raises(MigrationError, match="--i-have-a-backup"):
        runner.up(production, locations=[versions.directory])
    with pytest.raises(MigrationError, match="--i-have-a-backup"):
        runner.down(production, confirm=lambda _: True, locations=[versions.directory])
    said: list[str] = []
    assert runner.up(
        production, have_backup=True, locations=[versions.directory], report=said.append
    ) == [second]
    assert any("--i-have-a-backup" in line for line in said)


def test_status_on_an_empty_database_as_a_reader_who_cannot_write(
    empty_settings: Settings, versions: Versions, admin: psycopg.Connection
) -> None:
    admin.execute("DROP ROLE IF EXISTS only_looks")
    admin.execute("CREATE ROLE only_looks LOGIN PASSWORD 'looks'")
    admin.execute("ALTER ROLE only_looks SET default_transaction_read_only = on")
    reader = as_login(empty_settings, "only_looks", "looks")
    revision = versions.add("CREATE TABLE one (id int)")
    found = runner.status(reader, locations=[versions.directory])
    assert found.heads == ()
    assert [migration.revision for migration in found.pending] == [revision]
    runner.up(empty_settings, locations=[versions.directory])
    with psycopg.connect(conninfo(empty_settings)) as owner:
        owner.execute("GRANT USAGE ON SCHEMA shopflow TO only_looks")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA shopflow TO only_looks")
    assert runner.status(reader, locations=[versions.directory]).pending == []


def test_a_server_that_is_not_there(empty_settings: Settings) -> None:
    nowhere = msgspec.structs.replace(
        empty_settings, database_url="postgresql://nobody@127.0.0.1:1/nothing"
    )
    with pytest.raises(ServerError, match="cannot connect"):
        runner.status(nowhere)


def test_a_file_that_others_follow_cannot_be_missing(
    empty_settings: Settings, versions: Versions
) -> None:
    first = versions.add("CREATE TABLE one (id int)")
    versions.add("CREATE TABLE two (id int)")
    versions.path(first).unlink()
    with pytest.warns(UserWarning, match=first), pytest.raises(MigrationError, match=first):
        runner.up(empty_settings, locations=[versions.directory])


def test_what_the_login_may_not_do_is_said(
    empty_settings: Settings, versions: Versions, admin: psycopg.Connection
) -> None:
    versions.add("CREATE TABLE one (id int)")
    stranger = new_login(admin, empty_settings, "may_nothing")
    elsewhere = msgspec.structs.replace(stranger, schema="boutique")
    denied = "the database refused: permission denied for"
    with pytest.raises(MigrationError, match=rf"{denied} database .* belongs to shopflow_owner"):
        runner.up(elsewhere, locations=[versions.directory])
    runner.up(empty_settings, locations=[versions.directory])
    owner = (
        r"the schema shopflow belongs to shopflow_owner, and this login is may_nothing:"
        r" run it as shopflow_owner, or set another SHOPFLOW_SCHEMA"
    )
    for command in (runner.up, runner.status):
        with pytest.raises(MigrationError, match=rf"{denied} schema shopflow; {owner}"):
            command(stranger, locations=[versions.directory])
    with psycopg.connect(conninfo(empty_settings)) as connection:
        connection.execute("GRANT USAGE ON SCHEMA shopflow TO may_nothing")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA shopflow TO may_nothing")
    with pytest.raises(MigrationError, match=rf"{denied} schema shopflow; {owner}"):
        runner.up(stranger, locations=[versions.directory])
    with pytest.raises(MigrationError, match=rf"check makes a schema .* may not: {owner}"):
        runner.check(stranger, locations=[versions.directory])


def test_a_login_that_cannot_hand_over_what_it_makes_is_refused_before_it_makes_anything(
    empty_settings: Settings,
    versions: Versions,
    database: psycopg.Connection,
    admin: psycopg.Connection,
) -> None:
    revision = versions.add("CREATE TABLE one (id int)")
    newcomer = new_login(admin, empty_settings, "may_create")
    name = sql.Identifier(database.info.dbname)
    database.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO may_create").format(name))
    with pytest.raises(MigrationError, match=r"may_create, may not SET ROLE .* as shopflow_owner"):
        runner.up(newcomer, locations=[versions.directory])
    assert values(database, "SELECT to_regnamespace('shopflow')") == [None]
    admin.execute("GRANT shopflow_owner TO may_create")
    assert runner.up(newcomer, locations=[versions.directory]) == [revision]
    admin.execute("REVOKE shopflow_owner FROM may_create")


def test_an_argument_that_is_no_migration_is_named(
    empty_settings: Settings, versions: Versions
) -> None:
    revision = versions.add("CREATE TABLE one (id int)")
    locations = [versions.directory]
    with pytest.raises(MigrationError, match=r"^there is no migration nosuch"):
        runner.up(empty_settings, target="nosuch", locations=locations)
    with pytest.raises(MigrationError, match=r"^there is no migration nosuch"):
        runner.down(empty_settings, to="nosuch", confirm=lambda _: True, locations=locations)
    for since, named in (("nosuch", "nosuch"), ("", "''"), ("none@head", "none")):
        with pytest.raises(MigrationError, match=f"^there is no migration {named}"):
            runner.sql(empty_settings, since=since, locations=locations)
    for since in (revision, revision[:6], "heads"):
        assert runner.sql(empty_settings, since=since, locations=locations) == ""
    assert "CREATE TABLE one" in runner.sql(empty_settings, since="base", locations=locations)


def new_login(admin: psycopg.Connection, settings: Settings, name: str) -> Settings:
    role = sql.Identifier(name)
    admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'only here'").format(role))
    return as_login(settings, name, "only%20here")


def as_login(settings: Settings, name: str, password: str) -> Settings:
    assert settings.database_url
    parts = urlsplit(settings.database_url)
    url = parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()
    return msgspec.structs.replace(settings, database_url=url)
