"""Restore points: moments with a name, in the WAL and beside it in the store."""

from datetime import datetime

import msgspec

from shopflow.backup import source, targets
from shopflow.backup.archiving import archive_now
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.errors import InvalidInputError
from shopflow.settings import Settings

DIRECTORY = "restore-points"


class RestorePoint(msgspec.Struct, frozen=True):
    """A named moment that can be restored to.

    Attributes:
        name: what it is known by.
        created_at: the server's clock after it was written.
        lsn: where it is in the WAL.
    """

    name: str
    created_at: datetime
    lsn: str


def create_restore_point(settings: Settings, name: str) -> RestorePoint:
    """Name the present moment, and return once the WAL up to it is archived.

    Raises:
        InvalidInputError: when the name is no plain one, or there is one of that name.
        ConfigurationError: when no store is set.
        BackupError: when the server does not archive, or the store refuses.
        ServerError: when there is no server.
    """
    targets.check_name(name)
    store = Store(settings)
    if find(store, name) is not None:
        raise InvalidInputError("restore_point", name, "is the name of an earlier one")
    with source.connect(settings) as connection:
        row = connection.execute(
            """
            SELECT pg_create_restore_point(%(name)s)::text, clock_timestamp()
            WHERE current_setting('archive_mode') <> 'off'
            """,
            {"name": name},
        ).fetchone()
        if row is None:
            raise BackupError(
                "the server archives no WAL: start it again with SHOPFLOW_BACKUP_URL set"
            )
        made = RestorePoint(name=name, created_at=row[1], lsn=row[0])
        archive_now(connection)
    store.put_new(f"{DIRECTORY}/{name}.json", msgspec.json.encode(made))
    return made


def find(store: Store, name: str) -> RestorePoint | None:
    """Return the restore point that the store knows by that name.

    One that was made with SQL alone is in the WAL only.

    Raises:
        BackupError: when the store cannot be read or its entry is damaged.
    """
    if f"{name}.json" not in store.names(DIRECTORY):
        return None
    content = b"".join(store.get(f"{DIRECTORY}/{name}.json"))
    try:
        return msgspec.json.decode(content, type=RestorePoint)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{DIRECTORY}/{name}.json in {store.url} is damaged ({error})") from error
