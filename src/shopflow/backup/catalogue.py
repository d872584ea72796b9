"""The catalogue: one JSON document a backup, in the store, since the database may be gone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.errors import NotFoundError

DIRECTORY = "catalogue"

Kind: TypeAlias = Literal["full", "incremental", "archive"]


class Backup(msgspec.Struct, frozen=True):
    """A finished base backup.

    Attributes:
        name: `20261128T020000123456Z`, from when it began, to the microsecond.
        started_at: the server's clock before it began.
        finished_at: the server's clock when it had ended: the first time that it restores to.
        start_wal: the name of the first WAL segment that a restore reads.
        segment_size: bytes of a WAL segment.
        system_identifier: of the cluster it is of.
        version: of its server, as 180006.
        data: where its content is in the store, a tar compressed with Zstandard.
        size: bytes in the store.
        content_size: bytes before compression.
        sha256: of what is in the store, in hexadecimal.
        kind: full, archive (a full one that is kept longer, §7.1), or incremental: what changed
            since its parent.
        parent: the name of the backup that an incremental one builds on.
        manifest: where its backup_manifest is in the store.
        encrypted: whether data and manifest are.
        database: of the shop, in that cluster.
        superuser: the role that the cluster was made with.
        end_wal: the name of the last WAL segment without which it is not consistent; None in
            entries of before this was noted.
    """

    name: str
    started_at: datetime
    finished_at: datetime
    start_wal: str
    segment_size: int
    system_identifier: str
    version: int
    data: str
    size: int
    content_size: int
    sha256: str
    kind: Kind = "full"
    parent: str | None = None
    manifest: str | None = None
    encrypted: bool = False
    database: str = "shopflow"
    superuser: str = "postgres"
    end_wal: str | None = None


def path(name: str) -> str:
    """Return where the entry of a backup is."""
    return f"{DIRECTORY}/{name}.json"


def add(store: Store, backup: Backup) -> None:
    """Write a backup into the catalogue; only from now on it is one.

    Raises:
        BackupError: when one of that name is there, or the store refuses.
    """
    entry = msgspec.json.encode(backup)
    # It is ours when S3 wrote it and the answer was lost.
    if (
        not store.put_new(path(backup.name), entry)
        and b"".join(store.get(path(backup.name))) != entry
    ):
        raise BackupError(f"the catalogue has a backup {backup.name} already")


def read(store: Store) -> list[Backup]:
    """Return the backups, the oldest first.

    Raises:
        BackupError: when the store cannot be read, or an entry is damaged.
    """
    found = []
    for name in store.names(DIRECTORY):
        try:
            found.append(_read(store, name))
        except BackupError:
            # One that is being removed meanwhile is none.
            if name in store.names(DIRECTORY):
                raise
    return found


def _read(store: Store, name: str) -> Backup:
    content = b"".join(store.get(f"{DIRECTORY}/{name}"))
    try:
        return msgspec.json.decode(content, type=Backup)
    except msgspec.MsgspecError as error:
        raise BackupError(
            f"the catalogue's {name} in {store.url} is damaged ({error}): move it away,"
            " and the other backups can be used"
        ) from error


def whole(backups: Sequence[Backup]) -> list[Backup]:
    """Return the backups that have everything they build on, the oldest first."""
    found: dict[str, Backup] = {}
    for backup in sorted(backups, key=lambda backup: backup.finished_at):
        if backup.parent is None or backup.parent in found:
            found[backup.name] = backup
    return list(found.values())


def choose(backups: Sequence[Backup], target: datetime | None) -> Backup:
    """Return the newest whole backup that had ended before `target`, None for the newest.

    To a time before a backup's end PostgreSQL would restore another state, and say nothing.

    Raises:
        BackupError: when there is none.
    """
    if not backups:
        raise BackupError("the store holds no backup: make one with shopflow backup create")
    ordered = whole(backups)
    if not ordered:
        raise BackupError("no backup has everything that it builds on: bring the entries back")
    usable = [each for each in ordered if target is None or each.finished_at < target]
    if not usable:
        raise BackupError(
            f"no backup had ended before {target}: the earliest time to restore to is"
            f" {ordered[0].finished_at.isoformat()}"
        )
    return usable[-1]


def chain(backups: Sequence[Backup], backup: Backup) -> list[Backup]:
    """Return what a restore of `backup` needs: the full one first, `backup` last.

    Raises:
        BackupError: when one of them is not in the catalogue any more.
    """
    found, named = [backup], {each.name: each for each in backups}
    while (parent := found[0].parent) is not None:
        if parent not in named:
            raise BackupError(
                f"the incremental backup {found[0].name} needs {parent}, which is not in the"
                " catalogue: bring its entry back, or restore to a time before"
                f" {backup.finished_at.isoformat()}"
            )
        found.insert(0, named[parent])
    return found


def named(backups: Sequence[Backup], name: str) -> Backup:
    """Return the backup of that name.

    Raises:
        NotFoundError: when there is none.
    """
    for backup in backups:
        if backup.name == name:
            return backup
    raise NotFoundError("backup", name)
