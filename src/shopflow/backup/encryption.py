"""Encrypts what goes into the store, with a key that never does: the age format, by pyrage.

age is authenticated and streams: a changed or a cut file does not decrypt, and `age --decrypt`
reads it without ShopFlow.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from io import BufferedIOBase, BytesIO
from threading import Thread

import pyrage
from pyrage import x25519

from shopflow.backup.chunks import Reader
from shopflow.backup.errors import BackupError
from shopflow.errors import ConfigurationError
from shopflow.settings import Settings

PIPED = 1024 * 1024
NEEDED = "set SHOPFLOW_BACKUP_KEY_FILE or SHOPFLOW_BACKUP_KEY to the key that they were made with"


class Key:
    """An age identity: it encrypts for itself and decrypts.

    Raises:
        ConfigurationError: when it is none.
    """

    def __init__(self, text: str) -> None:
        try:
            self._identity = x25519.Identity.from_str(text)
        except pyrage.IdentityError:
            raise ConfigurationError(
                "the key of the backups is no age identity, AGE-SECRET-KEY-1 and 58 characters:"
                " shopflow backup new-key makes one"
            ) from None

    def __repr__(self) -> str:
        """Show the public half, so that no log ever holds the key."""
        return f"Key({self._identity.to_public()})"

    def text(self) -> str:
        """Return the key as `Key` takes it: a secret."""
        return str(self._identity)

    def encrypt(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks encrypted; what they raise passes through."""
        public = self._identity.to_public()
        return _through(chunks, lambda source, target: pyrage.encrypt_io(source, target, [public]))

    def encrypted(self, content: bytes) -> bytes:
        """Return a small content encrypted."""
        target = BytesIO()
        pyrage.encrypt_io(BytesIO(content), target, [self._identity.to_public()])
        return target.getvalue()

    def decrypt(self, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
        """Yield the chunks decrypted; what they raise passes through.

        Args:
            chunks: the content of an object.
            name: of the object, for what is said of it.

        Raises:
            BackupError: when it was encrypted with another key, or was changed or cut.
        """
        try:
            yield from _through(
                chunks, lambda source, target: pyrage.decrypt_io(source, target, [self._identity])
            )
        except pyrage.DecryptError as error:
            # The library has one error, and tells the cases apart in words.
            if "No matching keys" in str(error):
                raise BackupError(f"{name} was encrypted with another key: {NEEDED}") from error
            raise BackupError(f"{name} is damaged: it does not decrypt ({error})") from error
        except OSError as error:
            raise BackupError(f"{name} is damaged: it does not decrypt ({error})") from error


def new_key() -> str:
    """Return a new key: a secret."""
    return str(x25519.Identity.generate())


def key_of(settings: Settings) -> Key | None:
    """Return the key that the settings give, None when the backups are not encrypted.

    Raises:
        ConfigurationError: when the key's file cannot be read or holds none.
    """
    if settings.backup_key is not None:
        return Key(settings.backup_key)
    file = settings.backup_key_file
    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigurationError(
            f"backup_key_file: {file} cannot be read: {error.strerror}"
        ) from error
    # As age-keygen writes it, with a comment above.
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if len(keys) != 1:
        raise ConfigurationError(
            f"backup_key_file: {file} must hold one key; shopflow backup new-key makes one"
        )
    return Key(keys[0])


def _through(
    chunks: Iterator[bytes], work: Callable[[BufferedIOBase, BufferedIOBase], object]
) -> Iterator[bytes]:
    """Yield what `work` writes while it reads the chunks, in a thread at a pipe's other end."""
    source, failures = Reader(chunks), list[BaseException]()
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        # Sixteen times Linux's own: each side waits for the other less often.
        with contextlib.suppress(OSError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPED)

    def run() -> None:
        try:
            with os.fdopen(writing, "wb") as target:
                work(source, target)
        except BaseException as error:  # noqa: BLE001 the other thread raises it
            failures.append(source.failure or error)

    # When nobody reads any more the pipe breaks, and the thread ends.
    thread = Thread(target=run, daemon=True)
    thread.start()
    with os.fdopen(reading, "rb", buffering=0) as result:
        while chunk := result.read(PIPED):
            yield chunk
    thread.join()
    if failures:
        raise failures[0]
