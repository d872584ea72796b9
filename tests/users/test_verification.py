"""Addresses proved by a token that was mailed to them."""

from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import UserId
from shopflow.users.errors import (
    EmailAlreadyVerifiedError,
    EmailTakenError,
    InvalidCredentialsError,
    InvalidTokenError,
    TokenUsedError,
)
from tests.catalogue import run
from tests.users.conftest import CALLERS, HERE, OTHER_PASSWORD, PASSWORD, outcomes, registered


async def test_a_token_verifies_once_however_many_use_it(shop: Shop) -> None:
    made = await registered(shop)
    done, errors = await outcomes(
        shop.users.verify_email(made.verification.token) for _ in range(CALLERS)
    )
    assert [user.email_verified for user in done] == [True]
    assert [type(error) for error in errors] == [TokenUsedError] * (CALLERS - 1)


async def test_another_token_cancels_the_first(shop: Shop) -> None:
    made = await registered(shop)
    mail = await shop.users.request_verification(made.user.id, network_address=HERE)
    assert mail.email == made.user.email
    with pytest.raises(InvalidTokenError):
        await shop.users.verify_email(made.verification.token)
    await shop.users.verify_email(mail.token)
    with pytest.raises(EmailAlreadyVerifiedError):
        await shop.users.request_verification(made.user.id, network_address=HERE)
    with pytest.raises(NotFoundError):
        await shop.users.request_verification(UserId(uuid4()), network_address=HERE)


async def test_a_token_that_expired_verifies_nothing(shop: Shop) -> None:
    made = await registered(shop)
    await run(
        shop,
        "UPDATE email_verifications SET created_at = now() - interval '9 days', expires_at = now()",
    )
    with pytest.raises(InvalidTokenError):
        await shop.users.verify_email(made.verification.token)
    assert not (await shop.users.get(made.user.id)).email_verified


async def test_a_new_address_is_the_accounts_once_it_is_verified(shop: Shop) -> None:
    made = await registered(shop)
    await shop.users.verify_email(made.verification.token)
    to_the_old = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    mail = await shop.users.change_email(
        made.user.id, "new@example.com", password=PASSWORD, network_address=HERE
    )
    assert mail.email == "new@example.com"
    assert (await shop.users.get(made.user.id)).email == made.user.email
    changed = await shop.users.verify_email(mail.token)
    assert (changed.email, changed.email_verified) == ("new@example.com", True)
    await shop.users.sign_in("new@example.com", PASSWORD, network_address=HERE)
    with pytest.raises(InvalidCredentialsError):
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    # Whoever reads the old mailbox cannot set the password any more.
    with pytest.raises(InvalidTokenError):
        await shop.users.reset_password(to_the_old.token, OTHER_PASSWORD)


async def test_an_address_that_another_account_has_is_refused(shop: Shop) -> None:
    made, other = await registered(shop), await registered(shop)
    with pytest.raises(EmailTakenError):
        await shop.users.change_email(
            made.user.id, other.user.email.upper(), password=PASSWORD, network_address=HERE
        )
    mail = await shop.users.change_email(
        made.user.id, made.user.email.upper(), password=PASSWORD, network_address=HERE
    )
    assert (await shop.users.verify_email(mail.token)).email == made.user.email.upper()


async def test_of_two_who_verify_the_same_new_address_one_gets_it(shop: Shop) -> None:
    accounts = [await registered(shop) for _ in range(8)]
    mails = [
        await shop.users.change_email(
            made.user.id,
            "Shared@example.com" if n % 2 else "shared@example.com",
            password=PASSWORD,
            network_address=HERE,
        )
        for n, made in enumerate(accounts)
    ]
    done, errors = await outcomes(shop.users.verify_email(mail.token) for mail in mails)
    assert len(done) == 1
    assert [type(error) for error in errors] == [EmailTakenError] * 7
    used = await run(shop, "SELECT user_id FROM email_verifications WHERE used_at IS NOT NULL")
    assert used == [(done[0].id,)]


async def test_changing_the_address_needs_the_password(shop: Shop) -> None:
    made = await registered(shop)
    with pytest.raises(InvalidCredentialsError):
        await shop.users.change_email(
            made.user.id, "new@example.com", password=OTHER_PASSWORD, network_address=HERE
        )
    with pytest.raises(InvalidInputError, match="new_email"):
        await shop.users.change_email(
            made.user.id, "no address", password=PASSWORD, network_address=HERE
        )
    assert await run(shop, "SELECT email FROM email_verifications") == [(made.user.email,)]
