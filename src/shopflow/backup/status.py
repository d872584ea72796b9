"""How the backups stand: where a restore can go, what would be lost, how long it would take."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from shopflow.backup import archiver, catalogue, segments
from shopflow.backup.archiver import Archiver
from shopflow.backup.catalogue import Backup
from shopflow.backup.policy import Policy
from shopflow.backup.predicting import predict_rto
from shopflow.backup.schedule import wanted
from shopflow.backup.store import Store, Stored
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# A day, and as long as a backup may take.
HOURS_WITHOUT_BACKUP = 26
GRACE = timedelta(hours=2)
NO_SERVER = "the server does not run, so what it has not archived is not known: shopflow up"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the backups; None where it is not known, or there is none.

    Attributes:
        backups: how many the store holds.
        last_backup: when the newest had ended.
        last_archived: when the newest WAL segment came into the store.
        restores_from: the first time that a restore can go to, with every moment after it.
        restores_to: the last.
        waiting: finished WAL files that are not archived yet.
        oldest_wait: how long the oldest of them has waited.
        rpo_seconds: the age at most of the oldest change that would be lost with the data
            directory; 0 when nothing would.
        rto_seconds: how long a restore of everything would take until it takes writes, by
            prediction.
        rto_from: what the prediction is from.
        problems: what is wrong, and what to do; empty when nothing is.
    """

    backups: int
    last_backup: datetime | None
    last_archived: datetime | None
    restores_from: datetime | None
    restores_to: datetime | None
    waiting: int | None
    oldest_wait: timedelta | None
    rpo_seconds: float | None
    rto_seconds: float | None
    rto_from: str | None
    problems: tuple[str, ...]


class Drilled(msgspec.Struct, frozen=True):
    """Of a drill's report, how long its restore took; None when it did not get so far."""

    finished_at: datetime
    predicted_rto: float
    measured_rto: float | None


class _Signed(msgspec.Struct, frozen=True):
    report: Drilled


def status(settings: Settings) -> Status:
    """Return how the backups stand (§7.1, §7.3); the server need not run, but then less is known.

    Raises:
        ConfigurationError: when no store is set, or the policy contradicts itself.
        BackupError: when the store cannot be read.
    """
    store, policy = Store(settings), Policy.of(settings)
    live, server = None, Server(settings)
    if settings.embedded and server.state() == "running":
        with psycopg.connect(server.superuser_conninfo(), autocommit=True) as connection:
            live = archiver.look(connection)
    return assess(
        catalogue.read(store),
        store.list_objects("wal"),
        live,
        policy=policy,
        now=live.now if live else datetime.now(UTC),
        drilled=_last_drill(store),
    )


def assess(
    backups: Sequence[Backup],
    archived: Sequence[Stored],
    live: Archiver | None,
    *,
    policy: Policy,
    now: datetime,
    drilled: Drilled | None = None,
) -> Status:
    """Return how the backups stand at `now`.

    Args:
        backups: the catalogue.
        archived: what lies in the archive.
        live: what the server says; None when none runs.
        policy: what is wanted.
        now: the time.
        drilled: the last drill.
    """
    wal = {name: each for each in archived if (name := segments.of_file(each.path))}
    good = catalogue.whole(backups)
    newest = max((each.modified for each in wal.values()), default=None)
    rpo = archiver.unarchived(live) if live else None
    rto, rto_from = _predicted(good, wal, drilled)
    restores_from = _restores_from(good, wal)
    return Status(
        backups=len(backups),
        last_backup=good[-1].finished_at if good else None,
        last_archived=newest,
        restores_from=restores_from,
        restores_to=(
            max(now - rpo, restores_from) if restores_from is not None and rpo is not None else None
        ),
        waiting=live.waiting if live else None,
        oldest_wait=live.now - live.waiting_since if live and live.waiting_since else None,
        rpo_seconds=round(rpo.total_seconds(), 3) if rpo is not None else None,
        rto_seconds=rto,
        rto_from=rto_from,
        problems=(
            *(_of_server(live, wal, good, newest) if live else [NO_SERVER]),
            *_of_backups(good, policy, now),
            *_of_wal(good, wal, policy, now),
        ),
    )


def _restores_from(good: Sequence[Backup], wal: Collection[str]) -> datetime | None:
    """Return the end of the first backup after which no WAL is missing."""
    since: dict[tuple[str, int], str | None] = {}
    for backup in good:
        timeline = (backup.start_wal[:8], backup.segment_size)
        if timeline not in since:
            since[timeline] = segments.unbroken_since(wal, *timeline)
        first = since[timeline]
        if first is not None and first <= backup.start_wal:
            return backup.finished_at
    return None


def _predicted(
    good: Sequence[Backup], wal: Collection[str], drilled: Drilled | None
) -> tuple[float | None, str | None]:
    """Return how many seconds a restore takes, and what says so."""
    if not good:
        return None, None
    start, segment_size = good[-1].start_wal, good[-1].segment_size
    size = sum(backup.content_size for backup in catalogue.chain(good, good[-1]))
    after = sum(1 for name in wal if name[8:] >= start[8:])
    seconds = predict_rto(size, after * segment_size).total_seconds()
    if drilled is None or drilled.measured_rto is None:
        return round(seconds, 1), "assumed rates: a drill measures them"
    # Of a small shop the drill's sizes and these are alike; of a large one the rates are.
    seconds *= drilled.measured_rto / drilled.predicted_rto
    return round(seconds, 1), f"the drill of {drilled.finished_at:%Y-%m-%d %H:%M}Z"


def _of_server(
    live: Archiver, wal: Collection[str], good: Sequence[Backup], newest: datetime | None
) -> list[str]:
    found = archiver.problems(live, newest)
    last = live.last_archived
    if last is not None and segments.NAME.fullmatch(last) and last not in wal:
        found.append(
            f"PostgreSQL has archived {last} and the store does not have it: see the server's"
            " archive_command, and make a backup"
        )
    if good and good[-1].system_identifier != live.system_identifier:
        found.append("the newest backup is another server's: give this one a store of its own")
    return found


def _of_backups(good: Sequence[Backup], policy: Policy, now: datetime) -> list[str]:
    if not good:
        return ["there is no backup: make one with shopflow backup create"]
    hours = (now - good[-1].finished_at) / timedelta(hours=1)
    if hours > HOURS_WITHOUT_BACKUP:
        return [
            (
                f"the newest backup is {hours:.0f} h old: see why shopflow backup due does not run"
                " every hour, or fails"
            )
        ]
    kind = wanted(good, policy, now - GRACE)
    if kind is None:
        return []
    return [f"the {kind} backup was due more than 2 h ago: call shopflow backup due every hour"]


def _of_wal(
    good: Sequence[Backup], wal: Collection[str], policy: Policy, now: datetime
) -> list[str]:
    """Tell of a gap in what a restore into the window needs."""
    before = [backup for backup in good if backup.finished_at <= now - policy.wal_kept]
    for first in (before[-1:] or good)[:1]:
        missing = segments.first_missing(wal, first.start_wal, first.segment_size)
        if missing is not None:
            return [
                (
                    f"the WAL segment {missing} is missing: what came after it can be restored only"
                    " from a later backup, so make one with shopflow backup create"
                )
            ]
    return []


def _last_drill(store: Store) -> Drilled | None:
    """Return the newest drill that restored; one that cannot be read tells nothing."""
    for name in reversed(store.names("reports")):
        with suppress(msgspec.MsgspecError):
            found = msgspec.json.decode(b"".join(store.get(f"reports/{name}")), type=_Signed).report
            if found.measured_rto is not None and found.predicted_rto > 0:
                return found
    return None
