"""`shopflow backup` and `shopflow restore`: base backups into the store, and back to a time."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from shopflow import settings as settings_module
from shopflow.backup import Store, catalogue, create, restore
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.target import require_running
from shopflow.errors import InvalidInputError, ServerError

app = cyclopts.App(
    name="backup",
    help="Back the embedded server up into `SHOPFLOW_BACKUP_URL`, as file:///path or s3://bucket.",
)
for _name in ("show", "verify", "new-key"):
    app.command(f"shopflow.cli.backup_storage:{_name.replace('-', '_')}", name=_name)
for _name in ("status", "keep", "prune", "due"):
    app.command(f"shopflow.cli.backup_policy:{_name}", name=_name)


@app.command(name="create")
def create_backup(*, kind: catalogue.Kind = "full", json: bool = False) -> None:
    """Make a backup while the shop runs; waits until the WAL that it needs is archived.

    Args:
        kind: full, incremental (what changed since the newest other one), or archive (a full one
            that is kept longer, on S3 in a storage class of its own).
        json: print the catalogue's entry as a JSON object.
    """
    settings = settings_module.load()
    if not settings.embedded:
        raise ServerError("only the embedded server is backed up; a database URL or PGHOST is set")
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


def restore_backup(
    *,
    to: Path,
    at: str | None = None,
    latest: Annotated[bool, cyclopts.Parameter(negative=())] = False,
    json: bool = False,
) -> None:
    """Restore into a new directory, up to a time or to the end of the archive, and run it there.

    The live server is not touched. The new one is a home: `SHOPFLOW_HOME=DIRECTORY shopflow psql`
    opens it and `SHOPFLOW_HOME=DIRECTORY shopflow down` stops it.

    Args:
        to: the directory, new or empty.
        at: the last moment to have, with its offset: 2026-01-15T14:30:00Z.
        latest: all that was archived.
        json: print a JSON object with `url`.
    """
    settings = settings_module.load()
    if latest == (at is not None):
        raise InvalidInputError("at", at, "give either --at TIME or --latest")
    restored = restore(settings, to.absolute(), at=_time(at) if at else None, report=tell)
    if json:
        show_json(restored)
    else:
        show_pairs(
            [
                ("restored", restored.home),
                ("backup", restored.backup),
                ("last transaction", restored.last_transaction),
                ("URL", restored.url),
            ]
        )


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInputError("at", given, "must be as 2026-01-15T14:30:00Z") from None
