"""Applies migrations: one migrator at a time, a transaction each, checked before and after."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from shopflow.errors import MigrationError
from shopflow.migrations import checksums, env, state
from shopflow.migrations.locking import MigratorLock, Session, alone, blockers_of
from shopflow.settings import Settings

Report = Callable[[str], None]

WAIT_FOR_OTHERS = 600.0
LOCK_ATTEMPTS = 6


def silent(_: str) -> None:
    """Report nothing."""


def up(
    settings: Settings,
    *,
    target: str = "heads",
    have_backup: bool = False,
    report: Report = silent,
    locations: Sequence[Path] | None = None,
    wait: float = WAIT_FOR_OTHERS,
) -> list[str]:
    """Bring the schema to `target` and return the revisions that were applied.

    Waits up to `wait` seconds while another migrator works on the same schema.

    Args:
        settings: the shop; its schema is made if it is not there.
        target: a revision, `branch@head`, or `heads` for all of them.
        have_backup: that a backup was made, which production wants before it changes data.
        report: told what happens, a line at a time.
        locations: where the migrations are, by default ShopFlow's and `settings.migrations`.
        wait: seconds to wait for another migrator.

    Raises:
        MigrationError: nothing was changed, or nothing after the migration that it names.
    """
    scripts = env.scripts_in(env.locations_of(settings) if locations is None else locations)
    with alone(settings, wait=wait, report=report) as lock:
        now = state.read(lock.connection, settings.schema)
        with _alembic_errors():
            steps = list(scripts._upgrade_revs(target, now.heads))  # noqa: SLF001 as alembic.command does
        _refuse_changed(scripts, now)
        _prepare(lock.connection, settings.schema)
        with env.engine_for(settings) as engine:
            for step in steps:
                lock.verify()
                _apply_with_retries(step, scripts, settings, engine, lock, report)
    return [step.revision.revision for step in steps]


def _refuse_changed(scripts: ScriptDirectory, now: state.State) -> None:
    names = [Path(script.path).name for script in checksums.changed(list(scripts.walk_revisions()), now.checksums)]
    if names:
        raise MigrationError(
            f"changed after it was applied: {', '.join(names)}; put the file back as it was and "
            "write the change as a new migration"
        )


def _prepare(connection: psycopg.Connection, schema: str) -> None:
    there = connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = %(schema)s", {"schema": schema}
    ).fetchone()
    if there is None:
        connection.execute(
            psycopg.sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(psycopg.sql.Identifier(schema))
        )
    checksums.create_table(connection, schema)


def _apply_with_retries(
    step: RevisionStep,
    scripts: ScriptDirectory,
    settings: Settings,
    engine: Engine,
    lock: MigratorLock,
    report: Report,
) -> None:
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        report(f"{step.name} {step.revision.revision} {step.doc}")
        with engine.connect() as connection:
            env.apply(step, scripts=scripts, settings=settings, connection=connection)
        return


@contextmanager
def _alembic_errors() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise MigrationError(str(error)) from error
