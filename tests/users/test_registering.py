"""Registration, and one account for an address, in whatever case and however many ask."""

from typing import Any

import pytest

from shopflow import InvalidInputError, Shop
from shopflow.users.errors import EmailTakenError
from tests.catalogue import run
from tests.users.conftest import CALLERS, HERE, PASSWORD, outcomes, registered


async def test_an_account_begins_as_a_customer_who_is_not_verified(shop: Shop) -> None:
    made = await registered(shop, email="Ann@example.com")
    assert made.user.role == "customer"
    assert not made.user.email_verified
    assert made.verification.email == made.user.email == "Ann@example.com"
    assert await shop.users.get(made.user.id) == made.user
    ((stored,),) = await run(shop, "SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$")
    verified = await shop.users.verify_email(made.verification.token)
    assert verified.email_verified


async def test_an_address_has_one_account_however_it_is_written(shop: Shop) -> None:
    made, errors = await outcomes(
        registered(shop, email="ann@example.com" if n % 2 else "ANN@Example.COM")
        for n in range(CALLERS)
    )
    assert len(made) == 1
    assert [type(error) for error in errors] == [EmailTakenError] * (CALLERS - 1)
    assert "example" not in str(errors[0])
    assert await run(shop, "SELECT count(*) FROM users") == [(1,)]
    assert await run(shop, "SELECT count(*) FROM email_verifications") == [(1,)]


async def test_the_address_of_a_deleted_account_can_register_again(shop: Shop) -> None:
    made = await registered(shop)
    await shop.users.delete(made.user.id)
    again = await registered(shop, email=made.user.email.upper())
    assert again.user.id != made.user.id


@pytest.mark.parametrize(
    "change",
    [
        {"email": "ann at example"},
        {"email": ""},
        {"email": "a@" + "x" * 254},
        {"email": "a\0@x"},
        {"password": "short"},
        {"first_name": ""},
        {"last_name": "x" * 101},
        {"network_address": "localhost"},
    ],
)
async def test_what_cannot_be_is_refused_by_name_and_nothing_is_made(
    shop: Shop, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await registered(shop, **change)
    assert refused.value.field == next(iter(change))
    assert await run(shop, "SELECT FROM users") == []


async def test_no_way_to_a_role_at_registration(shop: Shop) -> None:
    with pytest.raises(TypeError, match="role"):
        await shop.users.register(  # type: ignore[call-arg]
            email="a@x",
            password=PASSWORD,
            first_name="A",
            last_name="B",
            network_address=HERE,
            role="admin",
        )
