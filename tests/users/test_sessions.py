"""Refresh tokens: one use each, and a second use ends the session for everybody."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

import shopflow
from shopflow import NotFoundError, Shop
from shopflow.ids import UserId
from shopflow.settings import Settings
from shopflow.users import AccountPolicy, RefreshToken, SignedIn
from shopflow.users.errors import InvalidTokenError, RefreshTokenReusedError
from tests.catalogue import run
from tests.users.conftest import (
    CALLERS,
    CHEAP,
    HERE,
    PASSWORD,
    UNLIMITED,
    outcomes,
    registered,
)
from tests.waiting import waiting


async def signed_in(shop: Shop) -> SignedIn:
    made = await registered(shop)
    return await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)


async def test_each_use_answers_with_the_next_token_of_the_same_session(shop: Shop) -> None:
    first = await signed_in(shop)
    second = await shop.users.refresh(first.refresh_token)
    third = await shop.users.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert first.session.id == third.session.id
    assert third.user == first.user
    (listed,) = await shop.users.sessions(first.user.id)
    assert listed == third.session
    assert first.session.refreshed_at is None
    assert third.session.refreshed_at is not None
    assert third.session.created_at == first.session.created_at


async def test_a_token_used_again_ends_its_session_and_no_other(shop: Shop) -> None:
    first = await signed_in(shop)
    other = await shop.users.sign_in(first.user.email, PASSWORD, network_address=HERE)
    second = await shop.users.refresh(first.refresh_token)
    third = await shop.users.refresh(second.refresh_token)
    with pytest.raises(RefreshTokenReusedError) as refused:
        await shop.users.refresh(first.refresh_token)
    assert refused.value.user_id == first.user.id
    assert refused.value.session_id == first.session.id
    for token in (first.refresh_token, second.refresh_token, third.refresh_token):
        with pytest.raises(InvalidTokenError):
            await shop.users.refresh(token)
    assert await shop.users.sessions(first.user.id) == [other.session]
    await shop.users.refresh(other.refresh_token)


async def test_of_many_who_use_a_token_at_once_one_wins_and_the_session_ends(shop: Shop) -> None:
    first = await signed_in(shop)
    won, errors = await outcomes(shop.users.refresh(first.refresh_token) for _ in range(CALLERS))
    assert len(won) == 1
    # The first of the others ends the session; who comes after that finds nothing left of it.
    kinds = {type(error) for error in errors}
    assert RefreshTokenReusedError in kinds
    assert kinds <= {RefreshTokenReusedError, InvalidTokenError}
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(won[0].refresh_token)
    assert await run(shop, "SELECT FROM user_sessions") == []


async def test_the_second_of_two_waits_for_the_first_and_ends_the_session(shop: Shop) -> None:
    first = await signed_in(shop)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM user_sessions FOR UPDATE")
        one = asyncio.create_task(shop.users.refresh(first.refresh_token))
        await waiting(shop, 1)
        two = asyncio.create_task(shop.users.refresh(first.refresh_token))
        await waiting(shop, 2)
    won, errors = await outcomes([one, two])
    assert len(won) == 1
    assert [type(error) for error in errors] == [RefreshTokenReusedError]
    assert await run(shop, "SELECT FROM user_sessions") == []


async def test_a_token_rotated_while_its_session_is_ended_does_not_outlive_it(shop: Shop) -> None:
    """The ending has looked at the rows before the rotation is committed."""
    first = await signed_in(shop)
    second = await shop.users.refresh(first.refresh_token)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM user_sessions WHERE rotated_at IS NULL FOR UPDATE")
        rotating = asyncio.create_task(shop.users.refresh(second.refresh_token))
        await waiting(shop, 1)
        reusing = asyncio.create_task(shop.users.refresh(first.refresh_token))
        await waiting(shop, 2)
    (third,), errors = await outcomes([rotating, reusing])
    assert [type(error) for error in errors] == [RefreshTokenReusedError]
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(third.refresh_token)
    assert await shop.users.sessions(first.user.id) == []


async def test_a_refresh_and_the_deletion_of_the_account_do_not_deadlock(shop: Shop) -> None:
    first = await signed_in(shop)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM user_sessions FOR UPDATE")
        rotating = asyncio.create_task(shop.users.refresh(first.refresh_token))
        await waiting(shop, 1)
        deleting = asyncio.create_task(
            # Not the call that would try again.
            run(shop, "UPDATE users SET deleted_at = now()")
        )
        await waiting(shop, 2)
    assert await outcomes([rotating, deleting])
    assert await run(shop, "SELECT deleted_at IS NULL FROM users") == [(False,)]
    assert await run(shop, "SELECT FROM user_sessions") == []


async def test_whoever_ends_sessions_takes_the_user_before_them(shop: Shop) -> None:
    """As a deletion does: the other way round each would wait for the other."""
    first = await signed_in(shop)
    await shop.users.refresh(first.refresh_token)
    for ending in (
        shop.users.refresh(first.refresh_token),
        shop.users.sign_out(first.user.id, first.session.id),
        shop.users.sign_out_everywhere(first.user.id),
    ):
        async with shop.pool.connection() as holder, holder.transaction():
            await holder.execute("SELECT FROM users FOR UPDATE")
            waits = asyncio.ensure_future(ending)
            await waiting(shop, 1)
            await run(shop, "SELECT FROM user_sessions FOR UPDATE NOWAIT")
        await asyncio.wait([waits])
        waits.exception()
    assert await run(shop, "SELECT FROM user_sessions") == []


async def test_an_unknown_token_is_refused(shop: Shop) -> None:
    first = await signed_in(shop)
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(RefreshToken.new())
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(RefreshToken(""))
    assert len(await shop.users.sessions(first.user.id)) == 1


async def test_a_session_is_over_when_it_expires(shop: Shop) -> None:
    first = await signed_in(shop)
    await run(
        shop,
        "UPDATE user_sessions SET created_at = now() - interval '2 days',"
        " expires_at = now() - interval '1 second'",
    )
    assert await shop.users.sessions(first.user.id) == []
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(first.refresh_token)


async def test_refreshing_does_not_make_a_session_last_for_ever(roomy: Settings) -> None:
    policy = AccountPolicy(
        hashing=CHEAP,
        limits=UNLIMITED,
        idle_lifetime=timedelta(days=10),
        session_lifetime=timedelta(days=15),
    )
    async with shopflow.open(roomy, accounts=policy) as shop:
        first = await signed_in(shop)
        await run(shop, "UPDATE user_sessions SET created_at = created_at - interval '9 days'")
        second = await shop.users.refresh(first.refresh_token)
        assert second.session.expires_at == second.session.created_at + timedelta(days=15)
        await run(shop, "UPDATE user_sessions SET created_at = created_at - interval '6 days'")
        with pytest.raises(InvalidTokenError):
            await shop.users.refresh(second.refresh_token)


async def test_signing_out_ends_one_session_with_all_its_tokens(shop: Shop) -> None:
    first = await signed_in(shop)
    other = await shop.users.sign_in(first.user.email, PASSWORD, network_address=HERE)
    second = await shop.users.refresh(first.refresh_token)
    await shop.users.sign_out(first.user.id, first.session.id)
    for token in (first.refresh_token, second.refresh_token):
        with pytest.raises(InvalidTokenError):
            await shop.users.refresh(token)
    assert await shop.users.sessions(first.user.id) == [other.session]
    with pytest.raises(NotFoundError, match="no such session"):
        await shop.users.sign_out(first.user.id, first.session.id)


async def test_nobody_signs_out_somebody_else(shop: Shop) -> None:
    mine, theirs = await signed_in(shop), await signed_in(shop)
    with pytest.raises(NotFoundError):
        await shop.users.sign_out(mine.user.id, theirs.session.id)
    assert await shop.users.sessions(theirs.user.id) == [theirs.session]


async def test_signing_out_everywhere_can_keep_one_session(shop: Shop) -> None:
    first = await signed_in(shop)
    other = await shop.users.sign_in(first.user.email, PASSWORD, network_address=HERE)
    await shop.users.refresh(other.refresh_token)
    stranger = await signed_in(shop)
    assert await shop.users.sign_out_everywhere(first.user.id, keep=first.session.id) == 1
    assert await shop.users.sessions(first.user.id) == [first.session]
    assert await shop.users.sign_out_everywhere(first.user.id) == 1
    assert await shop.users.sessions(first.user.id) == []
    assert await shop.users.sessions(stranger.user.id) == [stranger.session]
    with pytest.raises(NotFoundError, match="no such user"):
        await shop.users.sign_out_everywhere(UserId(uuid4()))
