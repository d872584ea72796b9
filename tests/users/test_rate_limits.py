"""Rate limits: exact under concurrency, and no lever against the owner of an account."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256

import pytest

import shopflow
from shopflow import ConfigurationError, InvalidInputError, Shop
from shopflow.settings import Settings
from shopflow.users import AccountPolicy, Limit, RateLimits
from shopflow.users.errors import InvalidCredentialsError, RateLimitedError
from shopflow.users.expiry import expire_rate_limits
from shopflow.users.limiting import Attempt, network_of, take
from tests.catalogue import run
from tests.users.conftest import (
    CALLERS,
    CHEAP,
    HERE,
    OTHER_PASSWORD,
    PASSWORD,
    THERE,
    UNLIMITED,
    WIDE,
    outcomes,
    registered,
)
from tests.waiting import waiting

HOUR = timedelta(hours=1)
LIMITS = dict.fromkeys(RateLimits.__struct_fields__, WIDE)


@asynccontextmanager
async def limited(settings: Settings, **limits: Limit) -> AsyncIterator[Shop]:
    """A shop that limits these and nothing else."""
    policy = AccountPolicy(hashing=CHEAP, limits=RateLimits(**(LIMITS | limits)))
    async with shopflow.open(settings, accounts=policy) as shop:
        yield shop


async def taken(shop: Shop, limits: dict[str, Limit]) -> float | None:
    """Take one attempt; the seconds to wait if it was refused."""
    async with shop.pool.connection() as connection:
        try:
            await take(connection, Attempt(limits))
        except RateLimitedError as error:
            return error.retry_after
    return None


# Also numbers that do not divide the period.
@pytest.mark.parametrize("attempts", [1, 3, 7, 11])
async def test_of_many_at_once_exactly_as_many_as_the_limit_come_through(
    shop: Shop, attempts: int
) -> None:
    limits = {"x": Limit(attempts, timedelta(minutes=15)), "y": WIDE, "z": Limit(13, HOUR)}
    refused = await asyncio.gather(*(taken(shop, limits) for _ in range(CALLERS)))
    assert refused.count(None) == attempts
    waits = [each for each in refused if each is not None]
    assert all(0 < each <= 15 * 60 / attempts for each in waits)


# Two names, the first of which has the smaller key.
FIRST, LAST = sorted(("x", "y"), key=lambda name: sha256(name.encode()).digest())
HOLD = "SELECT FROM rate_limits WHERE key_hash = sha256(%(name)s::text::bytea) FOR UPDATE NOWAIT"


async def test_everybody_takes_the_keys_in_the_same_order(shop: Shop) -> None:
    limits = dict.fromkeys((LAST, FIRST), Limit(5, HOUR))
    assert await taken(shop, limits) is None
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute(HOLD, {"name": FIRST})
        taking = asyncio.create_task(taken(shop, limits))
        await waiting(shop, 1)
        # It waits for the first and does not hold the last: that would be half of a deadlock.
        await run(shop, HOLD, name=LAST)
    assert await taking is None


async def test_who_began_before_the_others_and_waited_is_not_refused_for_it(shop: Shop) -> None:
    limits = dict.fromkeys((FIRST, LAST), Limit(2, HOUR))
    assert await taken(shop, {FIRST: WIDE}) is None
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute(HOLD, {"name": FIRST})
        taking = asyncio.create_task(taken(shop, limits))
        await waiting(shop, 1)
        assert await taken(shop, {LAST: limits[LAST]}) is None
    assert await taking is None
    assert await taken(shop, {LAST: limits[LAST]}) is not None


async def test_what_one_limit_refuses_uses_up_no_other(shop: Shop) -> None:
    narrow, wide = Limit(2, HOUR), Limit(5, HOUR)
    refused = [await taken(shop, {"narrow": narrow, "wide": wide}) for _ in range(10)]
    assert [each is None for each in refused] == [True] * 2 + [False] * 8
    left = [await taken(shop, {"wide": wide}) for _ in range(4)]
    assert [each is None for each in left] == [True] * 3 + [False]


async def test_there_is_room_again_after_a_part_of_the_period(shop: Shop) -> None:
    limits = {"x": Limit(4, HOUR)}
    for _ in range(4):
        assert await taken(shop, limits) is None
    wait = await taken(shop, limits)
    assert wait is not None
    assert 14 * 60 < wait <= 15 * 60
    await later(shop, timedelta(minutes=15))
    assert [await taken(shop, limits) is None for _ in range(2)] == [True, False]
    await later(shop, HOUR)
    assert [await taken(shop, limits) is None for _ in range(5)] == [True] * 4 + [False]


async def later(shop: Shop, time: timedelta) -> None:
    """As if this time had passed."""
    await run(
        shop,
        "UPDATE rate_limits SET theoretical_arrival = theoretical_arrival - %(time)s",
        time=time,
    )


async def test_keys_are_hashed_and_deleted_when_they_limit_nobody(shop: Shop) -> None:
    await taken(shop, {"ann@example.com": Limit(4, HOUR), "ANN": Limit(2, HOUR)})
    stored = await run(shop, "SELECT key_hash = sha256('ann@example.com') FROM rate_limits")
    assert sorted(stored) == [(False,), (True,)]
    async with shop.pool.connection() as connection:
        assert await expire_rate_limits(connection) == 0
        await later(shop, timedelta(minutes=20))
        assert await expire_rate_limits(connection) == 1
        await later(shop, timedelta(minutes=20))
        assert await expire_rate_limits(connection) == 1
    assert await run(shop, "SELECT FROM rate_limits") == []


async def wrong(shop: Shop, email: str, network_address: str | None) -> type[BaseException]:
    with pytest.raises((InvalidCredentialsError, RateLimitedError)) as refused:
        await shop.users.sign_in(email, OTHER_PASSWORD, network_address=network_address)
    return refused.type


async def test_guessing_is_stopped_and_keeps_nobody_else_out(roomy: Settings) -> None:
    async with limited(roomy, sign_in_account_address=Limit(5, timedelta(minutes=15))) as shop:
        made = await registered(shop)
        guesses = await asyncio.gather(
            *(wrong(shop, made.user.email, THERE) for _ in range(CALLERS))
        )
        assert guesses.count(InvalidCredentialsError) == 5
        # The right password does not help from there, and from elsewhere it works.
        with pytest.raises(RateLimitedError) as refused:
            await shop.users.sign_in(made.user.email.upper(), PASSWORD, network_address=THERE)
        assert 0 < refused.value.retry_after <= 3 * 60
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)


async def test_hammering_from_one_address_does_not_use_up_the_account(roomy: Settings) -> None:
    limits = {
        "sign_in_account_address": Limit(5, timedelta(minutes=15)),
        "sign_in_account": Limit(8, HOUR),
    }
    async with limited(roomy, **limits) as shop:
        made = await registered(shop)
        for _ in range(3 * CALLERS):
            await wrong(shop, made.user.email, THERE)
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        # From many addresses it does, until one attempt's share of the period is over.
        for n in range(4):
            await wrong(shop, made.user.email, f"203.0.113.{n}")
        with pytest.raises(RateLimitedError) as refused:
            await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        assert refused.value.retry_after <= 3600 / 8
        await later(shop, timedelta(seconds=refused.value.retry_after + 1))
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)


async def test_one_address_cannot_try_every_account(roomy: Settings) -> None:
    async with limited(roomy, sign_in_address=Limit(6, HOUR)) as shop:
        tried = [await wrong(shop, f"nobody{n}@example.com", "2001:db8::1") for n in range(4)]
        tried += [await wrong(shop, f"nobody{n}@example.com", "2001:db8::2") for n in range(4)]
        assert tried.count(RateLimitedError) == 2
        assert await wrong(shop, "nobody@example.com", "2001:db8:0:1::1") is InvalidCredentialsError


async def test_an_unknown_account_is_limited_as_one_that_is_there(roomy: Settings) -> None:
    async with limited(roomy, sign_in_account=Limit(3, HOUR)) as shop:
        made = await registered(shop)
        known = [await wrong(shop, made.user.email, None) for _ in range(5)]
        unknown = [await wrong(shop, "nobody@example.com", None) for _ in range(5)]
        assert known == unknown == [InvalidCredentialsError] * 3 + [RateLimitedError] * 2


async def test_sign_ins_that_succeed_do_not_count(roomy: Settings) -> None:
    narrow = dict.fromkeys(
        ("sign_in_account_address", "sign_in_account", "sign_in_address"), Limit(2, HOUR)
    )
    async with limited(roomy, **narrow) as shop:
        made = await registered(shop)
        for _ in range(6):
            await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        assert await wrong(shop, made.user.email, HERE) is InvalidCredentialsError
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
        assert await wrong(shop, made.user.email, HERE) is InvalidCredentialsError
        assert await wrong(shop, made.user.email, HERE) is RateLimitedError


async def test_reset_mails_are_limited_alike_for_known_and_unknown(roomy: Settings) -> None:
    async with limited(roomy, mail_account=Limit(3, HOUR)) as shop:
        made = await registered(shop)
        for email in (made.user.email, "nobody@example.com"):
            done, errors = await outcomes(
                shop.users.request_password_reset(email, network_address=HERE) for _ in range(8)
            )
            assert len(done) == 3
            assert [type(error) for error in errors] == [RateLimitedError] * 5
        # Those that were refused have not cancelled the last one's token.
        assert await run(shop, "SELECT count(*) FROM password_resets") == [(1,)]


async def test_mails_and_accounts_are_limited_by_address(roomy: Settings) -> None:
    limits = {"mail_address": Limit(2, HOUR), "register_address": Limit(3, HOUR)}
    async with limited(roomy, **limits) as shop:
        accounts = [await registered(shop) for _ in range(3)]
        with pytest.raises(RateLimitedError):
            await registered(shop)
        for made in accounts[:2]:
            await shop.users.request_verification(made.user.id, network_address=HERE)
        with pytest.raises(RateLimitedError):
            await shop.users.request_verification(accounts[2].user.id, network_address=HERE)
        with pytest.raises(RateLimitedError):
            await shop.users.change_email(
                accounts[2].user.id, "new@x", password=PASSWORD, network_address=HERE
            )
        await shop.users.request_verification(accounts[2].user.id, network_address=THERE)


async def test_a_stolen_session_cannot_guess_the_password(roomy: Settings) -> None:
    async with limited(roomy, password_account=Limit(3, HOUR)) as shop:
        made = await registered(shop)
        _, errors = await outcomes(
            shop.users.change_password(
                made.user.id, old_password=OTHER_PASSWORD, new_password=OTHER_PASSWORD
            )
            for _ in range(8)
        )
        kinds = [type(error) for error in errors]
        assert kinds.count(InvalidCredentialsError) == 3
        assert kinds.count(RateLimitedError) == 5


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_is_no_address_is_refused() -> None:
    for address in ("", "localhost", "192.0.2.1:80", "1.2.3"):
        with pytest.raises(InvalidInputError, match="network_address"):
            network_of(address)


def test_limits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="attempts"):
        Limit(0, HOUR)
    with pytest.raises(ConfigurationError, match="period"):
        Limit(5, timedelta(0))
    with pytest.raises(ConfigurationError, match="reset_lifetime"):
        AccountPolicy(reset_lifetime=timedelta(0), limits=UNLIMITED)


def test_by_default_one_address_cannot_use_up_an_account() -> None:
    limits = RateLimits()
    narrow, account = limits.sign_in_account_address, limits.sign_in_account
    # What one address gets in an hour: the burst, and one more for each share of the period.
    from_one = narrow.attempts * (1 + HOUR / narrow.period)
    assert from_one <= account.attempts * (HOUR / account.period) / 4
    # An owner who has to share the account's limit with very many waits less than a minute.
    assert account.period / account.attempts < timedelta(minutes=1)
