"""Does what the policy says is due: a backup, and the removal of what is no longer wanted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import psycopg

from shopflow.backup import catalogue
from shopflow.backup.catalogue import Backup, Kind
from shopflow.backup.creating import create
from shopflow.backup.errors import BackupError
from shopflow.backup.policy import DAY, Policy
from shopflow.backup.pruning import Pruned, prune
from shopflow.backup.store import Store
from shopflow.postgres.embedded import Server, silent
from shopflow.settings import Settings


class Done(msgspec.Struct, frozen=True):
    """What was due, and done.

    Attributes:
        busy: whether another process was at it, so that nothing was done.
        made: the backup; None when none was due.
        pruned: what was removed; None when another process was at it.
    """

    busy: bool
    made: Backup | None = None
    pruned: Pruned | None = None


def due(
    settings: Settings,
    *,
    now: datetime,
    report: Callable[[str], None] = silent,
    moved: Callable[[int], None] = lambda _size: None,
) -> Done:
    """Make the backup that is due at `now`, if one is, and prune (§7.1).

    Of two at once one does it and the other returns. May be called as often as one likes.

    Args:
        settings: whose server, `backup_url` and the policy.
        now: the time.
        report: told what is done.
        moved: told the bytes read from the server, as they come.

    Raises:
        ConfigurationError: when no store is set, or the policy contradicts itself.
        BackupError: when the backup fails, which does not keep it from pruning; or pruning does.
        ServerError: when there is no server.
    """
    store, policy = Store(settings), Policy.of(settings)
    with _alone(settings) as alone:
        if not alone:
            return Done(busy=True)
        try:
            made = _make(settings, wanted(catalogue.read(store), policy, now), report, moved)
        except BackupError:
            # What is too old may be what fills the store.
            prune(store, policy, now=now)
            raise
        return Done(busy=False, made=made, pruned=prune(store, policy, now=now))


def _make(
    settings: Settings,
    kind: Kind | None,
    report: Callable[[str], None],
    moved: Callable[[int], None],
) -> Backup | None:
    if kind is None:
        return None
    report(f"{'an' if kind != 'full' else 'a'} {kind} backup is due")
    return create(settings, moved, kind=kind)


def wanted(backups: Sequence[Backup], policy: Policy, now: datetime) -> Kind | None:
    """Return the kind of backup that is due at `now`, None when none is.

    The archive is the full backup of its day. One that was missed is made later, but a shop that
    has no backup from before it begins with a full one.
    """
    full = [backup for backup in backups if backup.kind != "incremental"]
    if _archive_due(full, policy, now):
        return "archive"
    since = policy.last_full(now)
    archives = [backup for backup in full if backup.kind == "archive"]
    if not (
        any(backup.started_at >= since for backup in full)
        or any(backup.started_at.astimezone(UTC).date() == since.date() for backup in archives)
    ):
        return "full"
    whole = catalogue.whole(backups)
    # It builds on what is no archive, which may lie where reading is slow.
    if (
        policy.incremental_every is not None
        and any(backup.kind != "archive" for backup in whole)
        and now - whole[-1].started_at >= policy.incremental_every
    ):
        return "incremental"
    return None


def _archive_due(full: Sequence[Backup], policy: Policy, now: datetime) -> bool:
    since = policy.last_archive(now)
    if since is None:
        return False
    if any(backup.kind == "archive" and backup.started_at >= since for backup in full):
        return False
    return now - since < DAY or any(backup.started_at < since for backup in full)


@contextmanager
def _alone(settings: Settings) -> Iterator[bool]:
    """Yield whether nobody else does what is due on this server.

    The lock is the server's and not an object of the store: it is gone with its holder, however
    that ends, and a backup needs the server anyway.
    """
    with psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended('shopflow backup due', 0))"
        ).fetchone()
        yield row == (True,)
