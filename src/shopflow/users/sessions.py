"""Sessions: a refresh token is good for one use, and each use answers with the next."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import NotFoundError
from shopflow.ids import SessionId, UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.users.errors import InvalidTokenError, RefreshTokenReusedError
from shopflow.users.limiting import QUERIES
from shopflow.users.models import Session, SignedIn, User
from shopflow.users.policy import AccountPolicy
from shopflow.users.tokens import RefreshToken


class _Rotated(msgspec.Struct, frozen=True):
    user: User
    session: Session


class _Ended(msgspec.Struct, frozen=True):
    user_id: UserId
    session_id: SessionId


class _EndedAll(msgspec.Struct, frozen=True):
    sessions: int


class _Held(msgspec.Struct, frozen=True):
    user_id: UserId
    password_hash: str

    def __repr__(self) -> str:
        return f"_Held(user_id={self.user_id})"


async def refresh(
    connection: AsyncConnection[Any], policy: AccountPolicy, token: RefreshToken
) -> SignedIn:
    """Continue a session: the token is used up, and the answer has the next one.

    A token that is used a second time is in the hands of two, and nobody can tell which of them
    is its owner: the whole session ends, with the token that was given for the first use. So also
    when both come at the same time: exactly one of them gets the next token, the other the error,
    and that next token is revoked. A client must not refresh twice at once, and one that lost the
    answer signs in again. One round trip, two when the token is refused.

    Args:
        connection: in autocommit: within a transaction that is rolled back, the session of a
            token used twice would not end.
        policy: how long a session lasts.
        token: the one of the sign-in or of the last refresh.

    Raises:
        RefreshTokenReusedError: when it was used before; the session has ended.
        InvalidTokenError: when it is unknown, or its session is over or was ended.
    """
    next_token = RefreshToken.new()
    rotated = await QUERIES["rotate_session"].document(
        connection,
        _Rotated,
        digest=token.digest,
        new_digest=next_token.digest,
        idle_lifetime=policy.idle_lifetime,
        session_lifetime=policy.session_lifetime,
    )
    if rotated is not None:
        return SignedIn(rotated.user, rotated.session, next_token)
    # A statement of its own, to see the use that the first one waited for.
    ended = await QUERIES["end_reused_session"].row(connection, _Ended, digest=token.digest)
    if ended is not None:
        raise RefreshTokenReusedError(ended.user_id, ended.session_id)
    raise InvalidTokenError


async def list_sessions(connection: AsyncConnection[Any], user_id: UserId) -> list[Session]:
    """Return the sessions of a user that go on, the newest first, without their tokens.

    None for a user that is not there. Raises nothing of its own.
    """
    return await QUERIES["list_sessions"].rows(connection, Session, user_id=user_id)


async def sign_out(
    connection: AsyncConnection[Any], user_id: UserId, session_id: SessionId
) -> None:
    """End one session of a user, with all of its tokens.

    Raises:
        NotFoundError: when the user has no such session.
    """
    ended = await QUERIES["end_session"].execute(connection, user_id=user_id, session_id=session_id)
    if not ended:
        raise NotFoundError("session", session_id)


async def sign_out_everywhere(pool: Pool, user_id: UserId, *, keep: SessionId | None = None) -> int:
    """End all sessions of a user, but for `keep`; return how many.

    Also those being opened now: it waits for them.

    Raises:
        NotFoundError: when there is no such user.
    """

    async def end(connection: AsyncConnection[Any]) -> int:
        await hold(connection, user_id)
        (ended,) = await QUERIES["end_sessions"].rows(
            connection, _EndedAll, user_id=user_id, kept_id=keep
        )
        return ended.sessions

    return await run_transaction(pool, end)


async def hold(connection: AsyncConnection[Any], user_id: UserId) -> str:
    """Hold an account to the end of the transaction; return its password's hash.

    Raises:
        NotFoundError: when there is no such account, or it is deleted.
    """
    held = await QUERIES["lock_account"].row(connection, _Held, user_id=user_id)
    if held is None:
        raise NotFoundError("user", user_id)
    return held.password_hash
