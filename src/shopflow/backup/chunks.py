"""Content on its way: chunks of bytes, hashed as they pass, or read as a file is."""

import hashlib
import io
from collections.abc import Iterator


class Hashed:
    """Chunks that are counted and hashed as they pass."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
            yield chunk

    def sha256(self) -> str:
        """Return the digest of what has passed, in hexadecimal."""
        return self._digest.hexdigest()


class Reader(io.BufferedIOBase):
    """Chunks as a file; what they raise, `failure` keeps, and `read` raises again."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, at most `size`, nothing at the end."""
        if not self._rest:
            try:
                self._rest = memoryview(next(self._chunks, b""))
            except BaseException as error:
                self.failure = error
                raise
        if size is None or size < 0:
            size = len(self._rest)
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def drain(self) -> None:
        """Read what is left."""
        while self.read():
            pass
