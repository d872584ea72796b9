"""Takes migration steps alone and one by one, each again when it could not have a lock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from alembic.runtime.migration import RevisionStep
from alembic.util import CommandError
from psycopg import sql
from psycopg.errors import DeadlockDetected, Error, LockNotAvailable
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from shopflow.errors import MigrationError
from shopflow.migrations import checksums, env, leftovers
from shopflow.migrations.files import Files, locations_of, title
from shopflow.migrations.locking import MigratorLock, Session, alone, blockers_of
from shopflow.settings import Settings

Report = Callable[[str], None]

# How long to wait for another migrator, in seconds.
WAIT = 600.0
# Six times LOCK_TIMEOUT and the pauses between make about half a minute.
ATTEMPTS = 6
FIRST_PAUSE = 0.5


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What every step of one run of the migrator needs; `told` of each step that was taken."""

    settings: Settings
    files: Files
    lock: MigratorLock
    engine: Engine
    report: Report
    told: Report


def silent(_message: str) -> None:
    """Report nothing."""


@contextmanager
def open_run(
    settings: Settings,
    *,
    locations: Sequence[Path] | None = None,
    wait: float = WAIT,
    report: Report = silent,
) -> Iterator[Run]:
    """Be the only migrator of the schema inside the block, waiting `wait` seconds for that."""
    files = Files(locations or locations_of(settings))
    with alone(settings, wait=wait, report=report) as lock, env.engine_for(settings) as engine:
        yield Run(
            settings=settings, files=files, lock=lock, engine=engine, report=report, told=report
        )


def take(steps: Sequence[RevisionStep], run: Run) -> list[str]:
    """Take `steps` one after the other and return their revisions."""
    for step in steps:
        _apply(step, run)
    return [step.revision.revision for step in steps]


def prepare(connection: psycopg.Connection, schema: str) -> None:
    """Make the schema and the table of checksums where they are not there yet."""
    # CREATE SCHEMA IF NOT EXISTS wants the right to create even where the schema is there.
    wanted = connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = %(schema)s", {"schema": schema}
    )
    if wanted.fetchone() is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    with connection.transaction():
        for statement in checksums.creation(schema):
            connection.execute(statement)


def _apply(step: RevisionStep, run: Run) -> None:
    """Take one step and commit it.

    Raises:
        MigrationError: it failed, or did not get its lock in `ATTEMPTS` tries.
    """
    in_the_way: list[Session] = []
    for attempt in range(1, ATTEMPTS + 1):
        run.lock.verify()
        began = time.monotonic()
        blockers = _attempt(step, run)
        if blockers is None:
            milliseconds = (time.monotonic() - began) * 1000
            run.told(f"{_sign(step)} {_named(step)} ({milliseconds:.0f} ms)")
            return
        in_the_way = blockers
        run.report(f"{_named(step)} could not get its lock, try {attempt} of {ATTEMPTS}")
        if attempt < ATTEMPTS:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311
            leftovers.repair(run.lock.connection, run.settings.schema, run.report)
    who = ", ".join(map(str, in_the_way)) or "a session that is gone by now"
    raise MigrationError(
        f"{_file(step)} could not get its lock in {ATTEMPTS} tries; in the way: {who}. Wait for "
        "that session or end it, and run again."
    )


def _attempt(step: RevisionStep, run: Run) -> list[Session] | None:
    """Try once; return who was in the way of the lock, None when the step was taken."""
    with _failures(step), run.engine.connect() as connection:
        pid = env.raw(connection).info.backend_pid
        with blockers_of(pid, run.lock.connection, run.report) as blockers:
            try:
                env.apply(step, files=run.files, settings=run.settings, connection=connection)
            except DBAPIError as error:
                if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                    raise
                connection.invalidate()
                return blockers
    return None


@contextmanager
def _failures(step: RevisionStep) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise MigrationError(f"{_file(step)} failed: {error}") from error
    except DBAPIError as error:
        raise MigrationError(
            f"{_file(step)} failed, and what its transaction had done was rolled back: "
            f"{_said(error)}"
        ) from error


def _said(error: DBAPIError) -> str:
    if isinstance(error.orig, Error) and error.orig.diag.message_primary:
        return " ".join(
            filter(None, [error.orig.diag.message_primary, error.orig.diag.message_detail])
        )
    return str(error.orig or error)


def _sign(step: RevisionStep) -> str:
    return "applied" if step.is_upgrade else "took back"


def _named(step: RevisionStep) -> str:
    return f"{step.revision.revision} {title(step.revision)}"


def _file(step: RevisionStep) -> str:
    return Path(step.revision.path).name
