"""The store of the backups: streamed in and out, whole or not at all."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from shopflow.backup.errors import BackupError
from shopflow.errors import ConfigurationError
from shopflow.settings import Settings

CHUNK = 4 * 1024 * 1024
# S3 takes 10,000 parts an object, of 5 MB at least: 8 MB are enough for 80 GB.
PART = 8 * 1024 * 1024
MOST_PARTS = 9_000
# A part of 128 MB, of a backup of a terabyte, on a slow line; an answer that does not come.
PATIENCE = timedelta(minutes=5)
RETRIES = 10
RETRY_SECONDS = 180
# What a file is called until it is whole; a killed process leaves it.
UNFINISHED = re.compile(r"#\d+$")
# S3's own name of the fault, in the answer's second line.
FAULT = re.compile(r"<Code>(\w+)</Code>")
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")


class Stored(msgspec.Struct, frozen=True):
    """An object of the store: its path, its bytes, and when it was written."""

    path: str
    size: int
    modified: datetime


class Store:
    """What `backup_url` names: a directory, or a bucket of S3 or what speaks as S3 does.

    For S3 the credentials, the region and the endpoint are what the AWS_* variables say.

    Args:
        settings: whose `backup_url`.
        retries: how often S3 is asked again after an error that may pass.

    Raises:
        ConfigurationError: when it is not set.
        BackupError: when it cannot be used.
    """

    def __init__(self, settings: Settings, *, retries: int | None = None) -> None:
        if settings.backup_url is None:
            raise ConfigurationError(
                "backup_url is not set: say where backups go with SHOPFLOW_BACKUP_URL=file:///path"
                " or s3://bucket/prefix, then start the server again"
            )
        self.url = settings.backup_url
        self._directory = directory_of(self.url)
        try:
            self._store = _opened(self.url, RETRIES if retries is None else retries)
        except (BaseError, OSError, ValueError) as error:
            raise BackupError(f"the store {self.url} cannot be used: {_reason(error)}") from error

    def put(
        self,
        path: str,
        chunks: Iterator[bytes],
        *,
        storage_class: str | None = None,
        expected: int = 0,
    ) -> None:
        """Write an object from its chunks, with a few parts of it in memory; durable on return.

        An error that `chunks` raises passes through and leaves no object.

        Args:
            path: of the object.
            chunks: its content.
            storage_class: S3's, such as GLACIER_IR; None for the bucket's own. A directory has
                none.
            expected: bytes that come at most, by which the parts are sized.

        Raises:
            BackupError: when the store refuses, as a full disk does.
        """
        classed = storage_class is not None and self._directory is None
        try:
            obstore.put(
                self._store,
                path,
                chunks,
                attributes={"Storage-Class": storage_class or ""} if classed else None,
                chunk_size=max(PART, expected // MOST_PARTS),
                max_concurrency=2,
            )
        except (BaseError, OSError) as error:
            raise self._refused(path, error) from error
        self._sync(path)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write a small object unless there is one; False when there is."""
        try:
            obstore.put(self._store, path, content, mode="create")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise self._refused(path, error) from error
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
            raise BackupError(f"the store {self.url} gives no {path}: {_reason(error)}") from error

    def names(self, directory: str) -> list[str]:
        """Return the names of the objects of a directory, sorted.

        Raises:
            BackupError: when the store cannot be read.
        """
        return sorted(each.path.rpartition("/")[2] for each in self._listed(directory))

    def list_objects(self, directory: str) -> list[Stored]:
        """Return the objects of a directory, sorted by their paths.

        Among them, in a store that is a directory, are files that are being written, or were when
        their process was killed: they end in # and a number, and `delete` takes them away. What
        S3 got of an upload that was cut is no object; a rule of the bucket's removes it.

        Raises:
            BackupError: when the store cannot be read.
        """
        found = self._listed(directory)
        if self._directory is not None:
            found += _unfinished(self._directory, directory)
        return sorted(found, key=lambda each: each.path)

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens when there is none.

        Raises:
            BackupError: when the store refuses.
        """
        try:
            if self._directory is not None and UNFINISHED.search(path):
                (self._directory / path).unlink(missing_ok=True)
            else:
                obstore.delete(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise BackupError(f"the store {self.url} keeps {path}: {_reason(error)}") from error

    def _listed(self, directory: str) -> list[Stored]:
        try:
            return [
                Stored(entry["path"], entry["size"], entry["last_modified"])
                for batch in obstore.list(self._store, directory)
                for entry in batch
            ]
        except (BaseError, OSError) as error:
            raise BackupError(
                f"the store {self.url} has no list of {directory}: {_reason(error)}"
            ) from error

    def _refused(self, path: str, error: Exception) -> BackupError:
        return BackupError(f"the store {self.url} refused {path}: {_reason(error)}")

    def _sync(self, path: str) -> None:
        """Reach the disk, with the names of the object and of every directory above it."""
        if self._directory is None:
            # What S3 has answered to is durable.
            return
        found = self._directory / path
        for each in (found, *found.parents):
            handle = os.open(each, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            if each == self._directory:
                return


def directory_of(url: str) -> Path | None:
    """Return the directory that a `file://` store is, None for another kind."""
    return Path(url.removeprefix("file://")) if url.startswith("file://") else None


def _opened(url: str, retries: int) -> LocalStore | S3Store:
    directory = directory_of(url)
    if directory is not None:
        return LocalStore(directory, mkdir=True)
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            # What is given here replaces what obstore reads from the environment by itself.
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"true", "1"},
            "connect_timeout": timedelta(seconds=10),
            # Of a whole answer: the content of a backup takes hours.
            "timeout": timedelta(days=7),
            "read_timeout": PATIENCE,
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=15),
                "base": 2,
            },
        },
    )


def _unfinished(root: Path, directory: str) -> list[Stored]:
    found = []
    for path in (root / directory).rglob("*#*"):
        if UNFINISHED.search(path.name) and path.is_file():
            seen = path.stat()
            modified = datetime.fromtimestamp(seen.st_mtime, UTC)
            found.append(Stored(str(path.relative_to(root)), seen.st_size, modified))
    return found


def _reason(error: Exception) -> str:
    """Return what the store said, in a line, without a secret that it may have repeated."""
    said = str(error)
    line = next(iter(said.splitlines()), type(error).__name__).partition("<?xml")[0].rstrip(": ")
    if (fault := FAULT.search(said)) and fault[1] not in line:
        line = f"{line} ({fault[1]})"
    if "HTTP error: builder error" in line:
        line += " (an http:// endpoint needs AWS_ALLOW_HTTP=true)"
    for secret in (os.environ.get(name) for name in SECRETS):
        line = line.replace(secret, "***") if secret else line
    return line
