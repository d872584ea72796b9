"""E-mail addresses: proved by a token that was mailed to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_email
from shopflow.users import limiting
from shopflow.users.errors import (
    EmailAlreadyVerifiedError,
    EmailTakenError,
    InvalidTokenError,
    TokenUsedError,
)
from shopflow.users.limiting import QUERIES
from shopflow.users.models import User, VerificationMail
from shopflow.users.passwords import Passwords
from shopflow.users.policy import AccountPolicy
from shopflow.users.signing_in import prove
from shopflow.users.tokens import VerificationToken


class _Requested(msgspec.Struct, frozen=True):
    retry_after: float | None
    expires_at: datetime
    email: str | None
    email_verified: bool | None


class _Changing(msgspec.Struct, frozen=True):
    expires_at: datetime


class _Found(msgspec.Struct, frozen=True):
    used: bool


async def request_verification(
    connection: AsyncConnection[Any],
    policy: AccountPolicy,
    user_id: UserId,
    *,
    network_address: str | None,
) -> VerificationMail:
    """Make a token that verifies the address an account has, in the place of an earlier one.

    Raises:
        EmailAlreadyVerifiedError: when there is nothing to verify.
        NotFoundError: when there is no such user.
        RateLimitedError: when too many mails were asked for.
        InvalidInputError: for what is no network address.
    """
    attempt = limiting.mail(policy.limits, user_id, network_address)
    token = VerificationToken.new()
    (found,) = await QUERIES["request_verification"].rows(
        connection,
        _Requested,
        user_id=user_id,
        digest=token.digest,
        lifetime=policy.verification_lifetime,
        **attempt.params(),
    )
    limiting.refuse_if(found.retry_after)
    if found.email is None:
        raise NotFoundError("user", user_id)
    if found.email_verified:
        raise EmailAlreadyVerifiedError
    return VerificationMail(user_id, found.email, token, found.expires_at)


async def change_email(
    pool: Pool,
    passwords: Passwords,
    policy: AccountPolicy,
    user_id: UserId,
    new_email: str,
    *,
    password: str,
    network_address: str | None,
) -> VerificationMail:
    """Make a token that gives an account another address: the old one stays until it is used.

    It takes the place of an earlier token. The mail goes to the new address.

    Raises:
        EmailTakenError: when another account has the address.
        InvalidCredentialsError: when it is not the account's password.
        NotFoundError: when there is no such user.
        RateLimitedError: when too many mails were asked for, or the password tried too often.
        InvalidInputError: for a field that cannot be.
    """
    check_email("new_email", new_email)
    attempt = limiting.mail(policy.limits, user_id, network_address)
    await prove(pool, passwords, policy, user_id, password)
    token = VerificationToken.new()
    async with pool.connection() as connection:
        await limiting.take(connection, attempt)
        made = await QUERIES["request_email_change"].row(
            connection,
            _Changing,
            user_id=user_id,
            email=new_email,
            digest=token.digest,
            lifetime=policy.verification_lifetime,
        )
    if made is None:
        raise EmailTakenError
    return VerificationMail(user_id, new_email, token, made.expires_at)


async def verify_email(pool: Pool, token: VerificationToken) -> User:
    """Use a token that was mailed: the address it was mailed to is the account's, and verified.

    It works once, also when it is used twice at the same time. Where the address is another one
    than before, a password reset under way is cancelled: its mail went to the old one.

    Raises:
        TokenUsedError: when it was used before.
        InvalidTokenError: when it is unknown, expired, or a newer one was asked for.
        EmailTakenError: when another account has the address by now; the token stays unused.
    """

    async def verify(connection: AsyncConnection[Any]) -> User:
        await QUERIES["lock_owner_of_verification"].execute(connection, digest=token.digest)
        user = await QUERIES["use_verification"].document(connection, User, digest=token.digest)
        if user is not None:
            return user
        found = await QUERIES["find_verification"].row(connection, _Found, digest=token.digest)
        raise TokenUsedError if found is not None and found.used else InvalidTokenError

    return await run_transaction(pool, verify)
