"""The tokens that an account hands out: random, shown once, stored as a hash."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import NoReturn, Self

BYTES = 32


class Token:
    """A secret text. `reveal` alone shows it: no repr, no message, no JSON, no pickle does.

    Only its SHA-256, `digest`, is stored. That is enough for 256 random bits; a slow hash is for
    what people can remember.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def new(cls) -> Self:
        """Make one of 32 random bytes, 43 characters that need no quoting in a URL."""
        return cls(secrets.token_urlsafe(BYTES))

    @property
    def digest(self) -> bytes:
        """Its SHA-256, 32 bytes."""
        return sha256(self._text.encode("utf-8", "surrogatepass")).digest()

    def reveal(self) -> str:
        """Return the text, to be sent to its owner and to nobody else."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return hmac.compare_digest(self.digest, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not written anywhere")


class RefreshToken(Token):
    """Continues a session, once: each use answers with the next one."""

    __slots__ = ()


class ResetToken(Token):
    """Sets a new password, once."""

    __slots__ = ()


class VerificationToken(Token):
    """Proves that whoever has it reads the mail of an address, once."""

    __slots__ = ()
