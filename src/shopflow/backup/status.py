"""How the archive stands: what waits, how old its end is, and to where a restore can go."""

from datetime import datetime, timedelta

import msgspec
import psycopg

from shopflow.backup import catalogue
from shopflow.backup.store import Store
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# archive_timeout is a minute: twice that, and something is wrong.
LONGEST_WAIT = timedelta(minutes=2)


class Status(msgspec.Struct, frozen=True):
    """The state of the backups.

    Attributes:
        backups: how many the store holds.
        restores_from: the first time that a restore can go to, None without a backup.
        last_backup: when the newest had ended.
        last_archived: when a WAL segment was archived last, None when none was since the
            server's statistics began.
        waiting: finished segments that are not archived yet.
        oldest_wait: how long the oldest of them has waited; this much would be lost with the
            data directory, and the segment that is being written.
        problem: what is wrong, None when nothing is.
    """

    backups: int
    restores_from: datetime | None
    last_backup: datetime | None
    last_archived: datetime | None
    waiting: int
    oldest_wait: timedelta | None
    problem: str | None


def status(settings: Settings) -> Status:
    """Return how the backups of the embedded server stand (§7.1).

    Raises:
        ConfigurationError: when no store is set.
        BackupError: when the store cannot be read.
        ServerError: when there is no server.
    """
    ends = sorted(backup.finished_at for backup in catalogue.read(Store(settings)))
    # PostgreSQL's failed_count stays 0 where the command cannot be run at all; files that wait
    # tell of every kind of failure.
    with psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True) as connection:
        row = connection.execute(
            """
            SELECT current_setting('archive_mode'),
                (SELECT last_archived_time FROM pg_stat_archiver),
                count(*), clock_timestamp() - min(modification)
            FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
            """
        ).fetchone()
    mode, last, waiting, wait = row or ("off", None, 0, None)
    return Status(
        backups=len(ends),
        restores_from=ends[0] if ends else None,
        last_backup=ends[-1] if ends else None,
        last_archived=last,
        waiting=waiting,
        oldest_wait=wait,
        problem=problem(mode, len(ends), wait),
    )


def problem(archive_mode: str, backups: int, oldest_wait: timedelta | None) -> str | None:
    """Return what is wrong with the backups, None when nothing is."""
    if archive_mode == "off":
        return "the server archives no WAL: start it again with SHOPFLOW_BACKUP_URL set"
    if oldest_wait is not None and oldest_wait > LONGEST_WAIT:
        seconds = oldest_wait.total_seconds()
        return f"a WAL segment has waited {seconds:.0f} s for the archive: see the server's log"
    if not backups:
        return "there is no backup: make one with shopflow backup create"
    return None
