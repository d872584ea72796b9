"""Saved addresses: one default a type, whoever changes it and when."""

from uuid import uuid4

import msgspec
import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.addresses import Address
from shopflow.ids import AddressId, UserId
from tests.catalogue import run
from tests.users.conftest import CALLERS, YORK, outcomes, registered

LEEDS: Address = msgspec.structs.replace(YORK, city="Leeds", address_line_2="Flat 2", state="W")


async def test_addresses_are_kept_changed_and_removed(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    assert await shop.users.addresses(user_id) == ()
    billing = await shop.users.add_address(user_id, YORK, "billing")
    shipping = await shop.users.add_address(user_id, YORK, "shipping", is_default=True)
    await shop.users.update_address(user_id, billing, LEEDS)
    first, second = await shop.users.addresses(user_id)
    assert (first.id, first.type, first.is_default, first.address) == (
        shipping,
        "shipping",
        True,
        YORK,
    )
    assert (second.id, second.type, second.is_default, second.address) == (
        billing,
        "billing",
        False,
        LEEDS,
    )
    await shop.users.remove_address(user_id, shipping)
    assert [each.id for each in await shop.users.addresses(user_id)] == [billing]


async def test_nobody_touches_somebody_elses_address(shop: Shop) -> None:
    mine, other = (await registered(shop)).user.id, (await registered(shop)).user.id
    address_id = await shop.users.add_address(mine, YORK, "shipping")
    for call in (
        shop.users.update_address(other, address_id, LEEDS),
        shop.users.remove_address(other, address_id),
        shop.users.set_default_address(other, address_id),
        shop.users.set_default_address(mine, AddressId(uuid4())),
        shop.users.add_address(UserId(uuid4()), YORK, "shipping"),
    ):
        with pytest.raises(NotFoundError):
            await call
    (found,) = await shop.users.addresses(mine)
    assert (found.address, found.is_default) == (YORK, False)


async def test_an_address_that_cannot_be_is_refused_by_field(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    bad = msgspec.structs.replace(YORK, country_code="gb")
    with pytest.raises(InvalidInputError, match=r"address\.country_code"):
        await shop.users.add_address(user_id, bad, "shipping")
    with pytest.raises(InvalidInputError, match="address_type"):
        await shop.users.add_address(user_id, YORK, "home")  # type: ignore[arg-type]
    await shop.users.delete(user_id)
    with pytest.raises(NotFoundError):
        await shop.users.add_address(user_id, YORK, "shipping")


async def test_a_failed_change_leaves_the_default_as_it_was(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    default = await shop.users.add_address(user_id, YORK, "shipping", is_default=True)
    with pytest.raises(NotFoundError):
        await shop.users.set_default_address(user_id, AddressId(uuid4()))
    assert [each.is_default for each in await shop.users.addresses(user_id)] == [True]
    await shop.users.set_default_address(user_id, default)
    assert [each.is_default for each in await shop.users.addresses(user_id)] == [True]


async def test_however_many_set_a_default_at_once_there_is_one_a_type(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    added = [await shop.users.add_address(user_id, YORK, "shipping") for _ in range(CALLERS // 2)]
    billing = await shop.users.add_address(user_id, YORK, "billing", is_default=True)
    _, errors = await outcomes(
        [
            *(shop.users.set_default_address(user_id, each) for each in added),
            *(
                shop.users.add_address(user_id, LEEDS, "shipping", is_default=True)
                for _ in range(CALLERS // 2)
            ),
        ]
    )
    assert errors == []
    defaults = await run(
        shop, "SELECT address_type, count(*) FROM user_addresses WHERE is_default GROUP BY 1"
    )
    assert dict(defaults) == {"shipping": 1, "billing": 1}
    (kept,) = [each for each in await shop.users.addresses(user_id) if each.type == "billing"]
    assert kept.id == billing
