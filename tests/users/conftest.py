"""A shop with accounts whose passwords are hashed cheaply."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import msgspec
import pytest

import shopflow
from shopflow import Shop
from shopflow.addresses import Address
from shopflow.settings import Settings
from shopflow.users import AccountPolicy, Hashing, Limit, RateLimits, Registered

T = TypeVar("T")
CALLERS = 32
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "another horse, another staple"
HERE, THERE = "192.0.2.1", "198.51.100.7"
# The least that Argon2 takes: half a millisecond instead of a tenth of a second.
CHEAP = Hashing(time_cost=1, memory_cost=8, parallelism=1, threads=2)
WIDE = Limit(100_000, timedelta(hours=1))
UNLIMITED = RateLimits(**dict.fromkeys(RateLimits.__struct_fields__, WIDE))
POLICY = AccountPolicy(hashing=CHEAP, limits=UNLIMITED)
YORK = Address(
    first_name="Ann",
    last_name="Archer",
    address_line_1="1 High Street",
    city="York",
    postal_code="YO1 7AA",
    country_code="GB",
)
_numbers = count(1)


@pytest.fixture
def roomy(settings: Settings) -> Settings:
    """Settings with a connection for every caller."""
    return msgspec.structs.replace(settings, pool_max_size=CALLERS + 1)


@pytest.fixture
async def shop(roomy: Settings) -> AsyncIterator[Shop]:
    """A shop that limits nobody."""
    async with shopflow.open(roomy, accounts=POLICY) as found:
        yield found


async def registered(shop: Shop, **changes: Any) -> Registered:
    """An account of Ann's with the password above."""
    given: dict[str, Any] = {
        "email": f"ann{next(_numbers)}@example.com",
        "password": PASSWORD,
        "first_name": "Ann",
        "last_name": "Archer",
        "network_address": HERE,
    }
    return await shop.users.register(**(given | changes))


async def outcomes(calls: Iterable[Awaitable[T]]) -> tuple[list[T], list[BaseException]]:
    """What the calls returned that succeeded, all at once, and the errors of the others."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    return (
        [each for each in done if not isinstance(each, BaseException)],
        [each for each in done if isinstance(each, BaseException)],
    )
