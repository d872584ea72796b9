"""`shopflow migrate`: the schema's version, up, down, checked, and new migrations."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.target import require_running
from shopflow.errors import MigrationError
from shopflow.migrations import runner
from shopflow.migrations.loss import Loss
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

HELP = """Bring the schema up or down, see where it is, check it, write new migrations.

The shop's own migrations beside ShopFlow's are in the directory `SHOPFLOW_MIGRATIONS`.
"""
# The exit code of `check` when there is something to mend.
NOT_CLEAN = 1

app = cyclopts.App(name="migrate", help=HELP)

Backup = Annotated[bool, Parameter(name="--i-have-a-backup")]


@app.command
def up(target: str = "heads", *, have_backup: Backup = False) -> None:
    """Apply the pending migrations, or wait until another migrator has.

    Args:
        target: the revision to go up to, by default the newest.
        have_backup: go on in production, where data changes only after a backup of the last 26
            hours (`shopflow backup`) with all WAL since.
    """
    settings = settings_module.load()
    with _running(settings):
        applied = runner.up(settings, target=target, have_backup=have_backup, report=tell)
    print(f"{len(applied)} applied" if applied else "nothing to do")


@app.command
def down(*, to: str | None = None, yes: bool = False, have_backup: Backup = False) -> None:
    """Take back the newest migration, after showing what would be lost and asking.

    Args:
        to: the revision to go back to, `base` for before the first.
        yes: do not ask; needed where there is no terminal to ask at.
        have_backup: go on in production.
    """
    settings = settings_module.load()

    def confirm(loss: Loss) -> bool:
        _show_loss(loss)
        return yes or _asked("Take back and lose this? [y/N] ")

    if not yes and not sys.stdin.isatty():
        raise MigrationError("down asks before it destroys: run it in a terminal, or with --yes")
    with _running(settings):
        done = runner.down(settings, confirm=confirm, to=to, have_backup=have_backup, report=tell)
    print(f"{len(done)} taken back" if done else "nothing was done")


@app.command
def status(*, json: bool = False) -> None:
    """Show each migration and whether the database has had it; never writes.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    require_running(settings)
    found = runner.status(settings)
    if json:
        pending = [migration.revision for migration in found.pending]
        show_json(msgspec.structs.asdict(found) | {"pending": pending})
        return
    show_table(
        ("revision", "state", "migration"),
        ((it.revision, _state(it), it.title) for it in found.migrations),
    )
    show_pairs(
        [
            ("schema", found.schema),
            ("at", ", ".join(found.heads) or "no migration yet"),
            ("pending", len(found.pending)),
            ("invalid indexes", ", ".join(found.invalid_indexes) or None),
        ]
    )


@app.command
def check(*, json: bool = False) -> int:
    """Compare the schema with what the migrations make, and lint them; exit code 1 if not clean.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    with _running(settings):
        found = runner.check(settings, report=tell)
    if json:
        show_json({"clean": found.clean} | msgspec.structs.asdict(found))
        return 0 if found.clean else NOT_CLEAN
    for line in (*found.drift, *found.findings):
        print(line)
    for file in found.changed:
        print(f"changed after it was applied: {file}")
    if found.pending:
        print(f"pending: {', '.join(found.pending)}")
    if found.lint_skipped:
        print(f"lint skipped: {found.lint_skipped}")
    print("clean" if found.clean else "not clean")
    return 0 if found.clean else NOT_CLEAN


@app.command
def sql(target: str = "heads", *, since: str | None = None) -> None:
    """Print the SQL that `up` would run, without running it.

    Args:
        target: the revision to go up to, by default the newest.
        since: the revision to start from, `base` for an empty database; by default where the
            database is.
    """
    settings = settings_module.load()
    if since is None:
        require_running(settings)
    print(runner.sql(settings, target=target, since=since), end="")


@app.command
def new(
    description: str,
    *,
    directory: Path | None = None,
    shopflow: bool = False,
    branch: str = "shop",
) -> None:
    """Write the file of a new migration, for the shop's own tables or for ShopFlow itself.

    Args:
        description: what it does, in a few words.
        directory: where, by default `SHOPFLOW_MIGRATIONS`.
        shopflow: among ShopFlow's own, in a checkout of ShopFlow.
        branch: the name of the branch that the first one in a directory begins.
    """
    settings = settings_module.load()
    path = runner.new(settings, description, directory=directory, shopflow=shopflow, branch=branch)
    print(path)


@contextmanager
def _running(settings: Settings) -> Iterator[None]:
    """Run the embedded server for the block, unless it runs or is not ours."""
    if not settings.embedded:
        yield
        return
    server = Server(settings)
    started = server.start(tell)
    try:
        yield
    finally:
        if started != "attached":
            server.stop()


def _state(migration: runner.Migration) -> str:
    if migration.changed:
        return "CHANGED"
    return "applied" if migration.applied else "pending"


def _show_loss(loss: Loss) -> None:
    print(f"taking back: {', '.join(loss.revisions)}")
    if loss.unknown:
        print(f"what it would lose is not known ({loss.unknown}); it would run:\n{loss.sql}")
        return
    _show_rows("table {} with {} rows", loss.tables)
    _show_rows("column {} with {} values", loss.columns)
    _show_rows("deletes or overwrites in {} {} rows", loss.changed_rows)
    for other in loss.others:
        print(f"  {other}")
    if not (loss.tables or loss.columns or loss.changed_rows or loss.others):
        print("  nothing would be lost")


def _show_rows(sentence: str, counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        print("  " + sentence.format(name, count))


def _asked(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        return False
