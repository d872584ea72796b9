"""Tokens and hashes show in no repr, message, JSON or pickle, and no log of the server."""

import copy
import hashlib
import pickle
import traceback

import msgspec
import pytest

from shopflow import Shop
from shopflow.users import RefreshToken, ResetToken, VerificationToken
from shopflow.users.errors import InvalidCredentialsError, InvalidTokenError
from shopflow.users.sessions import _Held
from shopflow.users.signing_in import Credentials
from tests.catalogue import run
from tests.users.conftest import HERE, PASSWORD, registered


@pytest.mark.parametrize("kind", [RefreshToken, ResetToken, VerificationToken])
def test_a_token_hides_its_text(kind: type[RefreshToken]) -> None:
    token = kind.new()
    text = token.reveal()
    assert len(text) == 43
    for shown in (repr(token), str(token), f"{token}", repr([token])):
        assert text not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(token)
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not written anywhere"):
            write(token)


def test_tokens_are_equal_by_their_text_and_kind() -> None:
    assert RefreshToken("x") == RefreshToken("x") != RefreshToken("y")
    assert RefreshToken("x") != ResetToken("x")
    assert len({RefreshToken("x"), RefreshToken("x")}) == 1
    assert RefreshToken.new() != RefreshToken.new()
    assert RefreshToken("x").digest == hashlib.sha256(b"x").digest()
    assert len(RefreshToken("\ud800").digest) == 32


async def test_what_is_answered_shows_no_token_and_what_is_stored_is_a_hash(shop: Shop) -> None:
    made = await registered(shop)
    signed_in = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    for answer, token, table, column in (
        (made, made.verification.token, "email_verifications", "token_hash"),
        (signed_in, signed_in.refresh_token, "user_sessions", "refresh_token_hash"),
        (reset, reset.token, "password_resets", "token_hash"),
    ):
        assert token.reveal() not in repr(answer)
        with pytest.raises(TypeError):
            msgspec.json.encode(answer)
        assert await run(shop, f"SELECT {column} FROM {table}") == [(token.digest,)]


def test_what_holds_a_hash_in_passing_does_not_show_it() -> None:
    credentials = Credentials(None, None, "$argon2id$secret")
    assert "secret" not in repr(credentials)
    held = msgspec.convert({"user_id": "0" * 32, "password_hash": "secret"}, _Held)
    assert "secret" not in repr(held)


async def test_no_error_shows_a_password_or_a_token(shop: Shop) -> None:
    made = await registered(shop)
    calls = (
        shop.users.sign_in(made.user.email, "a wrong password", network_address=HERE),
        shop.users.refresh(RefreshToken("a wrong token")),
        shop.users.reset_password(ResetToken("a wrong token"), "a wrong password"),
        shop.users.verify_email(VerificationToken("a wrong token")),
    )
    for call in calls:
        with pytest.raises((InvalidCredentialsError, InvalidTokenError)) as refused:
            await call
        shown = "".join(
            line.split("\n", 1)[0]
            for line in traceback.format_exception_only(refused.type, refused.value)
        )
        assert "a wrong" not in shown
