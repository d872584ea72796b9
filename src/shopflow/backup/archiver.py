"""How the archiving of a server that runs stands, and what would be lost with its data."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from shopflow.backup.errors import BackupError

_QUERY = (Path(__file__).parent / "status.sql").read_bytes()
# archive_timeout is a minute: twice that, and something is wrong.
LONGEST_WAIT = timedelta(minutes=2)
# §7.3, where archive_timeout does not end a segment before it is full.
LONGEST_UNARCHIVED = timedelta(hours=1)


class Archiver(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of its archiving.

    Attributes:
        now: its clock.
        system_identifier: of its cluster.
        archive_mode: `off` where nothing is archived.
        archive_timeout: after which a segment with a change is ended; zero for never.
        checkpoint_timeout: how far apart checkpoints are.
        last_archived: the file that it archived last; None when none was since its statistics
            began.
        waiting: finished files that are not archived yet.
        waiting_since: when the oldest of them was finished.
        waiting_segment: the first segment among them.
        waiting_finished_at: when it was finished.
        nothing_written: whether the segment that is written has no record yet.
        begun_at: when the first segment that is not archived began at the earliest; None when
            its file before is gone.
        written_at: when the segment that is written was changed last.
    """

    now: datetime
    system_identifier: str
    archive_mode: str
    archive_timeout: timedelta
    checkpoint_timeout: timedelta
    last_archived: str | None
    waiting: int
    waiting_since: datetime | None
    waiting_segment: str | None
    waiting_finished_at: datetime | None
    nothing_written: bool
    begun_at: datetime | None
    written_at: datetime | None


def look(connection: Connection[Any]) -> Archiver:
    """Return how the archiving of the connection's server stands; a superuser may ask.

    Raises:
        BackupError: when it does not answer.
    """
    with connection.cursor(row_factory=class_row(Archiver)) as cursor:
        found = cursor.execute(_QUERY).fetchone()
    if found is None:
        raise BackupError("the server does not answer")
    return found


def unarchived(archiver: Archiver) -> timedelta | None:
    """Return the age that the oldest change which is not archived has at most (RPO, §7.3).

    Zero when there is none. On a quiet server it may be less than this says, since what
    PostgreSQL writes for itself is not told from a change, but never more than archive_timeout.
    None when it is not known.
    """
    if archiver.archive_mode == "off":
        return None
    if archiver.waiting_segment is None and archiver.nothing_written:
        return timedelta(0)
    known = [archiver.begun_at] if archiver.begun_at is not None else []
    if archiver.archive_timeout:
        # No segment goes on for longer after its first change.
        known.append((archiver.waiting_finished_at or archiver.now) - archiver.archive_timeout)
    if not known:
        return None
    return max(archiver.now - max(known), timedelta(0))


def problems(archiver: Archiver, newest: datetime | None) -> list[str]:
    """Return what is wrong with the archiving, and what to do.

    Args:
        archiver: what the server says.
        newest: when the newest segment came into the store.
    """
    if archiver.archive_mode == "off":
        return ["the server archives no WAL: start it again with SHOPFLOW_BACKUP_URL set"]
    # PostgreSQL's failed_count stays 0 where the command cannot be run at all; files that wait
    # tell of every kind of failure.
    if archiver.waiting_since and archiver.now - archiver.waiting_since > LONGEST_WAIT:
        waited = (archiver.now - archiver.waiting_since).total_seconds()
        return [f"a WAL segment has waited {waited:.0f} s for the archive: see the server's log"]
    # A quiet server writes nothing after the checkpoint that follows its last change.
    limit = archiver.archive_timeout + 2 * archiver.checkpoint_timeout
    if not archiver.archive_timeout:
        limit = LONGEST_UNARCHIVED
    if newest and archiver.written_at and archiver.written_at - newest > limit:
        return [
            (
                f"the newest archived WAL is of {newest:%Y-%m-%d %H:%M}Z and the server has written"
                " since: see archive_timeout, archive_command and the server's log"
            )
        ]
    return []
