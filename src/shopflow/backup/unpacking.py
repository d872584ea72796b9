"""A backup's content from the store into a data directory, as it arrives."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import zstandard

from shopflow.backup.catalogue import Backup
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.postgres.server_user import Account


class _Source(io.RawIOBase):
    """Chunks as a file, hashed as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self._digest.update(self._rest)
        if size < 0:
            size = len(self._rest)
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def sha256(self) -> str:
        """Return the digest of the whole, reading what is left."""
        while self.read():
            pass
        return self._digest.hexdigest()


def unpack(
    store: Store,
    backup: Backup,
    data: Path,
    account: Account,
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
    source = _Source(_told(store.get(backup.data), moved))
    try:
        with (
            zstandard.ZstdDecompressor().stream_reader(cast("IO[bytes]", source)) as reader,
            tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive,
        ):
            archive.extractall(data, filter=owned)  # noqa: S202 the filter refuses paths outside
        found = source.sha256()
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise _damaged(backup, str(error)) from error
    if found != backup.sha256:
        raise _damaged(backup, "its checksum is another")


def _told(chunks: Iterator[bytes], moved: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        moved(len(chunk))
        yield chunk


def _damaged(backup: Backup, reason: str) -> BackupError:
    return BackupError(
        f"backup {backup.name} is damaged ({reason}): move its entry"
        f" catalogue/{backup.name}.json away, and an earlier one is taken"
    )
