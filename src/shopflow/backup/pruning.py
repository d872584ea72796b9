"""Removes from the store what the policy no longer wants."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from shopflow.backup import catalogue, keeping, retention
from shopflow.backup.catalogue import Backup
from shopflow.backup.policy import Policy
from shopflow.backup.retention import Plan
from shopflow.backup.store import Store


class Pruned(msgspec.Struct, frozen=True):
    """What was removed, or would be.

    Attributes:
        backups: names of backups.
        wal: how many files of archived WAL.
        orphans: paths of content that no backup had, and of WAL that was not written whole.
        size: bytes of all of it.
        kept: the names of the backups that stay, and why.
    """

    backups: tuple[str, ...]
    wal: int
    orphans: tuple[str, ...]
    size: int
    kept: Mapping[str, str]


def prune(
    store: Store,
    policy: Policy,
    *,
    now: datetime,
    dry_run: bool = False,
    removed: Callable[[str], None] = lambda _path: None,
) -> Pruned:
    """Remove what the policy no longer wants at `now`, and say why the rest stays (§7.1).

    Ended at any moment, it leaves no backup without what it needs, and the next one removes the
    rest. It may run beside a backup that is being made, another prune and `keep`.

    Args:
        store: the store.
        policy: how long things are kept.
        now: the time.
        dry_run: remove nothing.
        removed: told each path that was removed.

    Raises:
        BackupError: when the store refuses, or an entry of the catalogue is damaged.
    """
    planned, sizes = _plan(store, policy, now)
    if dry_run:
        return _pruned(planned, planned, sizes)

    def remove(path: str) -> None:
        store.delete(path)
        removed(path)

    # A backup is none once its entry is gone; its content and its WAL come after that.
    for backup in planned.backups:
        remove(catalogue.path(backup.name))
    gone = _gone(store, planned)
    for backup in gone:
        for path in (backup.data, backup.manifest):
            if path is not None:
                remove(path)
    # From what is there now: a mark or a new backup may need more than it did.
    found, more = _plan(store, policy, now)
    for path in (*found.wal, *found.orphans):
        remove(path)
    return _pruned(msgspec.structs.replace(planned, backups=gone), found, sizes | more)


def _plan(store: Store, policy: Policy, now: datetime) -> tuple[Plan, dict[str, int]]:
    """Return what to remove, and the bytes of everything by its path.

    The catalogue is read last: of a backup that ends meanwhile its entry is seen if its content is.
    """
    base, wal = store.list_objects("base"), store.list_objects("wal")
    marked, backups = keeping.marked(store), catalogue.read(store)
    plan = retention.plan(backups, marked=marked, wal=wal, base=base, policy=policy, now=now)
    return plan, {each.path: each.size for each in (*base, *wal)}


def _gone(store: Store, planned: Plan) -> tuple[Backup, ...]:
    """Put entries back that were marked meanwhile; return the backups that are gone."""
    removed = {backup.name: backup for backup in planned.backups}
    for name in keeping.marked(store) & removed.keys():
        way: list[Backup] = []
        each = removed.pop(name, None)
        while each is not None:
            way.append(each)
            each = removed.pop(each.parent, None) if each.parent else None
        for backup in reversed(way):
            # Of two prunes both may.
            store.put_new(catalogue.path(backup.name), msgspec.json.encode(backup))
    return tuple(removed.values())


def _pruned(planned: Plan, found: Plan, sizes: Mapping[str, int]) -> Pruned:
    return Pruned(
        backups=tuple(backup.name for backup in planned.backups),
        wal=len(found.wal),
        orphans=found.orphans,
        size=sum(sizes.get(path, 0) for path in _paths(planned.backups, found)),
        kept=found.kept,
    )


def _paths(backups: Sequence[Backup], found: Plan) -> list[str]:
    contents = [path for each in backups for path in (each.data, each.manifest) if path]
    return [*contents, *found.wal, *found.orphans]
