"""Passwords hashed with Argon2id, in threads of their own so that the event loop goes on."""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import msgspec
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from shopflow.errors import ConfigurationError
from shopflow.text import check_text

T = TypeVar("T")

# NIST SP 800-63B: length is what counts, no rule for what a password is made of. The upper end
# only keeps megabytes out.
SHORTEST, LONGEST = 8, 1024
MOST_THREADS = 4


class Hashing(msgspec.Struct, frozen=True, kw_only=True):
    """What a hash costs; the defaults are the low-memory profile of RFC 9106.

    A hash made with other numbers goes on working and is made anew when its owner signs in.

    Attributes:
        time_cost: passes over the memory.
        memory_cost: KiB that one hash takes while it is computed.
        parallelism: lanes, each of which may run on a processor of its own.
        threads: how many hashes are computed at the same time; more of them wait.
    """

    time_cost: int = RFC_9106_LOW_MEMORY.time_cost
    memory_cost: int = RFC_9106_LOW_MEMORY.memory_cost
    parallelism: int = RFC_9106_LOW_MEMORY.parallelism
    threads: int = msgspec.field(default_factory=lambda: min(MOST_THREADS, os.cpu_count() or 1))

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: must be at least 1 (got {getattr(self, name)})")
        if self.memory_cost < 8 * self.parallelism:
            raise ConfigurationError(
                f"memory_cost: must be at least 8 * parallelism = {8 * self.parallelism} KiB"
                f" (got {self.memory_cost})"
            )


class Passwords:
    """Makes and checks hashes. A call waits until one of the threads is free."""

    def __init__(self, hashing: Hashing) -> None:
        self._hasher = PasswordHasher(
            time_cost=hashing.time_cost,
            memory_cost=hashing.memory_cost,
            parallelism=hashing.parallelism,
            type=Type.ID,
        )
        self._unmatchable = _unmatchable(self._hasher)
        self._threads = ThreadPoolExecutor(hashing.threads, "shopflow-passwords")

    async def hash(self, password: str) -> str:
        """Return an Argon2id hash with a salt of its own, in its text form."""
        return await self._in_thread(lambda: self._hasher.hash(_normalised(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Return whether `stored` is a hash of `password`.

        Costs the same where there is nothing to compare with: None, or what is no hash.
        """
        return await self._in_thread(lambda: self._matches(stored, _normalised(password)))

    def outdated(self, stored: str) -> bool:
        """Return whether `stored` was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads end once they are done with what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str | None, password: str) -> bool:
        if stored is not None:
            try:
                return self._hasher.verify(stored, password)
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError):
                pass  # No hash, so that nothing was computed: below it is.
        with suppress(VerifyMismatchError):
            self._hasher.verify(self._unmatchable, password)
        return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def check_password(field: str, password: str) -> None:
    """Refuse a new password shorter than 8 or longer than 1024 characters, without showing it.

    Raises:
        InvalidInputError: naming `field`.
    """
    check_text(field, password, LONGEST, shortest=SHORTEST, secret=True)


def check_given_password(field: str, password: str) -> None:
    """Refuse what no account's password can be; a short one may be, from another shop's days.

    Raises:
        InvalidInputError: naming `field`.
    """
    check_text(field, password, LONGEST, shortest=0, secret=True)


def _normalised(password: str) -> str:
    # The same letter may come composed from one keyboard and decomposed from another.
    return unicodedata.normalize("NFKC", password)


def _unmatchable(hasher: PasswordHasher) -> str:
    # What a hash looks like, of nothing: made at once, and as costly to compare with as any other.
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
