"""Hashing: the same work whatever is compared, off the event loop, in so many threads."""

import asyncio
import threading
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from shopflow import ConfigurationError, InvalidInputError
from shopflow.users.passwords import Hashing, Passwords, check_given_password, check_password
from tests.users.conftest import CHEAP, PASSWORD


class Counting(PasswordHasher):
    """Counts what it really computes, by what it is compared with."""

    def __init__(self, wrapped: PasswordHasher) -> None:
        super().__init__(
            wrapped.time_cost, wrapped.memory_cost, wrapped.parallelism, type=wrapped.type
        )
        self.compared: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 argon2's
        self.compared.append(str(hash))
        return super().verify(hash, password)


def test_the_defaults_are_the_low_memory_profile_of_rfc_9106() -> None:
    found = Hashing()
    assert (found.time_cost, found.memory_cost, found.parallelism) == (
        RFC_9106_LOW_MEMORY.time_cost,
        RFC_9106_LOW_MEMORY.memory_cost,
        RFC_9106_LOW_MEMORY.parallelism,
    )
    assert 1 <= found.threads <= 4


async def test_a_hash_is_argon2id_with_the_given_cost_and_a_salt_of_its_own() -> None:
    passwords = Passwords(Hashing(time_cost=2, memory_cost=64, parallelism=2, threads=1))
    first, second = [await passwords.hash(PASSWORD) for _ in range(2)]
    assert first.startswith("$argon2id$v=19$m=64,t=2,p=2$")
    assert first != second
    assert await passwords.verify(first, PASSWORD)
    assert not await passwords.verify(first, PASSWORD + " ")
    passwords.close()


async def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    passwords = Passwords(CHEAP)
    assert await passwords.verify(await passwords.hash("caf\u00e9 noir"), "cafe\u0301 noir")
    passwords.close()


@pytest.mark.parametrize("stored", [None, "!", "", "$argon2id$v=19$nonsense", "{SSHA}x"])
async def test_nothing_to_compare_with_costs_as_much_as_a_wrong_password(
    stored: str | None,
) -> None:
    passwords = Passwords(CHEAP)
    counting = Counting(passwords._hasher)
    passwords._hasher = counting
    assert not await passwords.verify(stored, PASSWORD)
    # What is no hash is refused without any work; the last comparison is the one that is done.
    costs = extract_parameters(counting.compared[-1])
    real = extract_parameters(await passwords.hash(PASSWORD))
    assert costs == real
    with pytest.raises(Exception, match="does not match"):
        counting.verify(counting.compared[-1], PASSWORD)
    passwords.close()


async def test_the_event_loop_goes_on_while_passwords_are_hashed() -> None:
    passwords = Passwords(CHEAP)
    go_on, seen = threading.Event(), threading.Event()

    class Blocked(Counting):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            seen.set()
            # On the event loop nobody could set it, and this would fail.
            assert go_on.wait(10)
            return super().verify(hash, password)

    stored = await passwords.hash(PASSWORD)
    passwords._hasher = Blocked(passwords._hasher)
    checking = asyncio.create_task(passwords.verify(stored, PASSWORD))
    await asyncio.to_thread(seen.wait, 10)
    assert not checking.done()
    go_on.set()
    assert await checking
    passwords.close()


async def test_no_more_are_hashed_at_once_than_there_are_threads() -> None:
    passwords = Passwords(CHEAP)
    together = threading.Barrier(CHEAP.threads)
    lock, most, now = threading.Lock(), 0, 0

    class Watched(Counting):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            nonlocal most, now
            with lock:
                now += 1
                most = max(most, now)
            together.wait(10)
            with lock:
                now -= 1
            return super().hash(password, salt=salt)

    passwords._hasher = Watched(passwords._hasher)
    await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(8 * CHEAP.threads)))
    assert most == CHEAP.threads
    passwords.close()


@pytest.mark.parametrize(
    "password", ["1234567", "x" * 1025, "with a \0 in it", "with a \ud800 in it"]
)
def test_a_password_that_cannot_be_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(InvalidInputError, match="password: must") as refused:
        check_password("password", password)
    assert password not in str(refused.value)
    assert password not in repr(refused.value.value)


def test_only_the_length_of_a_password_counts() -> None:
    for password in ("aaaaaaaa", "12345678", "ÄÖÜ äöü ß", "x" * 1024):
        check_password("password", password)
    check_given_password("password", "short")
    with pytest.raises(InvalidInputError):
        check_given_password("password", "x" * 1025)


@pytest.mark.parametrize("change", [{"time_cost": 0}, {"memory_cost": 8}, {"threads": 0}])
def test_costs_that_cannot_be_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        Hashing(**change)
