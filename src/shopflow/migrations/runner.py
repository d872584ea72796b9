"""The migrator: up, down and status of a shop's schema, one migrator at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from alembic.runtime.migration import RevisionStep

from shopflow.errors import MigrationError
from shopflow.migrations import checksums, env, leftovers, ownership, state
from shopflow.migrations.applying import WAIT, Report, open_run, prepare, silent, take
from shopflow.migrations.authoring import new
from shopflow.migrations.backed_up import want_backup
from shopflow.migrations.drift import check
from shopflow.migrations.files import Files, locations_of, title
from shopflow.migrations.loss import Loss, rehearse
from shopflow.migrations.offline import sql
from shopflow.postgres import roles
from shopflow.settings import Settings

__all__ = ["check", "down", "new", "sql", "status", "up"]


class Migration(msgspec.Struct, frozen=True):
    """One migration and whether the schema has had it.

    Attributes:
        changed: whether its file is not what was applied.
    """

    revision: str
    title: str
    file: str
    applied: bool
    changed: bool


class Status(msgspec.Struct, frozen=True):
    """Where a schema is.

    Attributes:
        heads: the newest applied revision of each branch.
        migrations: all there are, in the order they are applied.
        invalid_indexes: left by a killed migrator; `up` rebuilds them.
    """

    schema: str
    heads: tuple[str, ...]
    migrations: list[Migration]
    invalid_indexes: list[str]

    @property
    def pending(self) -> list[Migration]:
        """The migrations that `up` would apply."""
        return [migration for migration in self.migrations if not migration.applied]

    @property
    def changed(self) -> list[Migration]:
        """The migrations whose file was changed after they were applied."""
        return [migration for migration in self.migrations if migration.changed]


def status(settings: Settings, *, locations: Sequence[Path] | None = None) -> Status:
    """Say which migrations the schema has had; only reads, and needs no version table."""
    files = Files(locations or locations_of(settings))
    with env.connection(settings, application_name="shopflow migrate status") as connection:
        now = state.read(connection, settings.schema)
        invalid = leftovers.invalid_indexes(connection, settings.schema)
    pending = {step.revision.revision for step in files.pending(now.heads)}
    scripts = files.all()
    changed = {script.revision for script in checksums.changed(scripts, now.checksums)}
    return Status(
        schema=settings.schema,
        heads=now.heads,
        migrations=[
            Migration(
                revision=script.revision,
                title=title(script),
                file=script.path,
                applied=script.revision not in pending,
                changed=script.revision in changed,
            )
            for script in scripts
        ],
        invalid_indexes=[index.name for index in invalid],
    )


def up(
    settings: Settings,
    *,
    target: str = "heads",
    have_backup: bool = False,
    report: Report = silent,
    locations: Sequence[Path] | None = None,
    wait: float = WAIT,
) -> list[str]:
    """Bring the schema to `target` and return the revisions that were applied.

    Waits up to `wait` seconds while another migrator works on the schema. Invalid indexes are
    rebuilt first.

    Args:
        settings: the shop; its schema is made if it is not there.
        target: a revision, `branch@head`, or `heads` for all that there are.
        have_backup: that there is a backup of another kind; without that or a fresh one of
            ShopFlow's, production's data is not touched.
        report: told what happens, a line at a time.
        locations: where the migrations are; None for ShopFlow's and `settings.migrations`.
        wait: seconds.

    Raises:
        MigrationError: the migrations before the one it names were applied, no other.
    """
    with open_run(settings, locations=locations, wait=wait, report=report) as run:
        now = state.read(run.lock.connection, settings.schema)
        steps = run.files.pending(now.heads, target)
        _refuse_changed(run.files, now)
        if steps and not now.empty:
            want_backup(settings, have_backup=have_backup, report=report)
        if steps:
            ownership.want_set_role(run.lock.connection, settings)
        prepare(run.lock.connection, settings.schema)
        leftovers.repair(run.lock.connection, settings.schema, report)
        if now.empty and steps:
            report(f"making the schema, migrations: {len(steps)}")
        # Of a new schema the count says enough.
        applied = take(steps, msgspec.structs.replace(run, told=silent) if now.empty else run)
        roles.grant(run.lock.connection, settings)
        return applied


def down(
    settings: Settings,
    *,
    confirm: Callable[[Loss], bool],
    to: str | None = None,
    have_backup: bool = False,
    report: Report = silent,
    locations: Sequence[Path] | None = None,
    wait: float = WAIT,
) -> list[str]:
    """Take migrations back and return their revisions, the newest first.

    Args:
        settings: the shop.
        confirm: asked once, with what would be lost; nothing happens unless it says True.
        to: the revision to go back to, `base` for before the first; None takes back the one
            that was applied last.
        have_backup: as for `up`.
        report: told what happens, a line at a time.
        locations: as for `up`.
        wait: seconds to wait for another migrator.

    Raises:
        MigrationError: the migrations before the one it names were taken back, no other.
    """
    with open_run(settings, locations=locations, wait=wait, report=report) as run:
        now = state.read(run.lock.connection, settings.schema)
        steps = _back(run.files, now, to)
        _refuse_changed(run.files, now)
        if not steps:
            return []
        want_backup(settings, have_backup=have_backup, report=report)
        if not confirm(rehearse(steps, run)):
            return []
        return take(steps, run)


def _back(files: Files, now: state.State, to: str | None) -> list[RevisionStep]:
    if to is not None:
        return files.undoing(now.heads, to)
    if not now.heads:
        return []
    applied_last = next(reversed(list(now.checksums)), None)
    if applied_last is None:
        raise MigrationError("nothing says which migration was applied last; name one with --to")
    return [files.undo_of(applied_last, now.heads)]


def _refuse_changed(files: Files, now: state.State) -> None:
    names = [Path(script.path).name for script in checksums.changed(files.all(), now.checksums)]
    if names:
        raise MigrationError(
            f"changed after it was applied: {', '.join(names)}. Put the file back as it was, and "
            "make the change a new migration."
        )
