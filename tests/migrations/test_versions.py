"""The real migrations: each up, down and up again, and the SQL of all of them run by hand."""

import subprocess

from shopflow.migrations import env, fingerprint, lint, runner
from shopflow.migrations.applying import open_run, prepare, take
from shopflow.migrations.files import VERSIONS, Files
from shopflow.migrations.fingerprint import Fingerprint
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


def differences(expected: Fingerprint, found: Fingerprint) -> list[str]:
    return [str(difference) for difference in fingerprint.compare(expected, found)]


def test_each_migration_up_down_up_leaves_the_same_schema(empty_settings: Settings) -> None:
    with open_run(empty_settings) as run:
        connection, schema = run.lock.connection, empty_settings.schema
        prepare(connection, schema)
        before = fingerprint.read(connection, schema)
        for step in run.files.pending(()):
            take([step], run)
            after = fingerprint.read(connection, schema)
            take([run.files.undo_of(step.revision.revision)], run)
            down = fingerprint.read(connection, schema)
            assert differences(before, down) == [], f"down of {step.revision.path}"
            take([step], run)
            again = fingerprint.read(connection, schema)
            assert differences(after, again) == [], f"second up of {step.revision.path}"
            before = after
    assert runner.status(empty_settings).pending == []


def test_every_name_tells_when_and_what() -> None:
    assert lint.names(Files([VERSIONS])) == []


def test_the_sql_run_by_hand_makes_the_same_schema(
    empty_settings: Settings, settings: Settings
) -> None:
    written = runner.sql(empty_settings, since="base")
    assert written == runner.sql(empty_settings)
    assert empty_settings.database_url
    psql = str(Server(empty_settings).binary("psql"))
    command = [psql, "-qX", "-v", "ON_ERROR_STOP=1", empty_settings.database_url]
    subprocess.run(command, input=written, text=True, check=True)
    assert differences(snapshot(settings), snapshot(empty_settings)) == []
    assert runner.up(empty_settings) == []
    assert runner.status(empty_settings).changed == []


def snapshot(settings: Settings) -> Fingerprint:
    with env.connection(settings, application_name="test") as connection:
        return fingerprint.read(connection, settings.schema)
