"""`shopflow backup` and `shopflow restore`: base backups into the store, and back to a time."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from shopflow import settings as settings_module
from shopflow.backup import (
    Store,
    Target,
    catalogue,
    create,
    create_restore_point,
    restore,
)
from shopflow.backup.restoring import settings_for
from shopflow.cli.apply_erasures import apply_to, pairs
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.progress import bytes_bar
from shopflow.cli.target import require_running
from shopflow.errors import InvalidInputError

app = cyclopts.App(
    name="backup",
    help="Back the shop up into `SHOPFLOW_BACKUP_URL`, as file:///path or s3://bucket.",
)
for _name in ("show", "verify", "new-key"):
    app.command(f"shopflow.cli.backup_storage:{_name.replace('-', '_')}", name=_name)
for _name in ("status", "keep", "prune", "due"):
    app.command(f"shopflow.cli.backup_policy:{_name}", name=_name)


app.command("shopflow.cli.archiving:archive_settings", name="archive-settings")
app.command("shopflow.cli.drilling:drill", name="drill")
app.command("shopflow.cli.apply_erasures:apply", name="apply-erasures")
app.command("shopflow.cli.looking_back:clone", name="clone")
app.command("shopflow.cli.looking_back:diff", name="diff")
app.command("shopflow.cli.streaming:stream", name="stream")


@app.command(name="create")
def create_backup(*, kind: catalogue.Kind = "full", json: bool = False) -> None:
    """Make a backup while the shop runs; waits until the WAL that it needs is archived.

    Args:
        kind: full, incremental (what changed since the newest other one), or archive (a full one
            that is kept longer, on S3 in a storage class of its own).
        json: print the catalogue's entry as a JSON object.
    """
    settings = settings_module.load()
    require_running(settings)
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("backing up", total=None)
        made = create(settings, lambda size: progress.advance(task, size), kind=kind)
    if json:
        show_json(made)
    else:
        show_pairs([("backup", made.name), ("bytes", made.size), ("from", made.finished_at)])


@app.command(name="list")
def list_backups(*, json: bool = False) -> None:
    """Show the backups in the store, the oldest first; the server need not run.

    Args:
        json: print a JSON array.
    """
    found = catalogue.read(Store(settings_module.load()))
    if json:
        show_json(found)
        return
    show_table(
        ("name", "kind", "restores from", "bytes", "content"),
        (
            (
                *(each.name, each.kind, each.finished_at.isoformat()),
                *(str(each.size), str(each.content_size)),
            )
            for each in found
        ),
    )


@app.command(name="restore-point")
def make_restore_point(name: str, /, *, json: bool = False) -> None:
    """Give this moment a name to restore to, as before a risky change.

    Returns when the WAL up to it is archived.

    Args:
        name: 1 to 63 letters, digits, -, _ and .
        json: print a JSON object.
    """
    settings = settings_module.load()
    require_running(settings)
    made = create_restore_point(settings, name)
    if json:
        show_json(made)
    else:
        show_pairs([("restore point", made.name), ("at", made.created_at)])


def restore_backup(
    *,
    to: Path,
    at: str | None = None,
    restore_point: str | None = None,
    backup: str | None = None,
    latest: Annotated[bool, cyclopts.Parameter(negative=())] = False,
    into_production: bool = False,
    skip_checks: bool = False,
    json: bool = False,
) -> int:
    """Restore into a new directory, up to a moment or to the end of the archive, and run it there.

    The live server is not touched. The new one is a home: `SHOPFLOW_HOME=DIRECTORY shopflow psql`
    opens it and `SHOPFLOW_HOME=DIRECTORY shopflow down` stops it. Exit code 1 when its rows break
    a rule of the shop; it runs all the same.

    Args:
        to: the directory, new or empty.
        at: the last moment to have, with its offset: 2026-01-15T14:30:00Z.
        restore_point: the name that `shopflow backup restore-point` gave a moment.
        backup: the name of a backup, to its own end: an archive whose later WAL is gone.
        latest: all that was archived.
        into_production: the restored shop is to be used in place of the lost one: erase again who
            was erased after that moment and end all sessions, as `backup apply-erasures` does.
        skip_checks: do not check the shop's rules, which reads its tables.
        json: print a JSON object with `url`.
    """
    settings = settings_module.load()
    target = target_of(at, restore_point, backup=backup, latest=latest)
    with bytes_bar() as progress:
        restored = restore(
            settings,
            to.absolute(),
            target,
            check=not skip_checks,
            report=tell,
            progress=progress,
        )
    applied = None
    if into_production:
        applied = apply_to(settings_for(settings, Path(restored.home)), Store(settings))
    else:
        tell("before customers use it: shopflow backup apply-erasures, with this SHOPFLOW_HOME")
    broken = [each for each in restored.checks if each.result != "ok"]
    if json:
        show_json(restored)
    else:
        show_pairs(
            [
                ("restored", restored.home),
                ("backup", restored.backup),
                ("last transaction", restored.last_transaction),
                *(pairs(applied) if applied else ()),
                *((each.name, f"{each.result}: {each.reason}") for each in broken),
                ("URL", restored.url),
            ]
        )
    return 1 if any(each.result == "failed" for each in broken) else 0


def target_of(
    at: str | None, restore_point: str | None, *, latest: bool, backup: str | None = None
) -> Target:
    """Return the target that the options name.

    Raises:
        InvalidInputError: unless it is exactly one, and a time.
    """
    given = [at is not None, restore_point is not None, backup is not None, latest]
    if given.count(True) != 1:
        raise InvalidInputError(
            "at", at, "give one of --at TIME, --restore-point NAME, --backup NAME and --latest"
        )
    return Target(_time(at) if at is not None else None, restore_point, backup)


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInputError("at", given, "must be as 2026-01-15T14:30:00Z") from None
