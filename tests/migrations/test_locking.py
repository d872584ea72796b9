import os
import signal
import subprocess
import sys
import threading

import msgspec
import psycopg
import pytest

from shopflow.errors import MigrationError
from shopflow.migrations import applying, env, runner
from shopflow.migrations.locking import MigratorLock
from shopflow.settings import Settings
from tests.migrations.conftest import Versions, holding_table, until, values

PROGRAM = """
import sys
from pathlib import Path
from shopflow import settings
from shopflow.migrations import runner
found = settings.load({}, database_url=sys.argv[1], home=sys.argv[2])
done = runner.up(found, locations=[Path(sys.argv[3])], report=lambda s: print(s, file=sys.stderr))
print(len(done))
"""
# What the migrators' working connections are doing.
WORKING = (
    "SELECT query FROM pg_stat_activity"
    " WHERE application_name = 'shopflow migrate' AND datname = current_database()"
)


def migrator(settings: Settings, versions: Versions) -> "subprocess.Popen[str]":
    assert settings.database_url
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, settings.database_url, settings.home, versions.directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_four_migrators_one_works_and_the_others_wait(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("CREATE TABLE one AS SELECT generate_series(1, 20000) AS id")
    versions.add("CREATE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id)", autocommit=True)
    versions.add("SELECT pg_sleep(0.5)")
    started = [migrator(empty_settings, versions) for _ in range(4)]
    ended = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended
    assert sorted(int(out) for out, _ in ended) == [0, 0, 0, 3]
    assert sum("another migrator is at work: pid" in err for _, err in ended) == 3
    assert values(
        database, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'one_id'::regclass"
    ) == [True]


def test_a_killed_migrator_leaves_the_lock_and_whole_migrations(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    first = versions.add("CREATE TABLE one (id int)")
    second = versions.add('CREATE TABLE two (id int)""")\nop.execute("""SELECT pg_sleep(60)')
    process = migrator(empty_settings, versions)
    until(lambda: values(database, WORKING) == ["SELECT pg_sleep(60)"])
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # The server gives up the dead migrator's statement by itself.
    until(lambda: not values(database, WORKING))
    assert values(database, "SELECT version_num FROM alembic_version") == [first]
    versions.path(second).write_text(versions.path(second).read_text().replace("pg_sleep(60)", "1"))
    assert runner.up(empty_settings, locations=[versions.directory]) == [second]


def test_an_index_of_a_killed_migrator_is_built_again(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("CREATE TABLE one AS SELECT 1 AS id")
    runner.up(empty_settings, locations=[versions.directory])
    last = versions.add(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id)", autocommit=True
    )
    invalid = "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid"
    with holding_table(empty_settings, "one"):
        process = migrator(empty_settings, versions)
        until(lambda: values(database, invalid))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        # The server gives up the dead migrator's statement by itself.
        until(lambda: not values(database, WORKING))
    said: list[str] = []
    assert runner.up(empty_settings, locations=[versions.directory], report=said.append) == [last]
    assert values(database, invalid) == []
    assert any("one_id" in line for line in said)


def test_waiting_for_another_migrator_has_an_end_and_says_for_whom(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("SELECT 1")
    assert MigratorLock(database, empty_settings.schema).try_acquire()
    said: list[str] = []
    pid = database.info.backend_pid
    with pytest.raises(MigrationError, match=f"another migrator, pid {pid}"):
        runner.up(empty_settings, locations=[versions.directory], wait=0.5, report=said.append)
    assert f"pid {pid} (test" in said[0]
    assert "since" in said[0]


def test_another_schema_has_another_lock(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    versions.add("SELECT 1")
    assert MigratorLock(database, "another").try_acquire()
    assert len(runner.up(empty_settings, locations=[versions.directory], wait=0)) == 1


def test_a_lost_lock_is_noticed_before_the_next_migration(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    first = versions.add(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'shopflow migrate: lock' AND datname = current_database()"
    )
    versions.add("CREATE TABLE two (id int)")
    with pytest.raises(MigrationError, match="keeps other migrators away was lost"):
        runner.up(empty_settings, locations=[versions.directory])
    assert values(database, "SELECT version_num FROM alembic_version") == [first]
    assert values(database, "SELECT to_regclass('two')") == [None]


def test_a_lock_not_had_is_tried_again_and_then_its_holder_is_named(
    empty_settings: Settings, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env, "LOCK_TIMEOUT", 0.5)
    monkeypatch.setattr(applying, "ATTEMPTS", 2)
    monkeypatch.setattr(applying, "FIRST_PAUSE", 0.01)
    versions.add("CREATE TABLE one (id int)")
    runner.up(empty_settings, locations=[versions.directory])
    versions.add("ALTER TABLE one ADD note text")
    with holding_table(empty_settings, "one") as other:
        pid = other.info.backend_pid
        with pytest.raises(MigrationError, match="in 2 tries") as refused:
            runner.up(empty_settings, locations=[versions.directory])
    assert f"pid {pid} (nightly report" in str(refused.value)
    assert "idle in transaction" in str(refused.value)


def test_a_lock_that_comes_free_is_had_at_the_next_try(
    empty_settings: Settings, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env, "LOCK_TIMEOUT", 0.3)
    monkeypatch.setattr(applying, "FIRST_PAUSE", 0.1)
    versions.add("CREATE TABLE one (id int)")
    runner.up(empty_settings, locations=[versions.directory])
    last = versions.add("ALTER TABLE one ADD note text")
    failed = threading.Event()

    def report(line: str) -> None:
        if "could not get its lock" in line:
            other.execute("ROLLBACK")
            failed.set()

    with holding_table(empty_settings, "one") as other:
        applied = runner.up(empty_settings, locations=[versions.directory], report=report)
    assert applied == [last]
    assert failed.is_set()


def test_schemas_can_be_migrated_in_threads_of_one_process(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> None:
    for number in range(5):
        versions.add(f"CREATE TABLE t{number} (id int)")
    shops = [msgspec.structs.replace(empty_settings, schema=f"shop_{n}") for n in range(4)]
    threads = [
        threading.Thread(target=runner.up, args=[shop], kwargs={"locations": [versions.directory]})
        for shop in shops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    tables = values(
        database, "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]$' GROUP BY relnamespace"
    )
    assert tables == [5] * 4
