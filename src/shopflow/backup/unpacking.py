"""A backup's content from the store into a data directory, as it arrives."""

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import zstandard

from shopflow.backup import recovery
from shopflow.backup.catalogue import Backup
from shopflow.backup.chunks import Hashed, Reader
from shopflow.backup.encryption import NEEDED, Key
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.postgres import server_user
from shopflow.postgres.server_user import Account


def materialise(
    store: Store,
    chain: Sequence[Backup],
    data: Path,
    account: Account,
    key: Key | None = None,
    *,
    moved: Callable[[int], None] = lambda _size: None,
) -> None:
    """Write the data directory that the last of `chain` is of, as files of `account`.

    Incremental backups lie beside `data`, each in full, until they are put together.

    Args:
        store: where they are.
        chain: a full backup, and the incremental ones that build on it, in order.
        data: the new directory, in one of its own.
        account: whose the files become.
        key: what they are decrypted with.
        moved: told the bytes read from the store, as they come.

    Raises:
        BackupError: when one is not what was stored, or they do not fit together.
    """
    if len(chain) == 1:
        unpack(store, chain[0], data, account, key, moved=moved)
        return
    parts = [data.with_name(f"{data.name}-{backup.name}") for backup in chain]
    for backup, part in zip(chain, parts, strict=True):
        unpack(store, backup, part, account, key, moved=moved)
    program = server_user.installed() / server_user.PROGRAMS / "bin" / "pg_combinebackup"
    # Files that need no putting together stay where they are: the parts go away.
    failed = recovery.run([program, "--link", "-o", data, *parts])
    if failed:
        names = ", ".join(backup.name for backup in chain)
        raise BackupError(f"the backups {names} cannot be put together: {failed}")
    for part in parts:
        shutil.rmtree(part)
    for path in (data, *data.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def unpack(
    store: Store,
    backup: Backup,
    data: Path,
    account: Account,
    key: Key | None,
    *,
    moved: Callable[[int], None] = lambda _size: None,
) -> None:
    """Write the backup's files into the new directory `data`, as files of `account`.

    `moved` is told the bytes read from the store, as they come.

    Raises:
        BackupError: when the content is not what was stored.
    """

    def owned(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        found = tarfile.tar_filter(member, path)
        return found.replace(uid=account.uid, gid=account.gid, uname="", gname="", deep=False)

    data.mkdir(0o700)
    os.chown(data, account.uid, account.gid)
    stored = Hashed(_told(store.get(backup.data), moved))
    source = Reader(_plain(iter(stored), backup, backup.data, key))
    try:
        with (
            zstandard.ZstdDecompressor().stream_reader(cast("IO[bytes]", source)) as reader,
            tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive,
        ):
            archive.extractall(data, filter=owned)  # noqa: S202 the filter refuses paths outside
        source.drain()
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise _damaged(backup, backup.data, str(error)) from error
    if stored.sha256() != backup.sha256:
        raise _damaged(backup, backup.data, "its checksum is another")


def _told(chunks: Iterator[bytes], moved: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        moved(len(chunk))
        yield chunk


def read_manifest(store: Store, backup: Backup, key: Key | None) -> bytes:
    """Return the backup's manifest.

    Raises:
        BackupError: when it has none, or it is not what was stored.
    """
    if backup.manifest is None:
        raise BackupError(f"backup {backup.name} has no manifest in the store: make a full one")
    chunks = _plain(store.get(backup.manifest), backup, backup.manifest, key)
    try:
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        content = b"".join(map(decompressor.decompress, chunks))
    except zstandard.ZstdError as error:
        raise _damaged(backup, backup.manifest, str(error)) from error
    if not decompressor.eof:
        raise _damaged(backup, backup.manifest, "it is cut off")
    return content


def _plain(chunks: Iterator[bytes], backup: Backup, path: str, key: Key | None) -> Iterator[bytes]:
    if not backup.encrypted:
        return chunks
    if key is None:
        raise BackupError(f"{path} is encrypted: {NEEDED}")
    return key.decrypt(chunks, path)


def _damaged(backup: Backup, path: str, reason: str) -> BackupError:
    return BackupError(
        f"backup {backup.name} is damaged ({path}: {reason}): move its entry"
        f" catalogue/{backup.name}.json away, and an earlier one is taken"
    )
