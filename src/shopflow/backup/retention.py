"""What may be removed from the store: a pure rule of what is there, the policy and the time."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from shopflow.backup import catalogue, segments
from shopflow.backup.catalogue import Backup
from shopflow.backup.policy import Policy
from shopflow.backup.store import Stored

# A backup's content is there before its entry: until it is as old, one may be at work on it.
ORPHANED_AFTER = timedelta(days=1)
# What a segment is called in a directory until it is whole, and stays when its process is killed.
UNFINISHED = re.compile(r"\.|.*#[0-9]+$")


class Plan(msgspec.Struct, frozen=True):
    """What to remove.

    Attributes:
        backups: what builds on another before that other.
        wal: paths of archived WAL.
        orphans: paths of content that no backup has, and of WAL that was not written whole.
        kept: the names of the backups that stay, and why.
    """

    backups: tuple[Backup, ...]
    wal: tuple[str, ...]
    orphans: tuple[str, ...]
    kept: Mapping[str, str]


def plan(
    backups: Sequence[Backup],
    *,
    marked: Collection[str],
    wal: Sequence[Stored],
    base: Sequence[Stored],
    policy: Policy,
    now: datetime,
) -> Plan:
    """Return what the policy no longer wants at `now` (§7.1).

    Every backup that stays has the WAL between its start and its end, and every moment inside
    the window that could be restored to still can. Without any backup nothing is removed.

    Args:
        backups: the catalogue.
        marked: names of backups to keep whatever their age.
        wal: what lies in the archive.
        base: what lies beside the backups' content.
        policy: how long things are kept.
        now: the time.
    """
    if not backups:
        return Plan((), (), (), {})
    window = now - policy.wal_kept
    good = catalogue.whole(backups)
    anchors = _anchors(good, [segment_of(each.path) for each in wal], window)
    kept = _kept(backups, marked, anchors, policy, now)
    staying = [backup for backup in backups if backup.name in kept]
    contents = {path for backup in backups for path in (backup.data, backup.manifest)}
    newest_first = sorted(backups, key=lambda backup: backup.finished_at, reverse=True)
    return Plan(
        backups=tuple(backup for backup in newest_first if backup.name not in kept),
        wal=_unneeded(wal, staying, anchors, window),
        orphans=tuple(
            each.path
            for each in (
                *(each for each in base if each.path not in contents),
                *(each for each in wal if UNFINISHED.match(each.path.rpartition("/")[2])),
            )
            if now - each.modified > ORPHANED_AFTER
        ),
        kept=kept,
    )


def segment_of(path: str) -> str | None:
    """Return the name of the WAL segment that an archived file is, or is called after, if any."""
    found = segments.NAME.match(path.rpartition("/")[2])
    return found[0] if found else None


def _kept(
    backups: Sequence[Backup],
    marked: Collection[str],
    anchors: Sequence[Backup],
    policy: Policy,
    now: datetime,
) -> dict[str, str]:
    """Return the names of the backups that stay, each with the first reason that it has."""
    kept = {backup.name: "marked keep" for backup in backups if backup.name in marked}
    for backup in backups:
        limit = policy.archive_kept if backup.kind == "archive" else policy.full_kept
        if now - backup.finished_at <= limit:
            kept.setdefault(backup.name, f"kept until {backup.finished_at + limit:%Y-%m-%d %H:%M}Z")
    for backup in anchors:
        kept.setdefault(backup.name, "the newest one from before the window")
    # A parent had ended before what builds on it began.
    for backup in sorted(backups, key=lambda backup: backup.finished_at, reverse=True):
        if backup.name in kept and backup.parent is not None:
            kept.setdefault(backup.parent, f"{backup.name} builds on it")
    return {backup.name: kept[backup.name] for backup in backups if backup.name in kept}


def _anchors(
    good: Sequence[Backup], archived: Iterable[str | None], window: datetime
) -> list[Backup]:
    """Return the backups from which the window's first moments are restored.

    The newest backup of all is one of them when it is older than the window.
    One is enough while there is one timeline. A server that was restored and archives on begins
    a new one, from which a backup is no way to it that ended behind where they part.
    """
    before = [backup for backup in good if backup.finished_at <= window]
    if not before:
        return []
    parted: dict[str, str] = {}
    for name in archived:
        if name is not None:
            timeline, position = name[:8], name[8:]
            parted[timeline] = min(position, parted.get(timeline, position))
    newest = before[-1]
    found = {newest.name: newest}
    for timeline in parted:
        if timeline > newest.start_wal[:8]:
            ways = [backup for backup in before if _leads_to(backup, timeline, parted)]
            way = ways[-1] if ways else before[0]
            found[way.name] = way
    return list(found.values())


def _leads_to(backup: Backup, timeline: str, parted: Mapping[str, str]) -> bool:
    """Whether the backup had ended before any timeline up to this one parted from its own.

    Which of them this one comes from is not asked: an older way is right as well.
    """
    own, end = backup.start_wal[:8], _end(backup)[8:]
    return all(end < at for other, at in parted.items() if own < other <= timeline)


def _unneeded(
    wal: Sequence[Stored],
    staying: Sequence[Backup],
    anchors: Sequence[Backup],
    window: datetime,
) -> tuple[str, ...]:
    """Return the paths of the WAL that is neither in the window nor inside a backup.

    The window is also what was archived in it: a backup may be at work, of which no entry tells.
    Positions count, whichever timeline they are on: to keep too much of a few is safe.
    """
    if not anchors:
        return ()
    floor = min(backup.start_wal[8:] for backup in anchors)
    spans = [(backup.start_wal[8:], _end(backup)[8:]) for backup in staying]

    def needed(each: Stored) -> bool:
        name = segment_of(each.path)
        # A timeline's history is small, and what leads to it may be asked for later.
        if name is None or each.modified > window or name[8:] >= floor:
            return True
        return any(first <= name[8:] <= last for first, last in spans)

    return tuple(sorted(each.path for each in wal if not needed(each)))


def _end(backup: Backup) -> str:
    # An entry of before this was noted: all that followed may belong to it.
    return backup.end_wal or "F" * 24
