"""The backup_manifest: found in the tar of a backup as it passes, and what it says of the WAL."""

import tarfile

import msgspec

from shopflow.backup import segments
from shopflow.backup.errors import BackupError

MEMBER = "backup_manifest"
BLOCK = 512


class Found:
    """Looks for the manifest in a tar, which is fed in pieces of any size."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._skip = self._wanted = 0
        self._content = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the tar."""
        rest = memoryview(piece)
        while rest:
            if self._skip:
                taken, rest = rest[: self._skip], rest[self._skip :]
                self._skip -= len(taken)
                if self._wanted:
                    self._content += taken[: self._wanted]
                    self._wanted -= min(len(taken), self._wanted)
                continue
            needed = BLOCK - len(self._header)
            self._header += rest[:needed]
            rest = rest[needed:]
            if len(self._header) == BLOCK:
                self._begin(bytes(self._header))
                self._header.clear()

    def _begin(self, header: bytes) -> None:
        # The tar ends with blocks of zeros.
        if not any(header):
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        self._skip = -(-member.size // BLOCK) * BLOCK
        self._wanted = member.size if member.name == MEMBER else 0

    def content(self) -> bytes:
        """Return the manifest.

        Raises:
            BackupError: when there was none.
        """
        if not self._content:
            raise BackupError("pg_basebackup sent no backup_manifest: nobody could verify it")
        return bytes(self._content)


class _Range(msgspec.Struct, rename={"timeline": "Timeline", "end": "End-LSN"}):
    timeline: int
    end: str


class _Manifest(msgspec.Struct, rename={"ranges": "WAL-Ranges"}):
    ranges: list[_Range]


def end_wal(manifest: bytes, segment_size: int) -> str:
    """Return the name of the last segment without which the backup is not consistent."""
    last = msgspec.json.decode(manifest, type=_Manifest).ranges[-1]
    high, _, low = last.end.partition("/")
    return segments.before(last.timeline, int(high, 16), int(low, 16), segment_size)
