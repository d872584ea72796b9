"""The log of erasures, kept in the store: what a restore to an earlier time has to do again."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

from shopflow.backup import source
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.settings import Settings

DIRECTORY = "erasures"
# Far longer than a transaction that erases may take, and than a worker is usually away.
RECENT = timedelta(days=1)


class Erasure(msgspec.Struct, frozen=True):
    """A row of `erasure_log`: it names an account that is empty, and no person."""

    id: UUID
    user_id: UUID
    erased_by: UUID | None
    reason: str
    erased_at: datetime


def export_recent(settings: Settings) -> int:
    """Put the erasures of the last day into the store; return how many were new there.

    For a worker's every minute: it asks the store only when there are any.

    Raises:
        ConfigurationError: when no store is set.
        BackupError: when the store refuses.
    """
    with source.connect(settings) as connection:
        return export(connection, Store(settings), within=RECENT)


def export(connection: psycopg.Connection, store: Store, *, within: timedelta | None = None) -> int:
    """Put erasures into the store that it does not have; return how many.

    Args:
        connection: to the shop.
        store: where to.
        within: how old they may be; None for all.

    Raises:
        BackupError: when the store refuses.
    """
    if not source.has_table(connection, "erasure_log"):
        return 0
    rows = connection.execute(
        """
        SELECT id, user_id, erased_by, reason, erased_at FROM erasure_log
        WHERE %(within)s::interval IS NULL OR erased_at >= now() - %(within)s::interval
        ORDER BY erased_at, id
        """,
        {"within": within},
    ).fetchall()
    known = set(store.names(DIRECTORY)) if rows else set()
    found = (Erasure(*row) for row in rows)
    new = [each for each in found if f"{each.id}.json" not in known]
    return sum(
        store.put_new(f"{DIRECTORY}/{each.id}.json", msgspec.json.encode(each)) for each in new
    )


def read(store: Store) -> list[Erasure]:
    """Return the erasures that the store knows, the oldest first.

    Raises:
        BackupError: when the store cannot be read, or an entry is damaged.
    """
    found = [_read(store, name) for name in store.names(DIRECTORY)]
    return sorted(found, key=lambda each: (each.erased_at, each.id))


def _read(store: Store, name: str) -> Erasure:
    content = b"".join(store.get(f"{DIRECTORY}/{name}"))
    try:
        return msgspec.json.decode(content, type=Erasure)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{DIRECTORY}/{name} in {store.url} is damaged ({error})") from error
