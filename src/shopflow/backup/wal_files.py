"""One WAL file in the store: compressed, encrypted when there is a key, never replaced."""

import contextlib
import re
import zlib
from collections.abc import Iterator, Mapping

import zstandard

from shopflow.backup.encryption import NEEDED, Key
from shopflow.backup.errors import BackupError
from shopflow.backup.segments import archived_name
from shopflow.backup.store import Store
from shopflow.postgres import wal_archive, wal_handover
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import Account
from shopflow.settings import Settings

DIRECTORY = "wal"
NAME = re.compile(r"[0-9A-F]{24}(?:\.[0-9A-F]{8}\.backup|\.partial)?|[0-9A-F]{8}\.history")
# The fastest: a segment has to be on its way before the next one is full.
LEVEL = 1
GZIP = 16 + 15


class WalFiles:
    """The WAL in a store, by PostgreSQL's names for its files."""

    def __init__(self, store: Store, key: Key | None) -> None:
        self._store, self._key = store, key
        self._suffix = ".zst.age" if key else ".zst"
        self._objects: Mapping[str, str] | None = None

    def push(self, name: str, content: bytes) -> None:
        """Put a file into the store; nothing happens when it is there already.

        Raises:
            BackupError: when another one of that name is there, or the store refuses.
        """
        target = f"{name}{self._suffix}"
        found = self._known().get(name, target)
        # It may be there by another name, from before a key was set or taken away.
        new = found == target and self._store.put_new(
            f"{DIRECTORY}/{target}", self._packed(content)
        )
        if not new and self._read(found) != content:
            raise BackupError(
                f"another file of that name is in {self._store.url}, {DIRECTORY}/{found}:"
                " is this archive another server's?"
            )

    def fetch(self, name: str) -> bytes | None:
        """Return a file's content, None when it is not in the store.

        Raises:
            BackupError: when it cannot be read.
        """
        found = self._known().get(name) or self._look().get(name)
        return None if found is None else self._read(found)

    def rehearse(self) -> None:
        """Do once what pushing and fetching do, so that every module they need is loaded."""
        packed = self._packed(b"rehearsal")
        with contextlib.suppress(BackupError):
            b"".join(self._unpacked(f"a{self._suffix}", iter([packed])))

    def following(self, name: str, count: int) -> list[str]:
        """Return the next files after `name` that were there when we looked last."""
        return sorted(other for other in self._known() if other > name)[:count]

    def _known(self) -> Mapping[str, str]:
        return self._look() if self._objects is None else self._objects

    def _look(self) -> Mapping[str, str]:
        names = self._store.names(DIRECTORY)
        self._objects = found = {archived_name(each): each for each in names}
        return found

    def _packed(self, content: bytes) -> bytes:
        packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(content)
        return self._key.encrypted(packed) if self._key else packed

    def _read(self, found: str) -> bytes:
        path = f"{DIRECTORY}/{found}"
        chunks = self._store.get(path)
        try:
            return b"".join(self._unpacked(path, chunks))
        except (zstandard.ZstdError, zlib.error) as error:
            raise BackupError(f"{path} in {self._store.url} is damaged: {error}") from error

    def _unpacked(self, path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        if path.endswith(".age"):
            if self._key is None:
                raise BackupError(f"{path} is encrypted: {NEEDED}")
            chunks = self._key.decrypt(chunks, path)
        gzip, zstd = path.endswith(".gz"), zstandard.ZstdDecompressor()
        unpacker = zlib.decompressobj(GZIP) if gzip else zstd.decompressobj()
        yield from map(unpacker.decompress, chunks)
        if not unpacker.eof:
            raise BackupError(f"{path} in {self._store.url} is damaged: it is cut off")


@contextlib.contextmanager
def restore_command(
    settings: Settings, store: Store, home: Home, account: Account
) -> Iterator[str]:
    """Give the command that brings WAL from the store to the server in `home`.

    A directory's that `sh` alone can read needs nobody; otherwise a process runs that brings it,
    as long as the block lasts.

    Raises:
        ConfigurationError: when that process refuses its settings, or cannot be run.
        BackupError: when the store cannot be read.
        ServerError: when the process does not start.
    """
    plain = all(name.endswith(".gz") for name in store.names(DIRECTORY))
    if plain and not wal_handover.needed(settings):
        yield wal_archive.restore_command(wal_archive.directory(store.url))
        return
    with wal_handover.fetching(home, account, settings) as command:
        yield command
