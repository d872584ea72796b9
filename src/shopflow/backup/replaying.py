"""Waits until a restored server has replayed the WAL to its target, and opens it."""

import shutil
import time
from collections.abc import Callable
from datetime import datetime

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from shopflow.backup import recovery
from shopflow.backup.errors import BackupError
from shopflow.backup.targets import Target
from shopflow.errors import ServerError
from shopflow.postgres import cluster, pgpass, postmaster
from shopflow.postgres.cluster import DATABASE, SUPERUSER
from shopflow.postgres.embedded import Server
from shopflow.postgres.postmaster import NEARLY_FULL, Launched
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import Account

POLL_SECONDS = 0.1
PROMOTE_SECONDS = 600


class _State(msgspec.Struct, frozen=True):
    replaying: bool = True
    paused: bool = False
    last_commit: datetime | None = None
    position: int | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a backup is restored: the server, its home, who runs it, and how to log in there."""

    server: Server
    home: Home
    account: Account
    superuser: str = SUPERUSER
    database: str = DATABASE


def finish(
    place: Place, launched: Launched, target: Target, moved: Callable[[int], None]
) -> datetime | None:
    """Wait for the target and promote; return when the last transaction was committed.

    Args:
        place: the server that replays.
        launched: its process.
        target: what it goes to.
        moved: told the position in the WAL, in bytes from its very beginning.

    Raises:
        BackupError: when the server ended before it was there.
    """
    while True:
        ended = postmaster.ended(place.home, launched)
        if ended is not None:
            raise _failed(ended, place.home, target)
        try:
            with connect(place) as connection:
                state = _state(connection)
                if state.position is not None:
                    moved(state.position)
                if state.replaying and state.paused:
                    connection.execute(
                        "SELECT pg_promote(true, %(seconds)s)", {"seconds": PROMOTE_SECONDS}
                    )
                    return state.last_commit
                if not state.replaying:
                    return state.last_commit
        except psycopg.OperationalError:
            # Not yet consistent, so it takes no connections.
            pass
        time.sleep(POLL_SECONDS)


def login(place: Place) -> str:
    """Return how to connect to a server that lets in its own account alone, without a password."""
    return make_conninfo(
        host=str(place.home.socket(place.account)),
        port=place.server.status().port or 1,
        user=place.superuser,
        dbname=place.database,
        password="",
        options="",
        connect_timeout=5,
    )


def connect(place: Place) -> psycopg.Connection:
    """Connect as `login` says, in autocommit."""
    return psycopg.connect(login(place), autocommit=True)


def open_up(place: Place, connection: psycopg.Connection, owner: str, hba: str) -> None:
    """Let others than ourselves in; the caller holds the lock.

    The passwords are new: the old ones may have been lost with the old home.
    """
    for role in (SUPERUSER, owner):
        password, _ = pgpass.ensure(place.home, role)
        cluster.ensure_login(connection, role, password)
    recovery.unconfigure(place.home, place.account, hba)
    connection.execute("SELECT pg_reload_conf()")


def _state(connection: psycopg.Connection) -> _State:
    row = connection.execute(
        """
        SELECT pg_is_in_recovery(),
            CASE WHEN pg_is_in_recovery()
                THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END,
            pg_last_xact_replay_timestamp(),
            (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
        """
    ).fetchone()
    return _State() if row is None else _State(*row)


def _failed(said: str, home: Home, target: Target) -> ServerError | BackupError:
    if "No space left on device" in said or shutil.disk_usage(home.path).free < NEARLY_FULL:
        return BackupError(
            f"the disk of {home.path} is full: remove the directory and restore to a larger disk"
            f" ({said})"
        )
    if "recovery ended before configured recovery target was reached" not in said:
        return BackupError(f"PostgreSQL ended while it replayed the WAL: {said}")
    if target.restore_point is not None:
        return BackupError(
            f"no restore point {target.restore_point} is in the archived WAL: see that the name"
            f" is right, or restore to a time with --at ({said})"
        )
    return BackupError(
        f"the archived WAL ends before {target}, or a segment cannot be read: --latest restores"
        f" to where it ends ({said})"
    )
