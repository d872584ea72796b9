"""The store of the backups: streamed in and out, whole or not at all."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore

from shopflow.backup.errors import BackupError
from shopflow.errors import ConfigurationError
from shopflow.settings import Settings

CHUNK = 4 * 1024 * 1024


class Stored(msgspec.Struct, frozen=True):
    """An object of the store: its path, its bytes, and when it was written."""

    path: str
    size: int
    modified: datetime


class Store:
    """What `backup_url` names.

    Raises:
        ConfigurationError: when it is not set.
        BackupError: when it cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.backup_url is None:
            raise ConfigurationError(
                "backup_url is not set: say where backups go with"
                " SHOPFLOW_BACKUP_URL=file:///path, then start the server again"
            )
        self.url = settings.backup_url
        self.root = Path(self.url.removeprefix("file://"))
        try:
            self._store = LocalStore(self.root, mkdir=True)
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} cannot be used: {error}") from error

    def put(self, path: str, chunks: Iterator[bytes]) -> None:
        """Write an object from its chunks, with a few of them in memory, and sync it to disk.

        An error that `chunks` raises passes through and leaves no object.

        Raises:
            BackupError: when the store refuses, as a full disk does.
        """
        try:
            obstore.put(self._store, path, chunks, chunk_size=CHUNK, max_concurrency=2)
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} refused {path}: {_first(error)}") from error
        self._sync(path)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a small object unless there is one; False when there is."""
        try:
            obstore.put(self._store, path, content, mode="create")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} refused {path}: {_first(error)}") from error
        self._sync(path)
        return True

    def get(self, path: str) -> Iterator[bytes]:
        """Yield an object's content in chunks.

        Raises:
            BackupError: when it is not there or cannot be read.
        """
        try:
            for chunk in obstore.get(self._store, path).stream(min_chunk_size=CHUNK):
                yield bytes(chunk)
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} gives no {path}: {_first(error)}") from error

    def names(self, directory: str) -> list[str]:
        """Return the names of the objects of a directory, sorted.

        Raises:
            BackupError: when the store cannot be read.
        """
        return [each.path.rpartition("/")[2] for each in self.list_objects(directory)]

    def list_objects(self, directory: str) -> list[Stored]:
        """Return the objects of a directory, sorted by their paths.

        Raises:
            BackupError: when the store cannot be read.
        """
        try:
            found = obstore.list(self._store, directory)
            objects = [
                Stored(entry["path"], entry["size"], entry["last_modified"])
                for batch in found
                for entry in batch
            ]
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} has no list: {_first(error)}") from error
        return sorted(objects, key=lambda each: each.path)

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens when there is none.

        Raises:
            BackupError: when the store refuses.
        """
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} keeps {path}: {_first(error)}") from error

    def _sync(self, path: str) -> None:
        """Reach the disk, with the names of the object and of every directory above it."""
        found = self.root / path
        for each in (found, *found.parents):
            handle = os.open(each, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            if each == self.root:
                return


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
