"""Sign-in: the same answer, after the same work, whatever is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import UserId
from shopflow.postgres.pool import Pool
from shopflow.text import check_email
from shopflow.users import limiting
from shopflow.users.errors import InvalidCredentialsError
from shopflow.users.limiting import QUERIES, UNLIMITED, Attempt
from shopflow.users.models import Session, SignedIn, User
from shopflow.users.passwords import Passwords, check_given_password
from shopflow.users.policy import AccountPolicy
from shopflow.users.tokens import RefreshToken

# A hash that is replaced between our reading it and our using it is read again. More often than
# this only somebody who sets one password after another could do that.
READINGS = 3


class Credentials(msgspec.Struct, frozen=True):
    """An account and the hash that a password is compared with; None and None without one."""

    retry_after: float | None
    user_id: UserId | None
    password_hash: str | None

    def __repr__(self) -> str:
        """Show no hash: this stands in the frames of tracebacks."""
        return f"Credentials(user_id={self.user_id})"


class _Opened(msgspec.Struct, frozen=True):
    user: User
    session: Session


async def sign_in(
    pool: Pool,
    passwords: Passwords,
    policy: AccountPolicy,
    email: str,
    password: str,
    *,
    network_address: str | None,
) -> SignedIn:
    """Check a password, and open a session.

    An unknown address, a wrong password and a deleted account are the same error after the same
    work: one look at the database and one comparison of hashes. The attempt is counted, and
    committed, before anything is compared; one that succeeds is taken back. A hash made with
    other parameters than those of now is made anew (until then comparing with it costs what they
    say). Holds no connection while it hashes; waits for a thread that does.

    Args:
        pool: where to take connections from.
        passwords: what compares.
        policy: the rules in force.
        email: of the account, in any case.
        password: as it was typed.
        network_address: where the request comes from; None gives up the limits by address, which
            keep one guesser from using up what an account has for everybody.

    Raises:
        InvalidCredentialsError: when there is no account with this address and password.
        RateLimitedError: when it was tried too often, with the seconds to wait.
        InvalidInputError: for what no account can have, whichever accounts there are.
    """
    check_email("email", email)
    check_given_password("password", password)
    attempt = limiting.sign_in(policy.limits, email, network_address)
    for reading in range(READINGS):
        async with pool.connection() as connection:
            found = await _find(connection, attempt if reading == 0 else UNLIMITED, email)
        if not await passwords.verify(found.password_hash, password):
            break
        found = await _renewed(pool, passwords, found, password)
        signed_in = await _open(pool, policy, found, attempt)
        if signed_in is not None:
            return signed_in
    raise InvalidCredentialsError


async def prove(
    pool: Pool, passwords: Passwords, policy: AccountPolicy, user_id: UserId, password: str
) -> Credentials:
    """Check the password of an account that is known; what was compared with, to be held to.

    Raises:
        NotFoundError: when there is no such account, or it is deleted.
        InvalidCredentialsError: when it is not its password.
        RateLimitedError: when it was tried too often.
        InvalidInputError: for what can be no password.
    """
    check_given_password("password", password)
    attempt = limiting.password(policy.limits, user_id)
    async with pool.connection() as connection:
        (found,) = await QUERIES["find_own_credentials"].rows(
            connection, Credentials, user_id=user_id, **attempt.params()
        )
    limiting.refuse_if(found.retry_after)
    if found.user_id is None:
        raise NotFoundError("user", user_id)
    if not await passwords.verify(found.password_hash, password):
        raise InvalidCredentialsError("this is not the account's password")
    return found


async def _find(connection: AsyncConnection[Any], attempt: Attempt, email: str) -> Credentials:
    (found,) = await QUERIES["find_credentials"].rows(
        connection, Credentials, email=email, **attempt.params()
    )
    limiting.refuse_if(found.retry_after)
    return found


async def _renewed(
    pool: Pool, passwords: Passwords, found: Credentials, password: str
) -> Credentials:
    if found.password_hash is None or not passwords.outdated(found.password_hash):
        return found
    new_hash = await passwords.hash(password)
    async with pool.connection() as connection:
        renewed = await QUERIES["replace_hash"].execute(
            connection, user_id=found.user_id, old_hash=found.password_hash, new_hash=new_hash
        )
    # Otherwise somebody else has replaced it, and no session is opened with the old one.
    return Credentials(None, found.user_id, new_hash) if renewed else found


async def _open(
    pool: Pool, policy: AccountPolicy, found: Credentials, attempt: Attempt
) -> SignedIn | None:
    token = RefreshToken.new()
    async with pool.connection() as connection:
        opened = await QUERIES["open_session"].document(
            connection,
            _Opened,
            user_id=found.user_id,
            password_hash=found.password_hash,
            digest=token.digest,
            lifetime=min(policy.idle_lifetime, policy.session_lifetime),
            **attempt.params(),
        )
    return SignedIn(opened.user, opened.session, token) if opened else None
