"""WAL as it is written: pg_receivewal beside the archive, for a loss of less than a segment."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shopflow.backup import segments, source
from shopflow.backup.errors import BackupError
from shopflow.backup.source import Source
from shopflow.backup.store import Store
from shopflow.errors import ConfigurationError
from shopflow.postgres.embedded import silent
from shopflow.postgres.server_user import Account
from shopflow.postgres.wal_archive import STREAM
from shopflow.settings import Settings

# What is written of a segment that is not full yet.
PARTIAL = ".partial"
# A segment of a quiet shop is archived once a minute.
CLEAN_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1
START_SECONDS = 30.0


def directory(settings: Settings) -> Path:
    """Return where streamed WAL lies.

    Raises:
        ConfigurationError: when `backup_stream_directory` is not set.
    """
    if settings.backup_stream_directory is None:
        raise ConfigurationError(
            "backup_stream_directory is not set: name a directory on another disk or machine than"
            " the server's data, with SHOPFLOW_BACKUP_STREAM_DIRECTORY=/path"
        )
    return settings.backup_stream_directory


def stream(
    settings: Settings,
    stopping: threading.Event,
    *,
    synchronous: bool = False,
    patience: float = START_SECONDS,
    report: Callable[[str], None] = silent,
) -> None:
    """Receive the server's WAL as it is written, until `stopping` is set (§7.1).

    What the server has flushed is on the directory's disk a moment later. The server keeps for us
    what we have not received yet, up to its max_slot_wal_keep_size. A lost connection is tried
    again. Segments that the archive has are removed.

    Args:
        settings: whose server, `backup_url` and `backup_stream_directory`.
        stopping: set, as by a signal, to end in good order.
        synchronous: from when we receive until we end in good order a commit returns only when
            we have it on disk, so that none is lost; while we are away by accident commits wait.
        patience: seconds within which the server must have begun to send.
        report: told what is done.

    Raises:
        ConfigurationError: when the directory or the store is not set.
        BackupError: when another process receives already, pg_receivewal fails, or
            `synchronous` is asked of a server that is not embedded, which has settings of its own.
    """
    if synchronous and not settings.embedded:
        raise BackupError(
            f"only the embedded server is made synchronous from here: set"
            f" synchronous_standby_names = '{STREAM}' in the server's configuration"
        )
    place, store, server = directory(settings), Store(settings), Source(settings)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.connect(settings) as connection:
        _ensure_slot(connection)
    command: list[str | Path] = [
        *(server.binary("pg_receivewal"), "--no-password", "--synchronous", "--slot", STREAM),
        *("-d", make_conninfo(server.superuser_conninfo(), application_name=STREAM)),
        *("-D", place),
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 no shell reads it
            command, stderr=errors, env=server.environment()
        )
        try:
            if not _wait_received(settings, process, errors, stopping, patience):
                return
            report(f"receiving WAL into {place}")
            if synchronous:
                _make_synchronous(settings, STREAM)
                report("commits wait until they are received")
            while not stopping.wait(CLEAN_SECONDS):
                if process.poll() is not None:
                    raise BackupError(f"pg_receivewal ended: {_said(errors)}")
                try:
                    clean(place, store)
                except BackupError as error:
                    # What is received matters more than what could be removed.
                    report(str(error))
            if synchronous:
                _make_asynchronous(settings, report)
        finally:
            _end(process)
    clean(place, store)


def clean(place: Path, store: Store) -> None:
    """Remove the streamed segments that the archive has."""
    found = [path for path in place.iterdir() if segments.NAME.fullmatch(path.name)]
    if not found:
        return
    archived = segments.of_files(store.names("wal"))
    for path in found:
        if path.name in archived:
            path.unlink()


def bring(
    place: Path,
    data: Path,
    archived: Collection[str],
    account: Account,
    report: Callable[[str], None] = silent,
) -> None:
    """Copy what was streamed and is not archived into a restored data directory.

    PostgreSQL looks there for what its restore_command does not find.

    Args:
        place: where streamed WAL lies.
        data: the data directory, not yet started.
        archived: the names of the archived segments.
        account: who owns it.
        report: told when there is no such directory: its disk may not be mounted.
    """
    if not place.is_dir():
        report(f"backup_stream_directory {place} is not there: only the archive is restored")
        return
    # The full segment after the partial one of that name: it is more.
    for path in sorted(place.iterdir(), reverse=True):
        name = path.name.removesuffix(PARTIAL)
        if not segments.NAME.fullmatch(name) or name in archived:
            continue
        target = data / "pg_wal" / name
        shutil.copyfile(path, target)
        os.chown(target, account.uid, account.gid)
        target.chmod(0o600)


def _wait_received(
    settings: Settings,
    process: subprocess.Popen[bytes],
    errors: IO[bytes],
    stopping: threading.Event,
    patience: float,
) -> bool:
    """Return True once the server sends, False when it is to stop before.

    pg_receivewal tries again for ever: also where it can never go on, as from a directory with
    another server's WAL.
    """
    deadline = time.monotonic() + patience
    with source.connect(settings) as connection:
        while not connection.execute(
            "SELECT FROM pg_replication_slots WHERE slot_name = %(name)s AND active",
            {"name": STREAM},
        ).rowcount:
            if stopping.wait(POLL_SECONDS):
                return False
            if process.poll() is not None or time.monotonic() > deadline:
                raise BackupError(f"pg_receivewal receives nothing: {_said(errors)}")
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _make_synchronous(settings: Settings, name: str) -> None:
    with source.connect(settings) as connection:
        connection.execute(
            sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(sql.Literal(name))
        )
        connection.execute("SELECT pg_reload_conf()")


def _make_asynchronous(settings: Settings, report: Callable[[str], None]) -> None:
    try:
        _make_synchronous(settings, "")
    except psycopg.OperationalError:
        report("the server is away, and stays synchronous: its commits will wait for a receiver")


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return " | ".join(errors.read().decode(errors="replace").splitlines()[-3:])


def _ensure_slot(connection: psycopg.Connection) -> None:
    """Have the server keep what was not received, from now on."""
    found = connection.execute(
        "SELECT active, wal_status FROM pg_replication_slots WHERE slot_name = %(name)s",
        {"name": STREAM},
    ).fetchone()
    if found is not None and found[1] == "lost":
        # It was away for longer than the server keeps WAL for it: the archive has what is missing.
        connection.execute("SELECT pg_drop_replication_slot(%(name)s)", {"name": STREAM})
        found = None
    if found is None:
        connection.execute(
            "SELECT pg_create_physical_replication_slot(%(name)s, true)", {"name": STREAM}
        )
    elif found[0]:
        raise BackupError("the WAL is being received already: shopflow backup stream runs once")
