"""A new password: with the old one, or with a token that was mailed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.ids import SessionId, UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_email
from shopflow.users import limiting
from shopflow.users.errors import (
    InvalidCredentialsError,
    InvalidTokenError,
    TokenUsedError,
    UserDeletedError,
)
from shopflow.users.limiting import QUERIES, Attempt
from shopflow.users.models import PasswordReset, Recipient
from shopflow.users.passwords import Passwords, check_password
from shopflow.users.policy import AccountPolicy
from shopflow.users.sessions import hold
from shopflow.users.signing_in import READINGS, prove
from shopflow.users.tokens import ResetToken


class _Requested(msgspec.Struct, frozen=True):
    retry_after: float | None
    expires_at: datetime
    user_id: UserId | None
    email: str | None
    first_name: str | None


class _Found(msgspec.Struct, frozen=True):
    used: bool


class _Owner(msgspec.Struct, frozen=True):
    user_id: UserId


async def change_password(
    pool: Pool,
    passwords: Passwords,
    policy: AccountPolicy,
    user_id: UserId,
    *,
    old_password: str,
    new_password: str,
    keep_session: SessionId | None = None,
) -> None:
    """Set a new password with the old one; all sessions end but `keep_session`.

    Also those that are being opened with the old password now, and a reset under way.

    Raises:
        NotFoundError: when there is no such user.
        InvalidCredentialsError: when the old password is not the account's.
        RateLimitedError: when that was tried too often.
        InvalidInputError: for a new password that cannot be; it is not shown.
    """
    check_password("new_password", new_password)
    for _ in range(READINGS):
        proved = await prove(pool, passwords, policy, user_id, old_password)
        new_hash = await passwords.hash(new_password)

        async def change(
            connection: AsyncConnection[Any],
            proved_hash: str | None = proved.password_hash,
            new_hash: str = new_hash,
        ) -> bool:
            if await hold(connection, user_id) != proved_hash:
                return False
            await _set(connection, user_id, new_hash, keep_session)
            return True

        # Otherwise it was replaced meanwhile: perhaps only hashed anew, by a sign-in.
        if await run_transaction(pool, change):
            return
    raise InvalidCredentialsError("this is not the account's password")


async def request_password_reset(
    pool: Pool, policy: AccountPolicy, email: str, *, network_address: str | None
) -> PasswordReset:
    """Make a token that sets a new password, in the place of an earlier one.

    The same answer for every address after the same work, one round trip: where no account has
    it, the answer has no recipient and a token that works for nothing. The caller mails it to the
    recipient if there is one, and says to whoever asked the same in both cases.

    Raises:
        RateLimitedError: when too many mails were asked for, for this address or from there.
        InvalidInputError: for what is no e-mail or network address.
    """
    check_email("email", email)
    attempt = limiting.mail(policy.limits, email, network_address)
    token = ResetToken.new()
    async with pool.connection() as connection:
        try:
            found = await _request(connection, policy, attempt, email, token)
        except UserDeletedError:
            # Just now: the account was still there when we looked, and is not when we write.
            found = await _request(connection, policy, attempt, email, token)
    limiting.refuse_if(found.retry_after)
    recipient = None
    if found.user_id is not None and found.email is not None and found.first_name is not None:
        recipient = Recipient(found.user_id, found.email, found.first_name)
    return PasswordReset(recipient, token, found.expires_at)


async def reset_password(
    pool: Pool, passwords: Passwords, token: ResetToken, new_password: str
) -> UserId:
    """Set a new password with a token that was mailed; return whose.

    It works once, also when it is used twice at the same time. All sessions of the user end, also
    those that are being opened with the old password now.

    Raises:
        TokenUsedError: when it was used before.
        InvalidTokenError: when it is unknown, expired, or a newer one was asked for.
        InvalidInputError: for a password that cannot be; it is not shown.
    """
    check_password("new_password", new_password)
    # First, so that nobody has us hash for nothing.
    async with pool.connection() as connection:
        await _check(connection, token)
    new_hash = await passwords.hash(new_password)

    async def reset(connection: AsyncConnection[Any]) -> UserId:
        await QUERIES["lock_owner_of_reset"].execute(connection, digest=token.digest)
        owner = await QUERIES["use_reset"].row(connection, _Owner, digest=token.digest)
        if owner is None:
            await _check(connection, token)
            raise InvalidTokenError
        await _set(connection, owner.user_id, new_hash, None)
        return owner.user_id

    return await run_transaction(pool, reset)


async def _request(
    connection: AsyncConnection[Any],
    policy: AccountPolicy,
    attempt: Attempt,
    email: str,
    token: ResetToken,
) -> _Requested:
    (found,) = await QUERIES["request_password_reset"].rows(
        connection,
        _Requested,
        email=email,
        digest=token.digest,
        lifetime=policy.reset_lifetime,
        **attempt.params(),
    )
    return found


async def _check(connection: AsyncConnection[Any], token: ResetToken) -> None:
    found = await QUERIES["find_reset"].row(connection, _Found, digest=token.digest)
    if found is None:
        raise InvalidTokenError
    if found.used:
        raise TokenUsedError


async def _set(
    connection: AsyncConnection[Any], user_id: UserId, new_hash: str, kept: SessionId | None
) -> None:
    await QUERIES["set_password"].execute(
        connection, user_id=user_id, password_hash=new_hash, kept_id=kept
    )
