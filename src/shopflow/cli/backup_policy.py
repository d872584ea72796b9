"""`shopflow backup status`, `keep`, `prune` and `due`: how it stands, what stays, what is to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.filesize import decimal
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from shopflow import settings as settings_module
from shopflow.backup import Policy, Pruned, Store, keeping
from shopflow.backup import due as do_due
from shopflow.backup import prune as do_prune
from shopflow.backup import status as read_status
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.target import require_running
from shopflow.errors import ServerError


def status(*, json: bool = False) -> int:
    """Show where a restore can go and what would be lost now; exit code 1 when something is wrong.

    Without a server that runs it shows what the store tells; what nobody can know is `unknown`.

    Args:
        json: print a JSON object.
    """
    found = read_status(settings_module.load())
    if json:
        show_json(found)
        return 1 if found.problems else 0
    window = f"{found.restores_from} to {found.restores_to or 'unknown'}"
    rto = f"{found.rto_seconds:g} s, by {found.rto_from}" if found.rto_seconds else "unknown"
    show_pairs(
        [
            ("backups", found.backups),
            ("last backup", found.last_backup or "none"),
            ("restores to any time", window if found.restores_from else "none"),
            ("last archived", found.last_archived or "nothing"),
            ("waiting", "unknown" if found.waiting is None else found.waiting),
            ("oldest wait", found.oldest_wait),
            (
                "lost if the data vanished",
                "unknown"
                if found.rpo_seconds is None
                else f"at most {found.rpo_seconds:g} s (RPO)",
            ),
            ("predicted restore", f"{rto} (RTO)"),
            *(("problem", each) for each in found.problems),
        ]
    )
    return 1 if found.problems else 0


def keep(name: str, /, *, off: bool = False) -> None:
    """Keep a backup whatever its age, and the WAL inside it; the server need not run.

    Args:
        name: of the backup, as `list` shows it.
        off: let its age decide again.
    """
    store = Store(settings_module.load())
    if off:
        keeping.release(store, name)
        print(f"{name} is kept as long as the policy says")
    else:
        keeping.keep(store, name)
        print(f"{name} is kept")


def prune(*, dry_run: bool = False, json: bool = False) -> None:
    """Remove from the store what the policy no longer wants; the server need not run.

    Args:
        dry_run: only show what would go, and why the rest stays.
        json: print a JSON object.
    """
    settings = settings_module.load()
    store, policy = Store(settings), Policy.of(settings)
    with _bar("removing", TextColumn("{task.completed} objects")) as advance:
        found = do_prune(
            store,
            policy,
            now=datetime.now(UTC),
            dry_run=dry_run,
            removed=lambda _path: advance(1),
        )
    if json:
        show_json(found)
        return
    if dry_run:
        gone = ((name, "would be removed") for name in found.backups)
        show_table(("backup", "state"), (*gone, *found.kept.items()))
    _show_pruned(found, "would be removed" if dry_run else "removed")


def due(*, json: bool = False) -> None:
    """Make the backup that the policy says is due, if one is, and prune; for cron, every hour.

    Of two at once one does it. `shopflow up` calls it too while it serves.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    if not settings.embedded:
        raise ServerError("only the embedded server is backed up; a database URL or PGHOST is set")
    require_running(settings)
    with _bar("backing up", DownloadColumn(), TransferSpeedColumn()) as advance:
        done = do_due(settings, now=datetime.now(UTC), report=tell, moved=advance)
    if json:
        show_json(done)
    elif done.busy:
        print("another process is at it")
    else:
        show_pairs([("made", done.made.name if done.made else "nothing was due")])
        if done.pruned is not None:
            _show_pruned(done.pruned, "removed")


def _show_pruned(found: Pruned, verb: str) -> None:
    backups, orphans = len(found.backups), len(found.orphans)
    print(
        f"{verb}: {backups} backups, {found.wal} files of WAL and {orphans} without a backup,"
        f" {decimal(found.size)}"
    )


@contextmanager
def _bar(
    description: str, *columns: TextColumn | DownloadColumn | TransferSpeedColumn
) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    words = TextColumn("{task.description}")
    with Progress(words, *columns, console=console, transient=True) as shown:
        task = shown.add_task(description, total=None)
        yield lambda amount: shown.advance(task, amount)
