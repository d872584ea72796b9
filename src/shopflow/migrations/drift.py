"""`migrate check`: whether the schema is what the migrations make, and the migrations are safe."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import msgspec
import psycopg
from psycopg import sql

from shopflow.errors import MigrationError
from shopflow.migrations import checksums, fingerprint, lint, ownership, restored, state
from shopflow.migrations.applying import WAIT, Report, Run, open_run, prepare, silent, take
from shopflow.migrations.files import Files, locations_of
from shopflow.migrations.fingerprint import Difference, Fingerprint
from shopflow.migrations.locking import MigratorLock
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

SCRATCH = "_shopflow_check_"

_SCRATCHES: LiteralString = """
    SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, %(prefix)s) ORDER BY nspname
"""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What `migrate check` found.

    Attributes:
        drift: how the schema differs from what its migrations make.
        changed: files that were changed after they were applied.
        pending: revisions that the schema has not had; no fault by themselves.
        findings: what the lint found.
        lint_skipped: why squawk did not run, None when it did.
    """

    drift: list[Difference]
    changed: list[str]
    pending: list[str]
    findings: list[lint.Finding]
    lint_skipped: str | None

    @property
    def clean(self) -> bool:
        """Whether there is nothing to mend."""
        return not (self.drift or self.changed or self.findings)


def check(
    settings: Settings,
    *,
    report: Report = silent,
    locations: Sequence[Path] | None = None,
    wait: float = WAIT,
) -> Check:
    """Compare the schema with a fresh one made by its migrations, and lint the migrations.

    The fresh schema is made beside the shop's for a moment, which the login must be allowed to.

    Args:
        settings: the shop.
        report: told what happens, a line at a time.
        locations: where the migrations are; None for ShopFlow's and `settings.migrations`.
        wait: seconds to wait for a migrator at work on the schema.

    Raises:
        MigrationError: the login may not create a schema, or a migration fails on a fresh one.
    """
    locations = locations or locations_of(settings)
    files = Files(locations)
    with open_run(settings, locations=locations, wait=wait, report=report) as run:
        now = state.read(run.lock.connection, settings.schema)
        found = fingerprint.read(run.lock.connection, settings.schema)
    pending = [step.revision.revision for step in files.pending(now.heads)]
    program = lint.squawk()
    return Check(
        drift=_drift(settings, locations, now.heads, found, report),
        changed=[
            Path(script.path).name for script in checksums.changed(files.all(), now.checksums)
        ],
        pending=pending,
        findings=lint.names(files) + (lint.statements(files, settings, program) if program else []),
        lint_skipped=None if program else "squawk is not installed (pip install squawk-cli)",
    )


def _drift(
    settings: Settings,
    locations: Sequence[Path],
    heads: tuple[str, ...],
    found: Fingerprint,
    report: Report,
) -> list[Difference]:
    report("making a fresh schema to compare with")
    with _scratch(settings, locations) as run:
        later = {step.revision.revision for step in run.files.pending(heads)}
        steps = [step for step in run.files.pending(()) if step.revision.revision not in later]
        take(steps, run)
        connection, schema = run.lock.connection, run.settings.schema
        drift = fingerprint.compare(fingerprint.read(connection, schema), found)
        return restored.leave_out(drift, connection, schema)


@contextmanager
def _scratch(settings: Settings, locations: Sequence[Path]) -> Iterator[Run]:
    # On the embedded server the login is called after the schema: the shop's goes on.
    server = Server(settings).conninfo() if settings.embedded else settings.database_url
    fresh = msgspec.structs.replace(
        settings, schema=f"{SCRATCH}{secrets.token_hex(4)}", database_url=server
    )
    with open_run(fresh, locations=locations) as run:
        connection = run.lock.connection
        _drop_abandoned(connection)
        try:
            prepare(connection, fresh.schema)
        except psycopg.errors.InsufficientPrivilege as error:
            info = connection.info
            grant = f"GRANT CREATE ON DATABASE {info.dbname} TO {info.user}"
            raise MigrationError(
                f"check makes a schema for a moment, and {info.user} may not: "
                f"{ownership.advice(connection, settings.schema) or grant}"
            ) from error
        try:
            yield run
        finally:
            _drop(connection, fresh.schema)


def _drop_abandoned(connection: psycopg.Connection) -> None:
    """Drop what killed checks left: schemas of which nobody holds the migrator's lock."""
    names = connection.execute(_SCRATCHES, {"prefix": SCRATCH}).fetchall()
    for (name,) in names:
        if MigratorLock(connection, name).try_acquire():
            _drop(connection, name)


def _drop(connection: psycopg.Connection, schema: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
