"""The whole path with the rights of the app role, which cannot write history or change the schema."""

from collections.abc import AsyncIterator

import msgspec
import psycopg
import pytest

import shopflow
from shopflow import Shop
from shopflow.postgres import roles
from shopflow.settings import Settings
from tests.catalogue import a_product, a_user, a_variant
from tests.orders.conftest import order
from tests.postgres.test_roles import as_superuser


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        roles.create(connection, settings)
    app = msgspec.structs.replace(settings, database_role=roles.name_of(settings, "app"))
    async with shopflow.open(app) as found:
        yield found


async def test_from_the_listing_to_a_paid_order(shop: Shop) -> None:
    await a_product(shop)
    sized = await a_product(shop)
    variant_id = await a_variant(shop, sized)
    (newest, oldest) = await shop.products.list()
    assert (await shop.products.get(newest.slug)).id == sized
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    item_id = await shop.carts.add(cart_id, sized, variant_id)
    await shop.carts.set_quantity(cart_id, item_id, 2)
    await shop.carts.remove(cart_id, await shop.carts.add(cart_id, oldest.id))
    placed = await shop.orders.place(order(cart_id))
    await shop.orders.mark_paid(placed.id, amount=placed.total_amount, method="card")
    refund = await shop.orders.payments.refund_order(placed.id, amount=placed.total_amount / 2)
    assert [each.status for each in refund] == ["succeeded"]
    found = await shop.orders.get(placed.id)
    assert found.payment_status == "partially_refunded"
    assert [change.status for change in found.status_history] == ["pending", "confirmed"]
    assert (await shop.products.get(sized)).stock_quantity == 8
