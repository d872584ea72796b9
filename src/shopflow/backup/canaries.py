"""Canaries: rows whose time of writing is known, which a restore must have or must not have."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

from shopflow.backup import source
from shopflow.backup.errors import BackupError

# Within which a canary was committed after it was written; nothing is known between.
COMMITTED_WITHIN = timedelta(seconds=10)
# The longest that a backup is kept, and a month.
KEPT_DAYS = 400


class Canary(msgspec.Struct, frozen=True):
    """A row of `restore_canaries`.

    Attributes:
        id: its key.
        written_at: the server's clock before its commit: a restore to before then has it not.
        committed_by: the server's clock after it: a restore to then or later has it.
        segment: the name of a WAL segment that ends after its commit, where that is known.
    """

    id: UUID
    written_at: datetime
    committed_by: datetime
    segment: str | None = None


def clock(connection: psycopg.Connection) -> datetime:
    """Return the server's clock."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise BackupError("the server does not answer")
    found: datetime = row[0]
    return found


def write(connection: psycopg.Connection) -> Canary | None:
    """Write a canary, and remove what is older than any backup.

    None when the schema has no table for it yet.
    """
    if not source.has_table(connection, "restore_canaries"):
        return None
    connection.execute(
        "DELETE FROM restore_canaries WHERE written_at < now() - make_interval(days => %(days)s)",
        {"days": KEPT_DAYS},
    )
    written = connection.execute(
        "INSERT INTO restore_canaries DEFAULT VALUES RETURNING id, written_at"
    ).fetchone()
    # A message, so that the segment is one that is ended after archive_timeout.
    committed = connection.execute(
        """
        SELECT clock_timestamp(),
            pg_walfile_name(pg_logical_emit_message(FALSE, 'shopflow', 'canary'))
        """
    ).fetchone()
    return Canary(*(written or ()), *(committed or ()))


def read(connection: psycopg.Connection) -> list[Canary]:
    """Return all canaries, the oldest first; none where the schema has no table for them."""
    if not source.has_table(connection, "restore_canaries"):
        return []
    rows = connection.execute(
        "SELECT id, written_at FROM restore_canaries ORDER BY written_at, id"
    ).fetchall()
    return [Canary(key, written, written + COMMITTED_WITHIN) for key, written in rows]
