"""Rate limits: what counts as one attempt, and what it counts against."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.ids import UserId
from shopflow.postgres import queries
from shopflow.users.errors import RateLimitedError
from shopflow.users.policy import Limit, RateLimits

QUERIES = queries.load(__package__)

# What one customer of a provider gets of IPv6: with single addresses there would be no limit.
CUSTOMER_PREFIX = 64


class Attempt(msgspec.Struct, frozen=True):
    """One attempt, by the name of each limit that it counts against.

    The names have no blanks of their own in them, and are hashed before they are stored.
    """

    limits: Mapping[str, Limit]

    def params(self) -> dict[str, list[Any]]:
        """Return the parameters that every query with a limit has."""
        return {
            "names": list(self.limits),
            "attempts": [limit.attempts for limit in self.limits.values()],
            "periods": [limit.period for limit in self.limits.values()],
        }


UNLIMITED = Attempt({})


class _Waiting(msgspec.Struct, frozen=True):
    retry_after: float | None


async def take(connection: AsyncConnection[Any], attempt: Attempt) -> None:
    """Count an attempt against all of its limits, in one round trip; to be committed at once.

    Raises:
        RateLimitedError: when one of them is used up; none of the others is touched then.
    """
    waiting = await QUERIES["take_rate_limits"].row(connection, _Waiting, **attempt.params())
    refuse_if(waiting.retry_after if waiting else None)


def refuse_if(retry_after: float | None) -> None:
    """Raise a RateLimitedError unless `retry_after` is None."""
    if retry_after is not None:
        raise RateLimitedError(retry_after)


def sign_in(limits: RateLimits, email: str, network_address: str | None) -> Attempt:
    """Return what a sign-in counts against."""
    found = {f"sign-in {email}": limits.sign_in_account}
    if network_address is not None:
        network = network_of(network_address)
        found[f"sign-in {email} {network}"] = limits.sign_in_account_address
        found[f"sign-in-from {network}"] = limits.sign_in_address
    return Attempt(found)


def mail(limits: RateLimits, account: str | UserId, network_address: str | None) -> Attempt:
    """Return what a reset or verification mail counts against."""
    found = {f"mail {account}": limits.mail_account}
    if network_address is not None:
        found[f"mail-from {network_of(network_address)}"] = limits.mail_address
    return Attempt(found)


def registration(limits: RateLimits, network_address: str | None) -> Attempt:
    """Return what a new account counts against."""
    if network_address is None:
        return UNLIMITED
    return Attempt({f"register-from {network_of(network_address)}": limits.register_address})


def password(limits: RateLimits, user_id: UserId) -> Attempt:
    """Return what it counts against to prove a password while signed in."""
    return Attempt({f"password {user_id}": limits.password_account})


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address.

    Raises:
        InvalidInputError: when it is neither.
    """
    try:
        found = ip_address(address)
    except ValueError as error:
        raise InvalidInputError("network_address", address, "is not an IP address") from error
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), CUSTOMER_PREFIX), strict=False))
