"""New accounts."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shopflow.postgres.pool import Pool
from shopflow.text import check_email, check_text
from shopflow.users import limiting
from shopflow.users.limiting import QUERIES
from shopflow.users.models import Registered, User, VerificationMail
from shopflow.users.passwords import Passwords, check_password
from shopflow.users.policy import AccountPolicy
from shopflow.users.tokens import VerificationToken

LONGEST_NAME = 100


class _Made(msgspec.Struct, frozen=True):
    user: User
    expires_at: datetime


async def register(
    pool: Pool,
    passwords: Passwords,
    policy: AccountPolicy,
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    network_address: str | None,
) -> Registered:
    """Make an account for a customer, and the token that verifies its address.

    The account works at once; what an unverified one may do is for the caller to decide. Every
    account begins as a customer (see `accounts.set_role`). Waits for a thread that hashes.

    Args:
        pool: where to take a connection from.
        passwords: what hashes.
        policy: the rules in force.
        email: unique among accounts that are not deleted, without regard to case.
        password: 8 to 1024 characters, of any kind.
        first_name: 1 to 100 characters.
        last_name: 1 to 100 characters.
        network_address: where the request comes from, for the limit; None where there is none.

    Raises:
        EmailTakenError: when there is an account with this address.
        RateLimitedError: when too many accounts were made from this network address.
        InvalidInputError: for a field that cannot be; a password is not shown.
    """
    check_email("email", email)
    check_password("password", password)
    check_names(first_name, last_name)
    attempt = limiting.registration(policy.limits, network_address)
    async with pool.connection() as connection:
        await limiting.take(connection, attempt)
    password_hash = await passwords.hash(password)
    token = VerificationToken.new()
    async with pool.connection() as connection:
        made = await QUERIES["register_user"].document(
            connection,
            _Made,
            email=email,
            password_hash=password_hash,
            first_name=first_name,
            last_name=last_name,
            digest=token.digest,
            lifetime=policy.verification_lifetime,
        )
    assert made is not None  # noqa: S101 an INSERT of one row returns it
    mail = VerificationMail(made.user.id, made.user.email, token, made.expires_at)
    return Registered(made.user, mail)


def check_names(first_name: str, last_name: str) -> None:
    """Refuse names that the database could not hold.

    Raises:
        InvalidInputError: naming the field.
    """
    check_text("first_name", first_name, LONGEST_NAME)
    check_text("last_name", last_name, LONGEST_NAME)
