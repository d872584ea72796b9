"""Sign-in: one answer after the same work, and no session with a password that is no more."""

import asyncio
import threading
from datetime import timedelta
from typing import Literal

import pytest

import shopflow
from shopflow import InvalidInputError, Shop
from shopflow.settings import Settings
from shopflow.users import AccountPolicy, Hashing
from shopflow.users.errors import InvalidCredentialsError
from tests.catalogue import a_user, run
from tests.users.conftest import (
    CALLERS,
    CHEAP,
    HERE,
    OTHER_PASSWORD,
    PASSWORD,
    POLICY,
    UNLIMITED,
    outcomes,
    registered,
)
from tests.users.test_passwords import Counting
from tests.waiting import waiting


async def test_the_right_password_opens_a_session(shop: Shop) -> None:
    made = await registered(shop, email="ann@example.com")
    signed_in = await shop.users.sign_in("ANN@example.com", PASSWORD, network_address=HERE)
    assert signed_in.user == made.user
    lasts = signed_in.session.expires_at - signed_in.session.created_at
    assert lasts == POLICY.idle_lifetime
    assert await shop.users.sessions(made.user.id) == [signed_in.session]


async def test_unknown_wrong_and_deleted_are_the_same_answer_after_the_same_work(
    shop: Shop,
) -> None:
    known, deleted = await registered(shop), await registered(shop)
    await shop.users.delete(deleted.user.id)
    no_hash = await a_user(shop)
    (row,) = await run(shop, "SELECT email FROM users WHERE id = %(id)s", id=no_hash)
    counting = Counting(shop.users._passwords._hasher)
    shop.users._passwords._hasher = counting
    said, costs = set(), []
    for email, password in (
        ("nobody@example.com", PASSWORD),
        (known.user.email, OTHER_PASSWORD),
        (deleted.user.email, PASSWORD),
        (row[0], PASSWORD),
    ):
        counting.compared.clear()
        with pytest.raises(InvalidCredentialsError) as refused:
            await shop.users.sign_in(email, password, network_address=HERE)
        said.add((str(refused.value), refused.value.__cause__))
        costs.append([each.rsplit("$", 2)[0] for each in counting.compared if each != "!"])
    assert len(said) == 1
    # One comparison each, with the same parameters.
    assert costs == [["$argon2id$v=19$m=8,t=1,p=1"]] * 4
    assert await run(shop, "SELECT FROM user_sessions") == []


@pytest.mark.parametrize(
    ("email", "password"), [("no address", PASSWORD), ("a@x", "x" * 1025), ("a@x", "\0" * 9)]
)
async def test_what_no_account_can_have_is_refused(shop: Shop, email: str, password: str) -> None:
    with pytest.raises(InvalidInputError):
        await shop.users.sign_in(email, password, network_address=HERE)


async def test_a_hash_of_other_days_is_made_anew(shop: Shop, roomy: Settings) -> None:
    made = await registered(shop)
    dearer = AccountPolicy(
        hashing=Hashing(time_cost=2, memory_cost=16, parallelism=1, threads=2), limits=UNLIMITED
    )
    async with shopflow.open(roomy, accounts=dearer) as newer:
        # All of them find the old hash, and one of them replaces it under the others.
        signed_in, errors = await outcomes(
            newer.users.sign_in(made.user.email, PASSWORD, network_address=HERE) for _ in range(8)
        )
        assert (len(signed_in), errors) == (8, [])
        ((stored,),) = await run(newer, "SELECT password_hash FROM users")
        assert stored.startswith("$argon2id$v=19$m=16,t=2,p=1$")
        await newer.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        assert await run(newer, "SELECT password_hash FROM users") == [(stored,)]


async def test_a_password_changed_while_it_is_compared_opens_no_session(shop: Shop) -> None:
    made = await registered(shop)
    compared, go_on = threading.Event(), threading.Event()

    class Held(Counting):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            found = super().verify(hash, password)
            compared.set()
            assert go_on.wait(10)
            return found

    plain = shop.users._passwords._hasher
    shop.users._passwords._hasher = Held(plain)
    signing_in = asyncio.create_task(
        shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    )
    await asyncio.to_thread(compared.wait, 10)
    shop.users._passwords._hasher = plain
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await shop.users.reset_password(reset.token, OTHER_PASSWORD)
    go_on.set()
    with pytest.raises(InvalidCredentialsError):
        await signing_in
    assert await shop.users.sessions(made.user.id) == []


async def test_a_session_being_opened_ends_with_the_password(shop: Shop) -> None:
    made = await registered(shop)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    async with shop.pool.connection() as opener, opener.transaction():
        # A sign-in under way, which has compared the password and not yet committed.
        await opener.execute(
            "WITH owner AS (SELECT id FROM users FOR SHARE) INSERT INTO user_sessions"
            " (user_id, refresh_token_hash, expires_at)"
            " SELECT id, sha256('x'), now() + interval '1 day' FROM owner"
        )
        resetting = asyncio.create_task(shop.users.reset_password(reset.token, OTHER_PASSWORD))
        await waiting(shop, 1)
    await resetting
    assert await shop.users.sessions(made.user.id) == []


async def test_a_session_is_not_opened_beside_a_password_being_changed(shop: Shop) -> None:
    made = await registered(shop)
    async with shop.pool.connection() as changer, changer.transaction():
        await changer.execute("UPDATE users SET password_hash = '!'")
        # It reads and compares the hash that is still in force, and waits with the session.
        signing_in = asyncio.create_task(
            shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        )
        await waiting(shop, 1)
    with pytest.raises(InvalidCredentialsError):
        await signing_in
    assert await shop.users.sessions(made.user.id) == []


async def test_no_connection_is_held_while_passwords_are_compared(settings: Settings) -> None:
    made_at_once = 2 * settings.pool_max_size
    policy = AccountPolicy(hashing=CHEAP, limits=UNLIMITED, idle_lifetime=timedelta(days=1))
    async with shopflow.open(settings, accounts=policy) as shop:
        made = await registered(shop)
        go_on, entered = threading.Event(), threading.Semaphore(0)

        class Held(Counting):
            def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
                entered.release()
                assert go_on.wait(10)
                return super().verify(hash, password)

        shop.users._passwords._hasher = Held(shop.users._passwords._hasher)
        tasks = [
            asyncio.create_task(shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE))
            for _ in range(made_at_once)
        ]
        for _ in range(CHEAP.threads):
            await asyncio.to_thread(entered.acquire)
        # All connections are free for others.
        assert await shop.users.get(made.user.id) == made.user
        go_on.set()
        assert len(await asyncio.gather(*tasks)) == made_at_once


async def test_many_at_once_each_get_a_session_of_their_own(shop: Shop) -> None:
    made = await registered(shop)
    signed_in, errors = await outcomes(
        shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE) for _ in range(CALLERS)
    )
    assert errors == []
    assert len({each.session.id for each in signed_in}) == CALLERS
    assert len(await shop.users.sessions(made.user.id)) == CALLERS
