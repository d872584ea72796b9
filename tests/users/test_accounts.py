"""Names, roles and the soft delete."""

from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import UserId
from shopflow.users.errors import InvalidCredentialsError, InvalidTokenError, NotPermittedError
from tests.catalogue import run
from tests.users.conftest import HERE, PASSWORD, outcomes, registered


async def test_names_can_be_changed(shop: Shop) -> None:
    user = (await registered(shop)).user
    await shop.users.rename(user.id, first_name="Anna", last_name="Bowman")
    found = await shop.users.get(user.id)
    assert (found.first_name, found.last_name) == ("Anna", "Bowman")
    with pytest.raises(InvalidInputError, match="first_name"):
        await shop.users.rename(user.id, first_name="", last_name="Bowman")
    with pytest.raises(NotFoundError):
        await shop.users.rename(UserId(uuid4()), first_name="A", last_name="B")


async def test_only_an_admin_gives_roles(shop: Shop) -> None:
    admin, other = (await registered(shop)).user, (await registered(shop)).user
    await shop.users.set_role(admin.id, "admin", by=None)
    await shop.users.set_role(other.id, "merchant", by=admin.id)
    assert (await shop.users.get(other.id)).role == "merchant"
    for by in (other.id, UserId(uuid4())):
        with pytest.raises(NotPermittedError):
            await shop.users.set_role(other.id, "admin", by=by)
    with pytest.raises(NotFoundError):
        await shop.users.set_role(UserId(uuid4()), "merchant", by=admin.id)
    with pytest.raises(InvalidInputError, match="role"):
        await shop.users.set_role(other.id, "root", by=admin.id)  # type: ignore[arg-type]
    await shop.users.delete(admin.id)
    with pytest.raises(NotPermittedError):
        await shop.users.set_role(other.id, "admin", by=admin.id)


async def test_of_two_admins_who_depose_each_other_one_remains(shop: Shop) -> None:
    for _ in range(5):
        one, two = (await registered(shop)).user.id, (await registered(shop)).user.id
        for each in (one, two):
            await shop.users.set_role(each, "admin", by=None)
        done, errors = await outcomes(
            [
                shop.users.set_role(one, "customer", by=two),
                shop.users.set_role(two, "customer", by=one),
            ]
        )
        assert len(done) == 1
        assert [type(error) for error in errors] == [NotPermittedError]


async def test_a_deleted_account_is_no_account_any_more(shop: Shop) -> None:
    made = await registered(shop)
    signed_in = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    await shop.users.delete(made.user.id)
    with pytest.raises(NotFoundError):
        await shop.users.get(made.user.id)
    with pytest.raises(InvalidCredentialsError):
        await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    with pytest.raises(InvalidTokenError):
        await shop.users.refresh(signed_in.refresh_token)
    with pytest.raises(InvalidTokenError):
        await shop.users.verify_email(made.verification.token)
    for table in ("user_sessions", "email_verifications", "password_resets"):
        assert await run(shop, f"SELECT FROM {table}") == []
    with pytest.raises(NotFoundError):
        await shop.users.delete(made.user.id)
