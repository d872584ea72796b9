"""Whether the present moment can be restored to, as before a risky change."""

import time
from datetime import timedelta

import psycopg

from shopflow.backup import archiver, catalogue, segments
from shopflow.backup.catalogue import Backup
from shopflow.backup.errors import BackupError
from shopflow.backup.status import HOURS_WITHOUT_BACKUP
from shopflow.backup.store import Store
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

POLL_SECONDS = 0.2
PATIENCE = timedelta(minutes=3)


def require_fresh(settings: Settings, patience: timedelta = PATIENCE) -> Backup:
    """Return the newest backup, once this moment can be restored to from it.

    It ended in the last 26 hours, and all WAL from it on is in the store: the segment that is
    written is ended and waited for, up to `patience`.

    Raises:
        ConfigurationError: when no store is set.
        BackupError: when it cannot be, saying what to do.
        ServerError: when there is no server.
    """
    store = Store(settings)
    backups = catalogue.whole(catalogue.read(store))
    if not backups:
        raise BackupError("there is no backup: make one with shopflow backup create")
    newest = backups[-1]
    with psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True) as connection:
        live = archiver.look(connection)
        if newest.system_identifier != live.system_identifier:
            raise BackupError(f"the newest backup {newest.name} is another server's")
        if live.now - newest.finished_at > timedelta(hours=HOURS_WITHOUT_BACKUP):
            raise BackupError(
                f"the newest backup {newest.name} ended more than {HOURS_WITHOUT_BACKUP} hours"
                " ago: make one with shopflow backup create"
            )
        if live.archive_mode == "off":
            raise BackupError(
                "the server archives no WAL: start it again with SHOPFLOW_BACKUP_URL set"
            )
        # Without a change since, it is where the next segment begins, and the one before archived.
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal() - 1)").fetchone()
    _wait(store, row[0] if row else "", patience)
    missing = segments.first_missing(_archived(store), newest.start_wal, newest.segment_size)
    if missing is not None:
        raise BackupError(
            f"the WAL segment {missing} after backup {newest.name} is not in the store: make"
            " another with shopflow backup create"
        )
    return newest


def _wait(store: Store, segment: str, patience: timedelta) -> None:
    deadline = time.monotonic() + patience.total_seconds()
    while segment not in _archived(store):
        if time.monotonic() > deadline:
            raise BackupError(
                f"the WAL segment {segment} did not come into the store within"
                f" {patience.total_seconds():g} s: see shopflow backup status"
            )
        time.sleep(POLL_SECONDS)


def _archived(store: Store) -> set[str]:
    return segments.of_files(store.names("wal"))
