"""A new password, by the old one or by a token that was mailed."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import UserId
from shopflow.users import ResetToken
from shopflow.users.errors import InvalidCredentialsError, InvalidTokenError, TokenUsedError
from tests.catalogue import run
from tests.users.conftest import (
    CALLERS,
    HERE,
    OTHER_PASSWORD,
    PASSWORD,
    POLICY,
    outcomes,
    registered,
)


async def test_a_reset_sets_the_password_and_ends_all_sessions(shop: Shop) -> None:
    made = await registered(shop)
    signed_in = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    reset = await shop.users.request_password_reset(made.user.email.upper(), network_address=HERE)
    assert reset.recipient is not None
    assert reset.recipient.email == made.user.email
    assert await shop.users.reset_password(reset.token, OTHER_PASSWORD) == made.user.id
    assert await shop.users.sessions(made.user.id) == []
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(signed_in.refresh_token)
    with pytest.raises(InvalidCredentialsError):
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    await shop.users.sign_in(made.user.email, OTHER_PASSWORD, network_address=HERE)


async def test_an_unknown_address_gets_the_same_answer_and_no_token_that_works(
    shop: Shop,
) -> None:
    deleted = await registered(shop)
    await shop.users.delete(deleted.user.id)
    for email in ("nobody@example.com", deleted.user.email):
        reset = await shop.users.request_password_reset(email, network_address=HERE)
        assert reset.recipient is None
        assert len(reset.token.reveal()) == 43
        with pytest.raises(InvalidTokenError):
            await shop.users.reset_password(reset.token, OTHER_PASSWORD)
    assert await run(shop, "SELECT FROM password_resets") == []


async def test_a_reset_token_works_once_however_many_use_it(shop: Shop) -> None:
    made = await registered(shop)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    passwords = [f"{OTHER_PASSWORD} {n}" for n in range(CALLERS)]
    done, errors = await outcomes(
        shop.users.reset_password(reset.token, password) for password in passwords
    )
    assert done == [made.user.id]
    assert [type(error) for error in errors] == [TokenUsedError] * (CALLERS - 1)
    opened, _ = await outcomes(
        shop.users.sign_in(made.user.email, password, network_address=HERE)
        for password in passwords
    )
    assert len(opened) == 1
    with pytest.raises(TokenUsedError):
        await shop.users.reset_password(reset.token, PASSWORD)


async def test_a_new_token_cancels_the_old_also_when_both_are_asked_for_at_once(
    shop: Shop,
) -> None:
    made = await registered(shop)
    asked, errors = await outcomes(
        shop.users.request_password_reset(made.user.email, network_address=HERE) for _ in range(8)
    )
    assert errors == []
    ((stored,),) = await run(shop, "SELECT token_hash FROM password_resets")
    for reset in sorted(asked, key=lambda each: each.token.digest == stored):
        if reset.token.digest == stored:
            await shop.users.reset_password(reset.token, OTHER_PASSWORD)
        else:
            with pytest.raises(InvalidTokenError):
                await shop.users.reset_password(reset.token, OTHER_PASSWORD)


async def test_a_reset_token_lives_shortly(shop: Shop) -> None:
    made = await registered(shop)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    ((created,),) = await run(shop, "SELECT created_at FROM password_resets")
    assert reset.expires_at == created + POLICY.reset_lifetime
    assert POLICY.reset_lifetime <= timedelta(hours=1)
    await run(
        shop,
        "UPDATE password_resets SET created_at = now() - interval '1 day', expires_at = now()",
    )
    with pytest.raises(InvalidTokenError):
        await shop.users.reset_password(reset.token, OTHER_PASSWORD)
    await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)


async def test_an_unused_token_that_expired_gives_way_to_a_new_one(shop: Shop) -> None:
    made = await registered(shop)
    await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await run(
        shop,
        "UPDATE password_resets SET created_at = now() - interval '1 day', expires_at = now()",
    )
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await shop.users.reset_password(reset.token, OTHER_PASSWORD)


async def test_a_bad_new_password_does_not_use_up_the_token(shop: Shop) -> None:
    made = await registered(shop)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    with pytest.raises(InvalidInputError, match="new_password"):
        await shop.users.reset_password(reset.token, "short")
    await shop.users.reset_password(reset.token, OTHER_PASSWORD)


async def test_nobody_is_hashed_for_without_a_token(shop: Shop) -> None:
    shop.users.close()  # from here on a hash is an error
    with pytest.raises(InvalidTokenError):
        await shop.users.reset_password(ResetToken.new(), OTHER_PASSWORD)


async def test_a_password_is_changed_with_the_old_one_and_other_sessions_end(shop: Shop) -> None:
    made = await registered(shop)
    mine = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await shop.users.change_password(
        made.user.id,
        old_password=PASSWORD,
        new_password=OTHER_PASSWORD,
        keep_session=mine.session.id,
    )
    assert await shop.users.sessions(made.user.id) == [mine.session]
    await shop.users.refresh(mine.refresh_token)
    with pytest.raises(InvalidTokenError):
        await shop.users.reset_password(reset.token, PASSWORD)
    await shop.users.sign_in(made.user.email, OTHER_PASSWORD, network_address=HERE)


async def test_a_wrong_old_password_changes_nothing(shop: Shop) -> None:
    made = await registered(shop)
    mine = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    with pytest.raises(InvalidCredentialsError):
        await shop.users.change_password(
            made.user.id, old_password=OTHER_PASSWORD, new_password=OTHER_PASSWORD
        )
    assert await shop.users.sessions(made.user.id) == [mine.session]
    with pytest.raises(NotFoundError):
        await shop.users.change_password(
            UserId(uuid4()), old_password=PASSWORD, new_password=OTHER_PASSWORD
        )


async def test_of_several_changes_at_once_one_is_made(shop: Shop) -> None:
    """The others find that the old password is no longer the account's."""
    made = await registered(shop)
    done, errors = await outcomes(
        shop.users.change_password(
            made.user.id, old_password=PASSWORD, new_password=f"{OTHER_PASSWORD} {n}"
        )
        for n in range(8)
    )
    assert len(done) == 1
    assert [type(error) for error in errors] == [InvalidCredentialsError] * 7
