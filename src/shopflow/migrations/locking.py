"""One migrator at a time, through a session's advisory lock, and who is in the way of a lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import LiteralString

import msgspec
import psycopg
from psycopg.rows import class_row

from shopflow.errors import MigrationError
from shopflow.migrations import env
from shopflow.settings import Settings

POLL = 0.2
SAY_AGAIN = 15.0

_TRY_LOCK: LiteralString = """
    SELECT pg_try_advisory_lock(hashtextextended('shopflow migrations of ' || %(schema)s::text, 0))
"""
_HOLDER: LiteralString = """
    SELECT a.pid, a.usename::text AS login, coalesce(a.application_name, '') AS program,
           coalesce(a.state, 'unknown') AS state, a.backend_start AS since
    FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint)
          = hashtextextended('shopflow migrations of ' || %(schema)s::text, 0)
"""
_BLOCKERS: LiteralString = """
    SELECT a.pid, a.usename::text AS login, coalesce(a.application_name, '') AS program,
           coalesce(a.state, 'unknown') AS state, coalesce(a.xact_start, a.backend_start) AS since
    FROM pg_stat_activity AS a
    WHERE a.pid = ANY (pg_blocking_pids(%(pid)s))
    ORDER BY since, a.pid
"""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the server that others wait for.

    Attributes:
        since: when it connected, for a migrator; when its transaction began, for a blocker.
    """

    pid: int
    login: str | None
    program: str
    state: str
    since: datetime | None

    def __str__(self) -> str:
        """Say who it is in a few words; never its statement, which may hold data."""
        since = f" since {self.since:%H:%M:%S %Z}" if self.since else ""
        program = self.program or "unnamed program"
        return f"pid {self.pid} ({program}, login {self.login or 'unknown'}, {self.state}{since})"


class MigratorLock:
    """The right to migrate one schema, for as long as its connection lives.

    Attributes:
        connection: the autocommit connection that holds the lock; free for reading.
    """

    def __init__(self, connection: psycopg.Connection, schema: str) -> None:
        self.connection = connection
        self._schema = schema

    def verify(self) -> None:
        """Raise MigrationError if the lock is not ours any more."""
        try:
            holder = self.holder()
        except psycopg.OperationalError as error:
            raise MigrationError(
                "the connection that keeps other migrators away was lost, so nothing further was "
                "applied; run the command again"
            ) from error
        if holder is None or holder.pid != self.connection.info.backend_pid:
            raise MigrationError("another migrator took over; nothing further was applied here")

    def holder(self) -> Session | None:
        """Return the session that holds the lock now, None if nobody does."""
        with self.connection.cursor(row_factory=class_row(Session)) as cursor:
            return cursor.execute(_HOLDER, {"schema": self._schema}).fetchone()

    def acquire(self, *, wait: float, report: Callable[[str], None]) -> None:
        """Take the lock, waiting up to `wait` seconds and saying for whom.

        It polls: a session waiting inside the server for an advisory lock holds a snapshot, for
        which CREATE INDEX CONCURRENTLY waits in turn.
        """
        began = time.monotonic()
        say_at = began
        while not self.try_acquire():
            waited = time.monotonic() - began
            holder = self.holder()
            if waited > wait:
                raise MigrationError(
                    f"waited {waited:.0f} s for another migrator, {holder}; run again when it is "
                    "done, or end that session if it is stuck"
                )
            if holder and time.monotonic() >= say_at:
                report(f"another migrator is at work: {holder}; waiting for {waited:.0f} s so far")
                say_at = time.monotonic() + SAY_AGAIN
            time.sleep(POLL)

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it, and say whether it is ours."""
        row = self.connection.execute(_TRY_LOCK, {"schema": self._schema}).fetchone()
        return row is not None and bool(row[0])


@contextmanager
def alone(
    settings: Settings, *, wait: float, report: Callable[[str], None]
) -> Iterator[MigratorLock]:
    """Be the only migrator of the schema inside the block; see `MigratorLock.acquire`."""
    with env.connection(settings, application_name="shopflow migrate: lock") as connection:
        lock = MigratorLock(connection, settings.schema)
        lock.acquire(wait=wait, report=report)
        yield lock


@contextmanager
def blockers_of(
    pid: int, connection: psycopg.Connection, report: Callable[[str], None]
) -> Iterator[list[Session]]:
    """Watch, over `connection`, who blocks session `pid`, and report it.

    The list that it gives holds who did last.
    """
    found: list[Session] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL):
            try:
                now = _blockers(pid, connection)
            except psycopg.OperationalError:
                # The lock's connection is lost, which `verify` is there to notice.
                return
            if {session.pid for session in now} - {session.pid for session in found}:
                report(f"waiting for a lock; in the way: {', '.join(map(str, now))}")
            found[:] = now or found

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _blockers(pid: int, connection: psycopg.Connection) -> list[Session]:
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(_BLOCKERS, {"pid": pid}).fetchall()
