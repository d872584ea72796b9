"""Restores a backup and the WAL after it into a new home, up to a time or to the end."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from shopflow.backup import catalogue, recovery, segments, wal_files
from shopflow.backup.catalogue import Backup
from shopflow.backup.encryption import key_of
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.backup.unpacking import materialise
from shopflow.errors import InvalidInputError, ServerError
from shopflow.postgres import cluster, pgpass, postmaster, server_user
from shopflow.postgres.cluster import DATABASE, SUPERUSER
from shopflow.postgres.embedded import Server, silent
from shopflow.postgres.postmaster import Launched
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings

POLL_SECONDS = 0.1
LOCK_SECONDS = 60.0
PROMOTE_SECONDS = 600


class Restored(msgspec.Struct, frozen=True):
    """A restored server, which runs.

    Attributes:
        url: how to connect.
        home: its `SHOPFLOW_HOME`.
        backup: the name of the base backup.
        target: what was asked for; None for the end of the archive.
        last_transaction: when the last transaction that it holds was committed, None when none
            was after the backup.
    """

    url: str
    home: str
    backup: str
    target: datetime | None
    last_transaction: datetime | None


def restore(
    settings: Settings,
    to: Path,
    *,
    at: datetime | None = None,
    report: Callable[[str], None] = silent,
) -> Restored:
    """Restore into the new directory `to` and leave the server there running (§7.2).

    Returns when recovery has reached the target and the server takes writes. It archives
    nothing. Nothing of the live server is touched, and it need not be there.

    Args:
        settings: `backup_url` says from where; what else they say holds for the new server.
        to: becomes a home of its own; must not exist, or be empty.
        at: the last moment to have, with an offset; None for all that was archived.
        report: told what is done.

    Raises:
        InvalidInputError: for a time without an offset or in the future, and a `to` in use.
        ConfigurationError: when no store is set.
        BackupError: when no backup fits, one is damaged, WAL is missing or ends too early.
    """
    _check_input(to, at)
    store = Store(settings)
    key, backups = key_of(settings), catalogue.read(store)
    backup = catalogue.choose(backups, at)
    chain = catalogue.chain(backups, backup)
    _check_wal(store, backup)
    new = msgspec.structs.replace(
        settings,
        home=to,
        backup_url=None,
        port=None,
        database_url=None,
        server_from_pg_variables=False,
    )
    account, home, server = server_user.find_account(new.server_user), Home(to), Server(new)
    home.make(account)
    with ExitStack() as carrying:
        with home.lock(LOCK_SECONDS, lambda: None):
            home.make_directories(account)
            report(f"unpacking backup {backup.name}")
            with home.unfinished("restore", account) as directory:
                materialise(store, chain, directory / "data", account, key)
                _verify(server, directory / "data")
                command = carrying.enter_context(
                    wal_files.restore_command(settings, store, home, account)
                )
                hba = recovery.configure(directory / "data", home, account, command, at)
                (directory / "data").rename(home.data)
        report("replaying the archived WAL")
        launched = server.launch_recovery(report)
        try:
            last = _finish(server, home, account, launched, at)
        except BaseException:
            server.stop()
            raise
    try:
        with home.lock(LOCK_SECONDS, lambda: None), _connect(server, home, account) as connection:
            _set_passwords(connection, home, f"{new.schema}_owner")
            recovery.unconfigure(home, account, hba)
            connection.execute("SELECT pg_reload_conf()")
    except BaseException:
        server.stop()
        raise
    return Restored(server.url(), str(to), backup.name, at, last)


def _check_input(to: Path, at: datetime | None) -> None:
    if at is not None and at.tzinfo is None:
        raise InvalidInputError(
            "at", at.isoformat(), "needs its offset, as 2026-01-15T14:30:00+00:00, or Z for UTC"
        )
    if at is not None and at > datetime.now(UTC):
        raise InvalidInputError(
            "at", at.isoformat(), "is in the future; --latest has all that was archived"
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInputError("to", str(to), "must be a new or an empty directory")


def _check_wal(store: Store, backup: Backup) -> None:
    archived = [segments.archived_name(name) for name in store.names("wal")]
    missing = segments.first_missing(archived, backup.start_wal, backup.segment_size)
    if missing is not None:
        raise BackupError(
            f"the WAL segment {missing} after backup {backup.name} is missing in {store.url}:"
            " bring it back, or restore to a time before it"
        )


def _verify(server: Server, data: Path) -> None:
    """Have PostgreSQL compare every file with the backup's manifest."""
    found = recovery.run([server.binary("pg_verifybackup"), "--no-parse-wal", "--quiet", data])
    if found:
        raise BackupError(f"the backup is damaged, restore an earlier one: {found}")


def _finish(
    server: Server,
    home: Home,
    account: server_user.Account,
    launched: Launched,
    at: datetime | None,
) -> datetime | None:
    """Wait for the target and promote; return when the last transaction was committed."""
    while True:
        ended = postmaster.ended(home, launched)
        if ended is not None:
            raise _failed(ended, at)
        try:
            with _connect(server, home, account) as connection:
                replaying, paused, last = _progress(connection)
                if replaying and paused:
                    connection.execute(
                        "SELECT pg_promote(true, %(seconds)s)", {"seconds": PROMOTE_SECONDS}
                    )
                    return last
                if not replaying:
                    return last
        except psycopg.OperationalError:
            # Not yet consistent, so it takes no connections.
            pass
        time.sleep(POLL_SECONDS)


def _progress(connection: psycopg.Connection) -> tuple[bool, bool, datetime | None]:
    """Return whether it replays, whether it waits at the target, and the last commit replayed."""
    row = connection.execute(
        """
        SELECT pg_is_in_recovery(),
            CASE WHEN pg_is_in_recovery()
                THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END,
            pg_last_xact_replay_timestamp()
        """
    ).fetchone()
    return (True, False, None) if row is None else (row[0], row[1], row[2])


def _failed(said: str, at: datetime | None) -> ServerError | BackupError:
    if "recovery ended before configured recovery target was reached" in said:
        return BackupError(
            f"the archived WAL ends before {at}, or a segment cannot be read: --latest restores"
            f" to where it ends ({said})"
        )
    return BackupError(f"PostgreSQL ended while it replayed the WAL: {said}")


def _connect(server: Server, home: Home, account: server_user.Account) -> psycopg.Connection:
    return psycopg.connect(
        make_conninfo(
            host=str(home.socket(account)),
            port=server.status().port or 1,
            user=SUPERUSER,
            dbname=DATABASE,
            password="",
            options="",
            connect_timeout=5,
        ),
        autocommit=True,
    )


def _set_passwords(connection: psycopg.Connection, home: Home, owner: str) -> None:
    """Give the new home passwords of its own: the old ones may have been lost with the old."""
    for role in (SUPERUSER, owner):
        password, _ = pgpass.ensure(home, role)
        cluster.ensure_login(connection, role, password)
