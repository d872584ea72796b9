import threading

import psycopg
import pytest

from shopflow.errors import MigrationError
from shopflow.migrations import env, runner
from shopflow.migrations.leftovers import invalid_indexes
from shopflow.settings import Settings
from tests.migrations.conftest import Versions, holding_table, until, values


@pytest.fixture
def with_duplicates(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> psycopg.Connection:
    """A table whose unique index could not be built."""
    versions.add("CREATE TABLE one AS SELECT 7 AS id FROM generate_series(1, 2)")
    runner.up(empty_settings, locations=[versions.directory])
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY one_id ON one (id)")
    return database


def test_an_invalid_index_is_rebuilt_before_the_migration_that_skips_it(
    empty_settings: Settings, versions: Versions, with_duplicates: psycopg.Connection
) -> None:
    with_duplicates.execute("DELETE FROM one WHERE ctid = (SELECT min(ctid) FROM one)")
    last = versions.add(
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id)", autocommit=True
    )
    found = runner.status(empty_settings, locations=[versions.directory])
    assert found.invalid_indexes == ["one_id"]
    said: list[str] = []
    assert runner.up(empty_settings, locations=[versions.directory], report=said.append) == [last]
    assert said[0] == "rebuilding one_id on one, left invalid"
    assert invalid_indexes(with_duplicates, empty_settings.schema) == []


def test_duplicates_in_the_way_are_named_and_no_copy_stays(
    empty_settings: Settings, versions: Versions, with_duplicates: psycopg.Connection
) -> None:
    with pytest.raises(MigrationError, match=r"one_id on one.*\(id\)=\(7\) is duplicated"):
        runner.up(empty_settings, locations=[versions.directory])
    assert [index.name for index in invalid_indexes(with_duplicates, "shopflow")] == ["one_id"]


def test_copies_that_reindex_left_are_dropped(
    empty_settings: Settings, versions: Versions, with_duplicates: psycopg.Connection
) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation):
            with_duplicates.execute("REINDEX INDEX CONCURRENTLY one_id")
    with_duplicates.execute("DELETE FROM one WHERE ctid = (SELECT min(ctid) FROM one)")
    assert len(invalid_indexes(with_duplicates, "shopflow")) == 3
    runner.up(empty_settings, locations=[versions.directory])
    assert values(
        with_duplicates, "SELECT relname FROM pg_class WHERE relname LIKE 'one%' ORDER BY 1"
    ) == ["one", "one_id"]


def test_an_index_that_somebody_is_building_is_waited_for(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("CREATE TABLE one AS SELECT 7 AS id")
    runner.up(empty_settings, locations=[versions.directory])

    def build() -> None:
        with env.connection(empty_settings, application_name="somebody") as somebody:
            somebody.execute(env.PATIENT)
            somebody.execute("CREATE INDEX CONCURRENTLY one_id ON one (id)")

    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        other.execute("ROLLBACK")

    with holding_table(empty_settings, "one") as other:
        thread = threading.Thread(target=build)
        thread.start()
        until(lambda: [it for it in invalid_indexes(database, "shopflow") if it.being_built])
        runner.up(empty_settings, locations=[versions.directory], report=report)
    thread.join(10)
    assert said == ["another session is building one_id; waiting for it"]
    assert invalid_indexes(database, "shopflow") == []
