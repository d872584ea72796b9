"""Waits until what was written so far is in the archive."""

import time
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from shopflow.backup.errors import BackupError

POLL_SECONDS = 0.1
PATIENCE = timedelta(minutes=3)


def archive_now(connection: Connection[Any], patience: timedelta = PATIENCE) -> None:
    """End the segment that is written and wait until it is archived.

    Raises:
        BackupError: when it is not within `patience`.
    """
    row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    if row is None:
        raise BackupError("the server does not answer")
    wait_archived(connection, row[0], patience)


def wait_archived(
    connection: Connection[Any], segment: str, patience: timedelta = PATIENCE
) -> datetime:
    """Wait until a segment is finished and archived; return the server's clock then.

    Raises:
        BackupError: when it is not within `patience`.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        # The server's statistics may be reset; what waits has a file, and so has no segment that
        # is not finished. A position between two segments counts for the first.
        row = connection.execute(
            """
            SELECT clock_timestamp()
            WHERE pg_walfile_name(pg_current_wal_insert_lsn() + 1) > %(segment)s
                AND NOT EXISTS (
                    SELECT FROM pg_ls_archive_statusdir() WHERE name = %(segment)s || '.ready'
                )
            """,
            {"segment": segment},
        ).fetchone()
        if row is not None:
            found: datetime = row[0]
            return found
        if time.monotonic() > deadline:
            raise BackupError(
                f"the WAL segment {segment} was not archived within"
                f" {patience.total_seconds():g} s: see shopflow backup status"
            )
        time.sleep(POLL_SECONDS)
