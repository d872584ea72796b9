"""The whole path with the rights of the app role, which cannot write history or change the schema."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

import shopflow
from shopflow import Shop
from shopflow.orders.taxes import TaxRate
from shopflow.postgres import roles
from shopflow.promotions.models import CouponChanges, CouponTerms, Scope
from shopflow.settings import Settings
from shopflow.shipping.models import MethodTerms, ZoneTerms
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


async def test_coupons_shipping_taxes_and_merging(shop: Shop) -> None:
    product_id, user_id = await a_product(shop, price="20.00"), await a_user(shop)
    coupon_id = await shop.promotions.create(
        CouponTerms(code="TEN", discount_type="percentage", discount_value=Decimal(10)),
        Scope(frozenset([product_id]), frozenset()),
    )
    await shop.promotions.update(coupon_id, CouponChanges(usage_limit=5, per_user_limit=1))
    zone_id = await shop.shipping.create_zone(ZoneTerms(name="Germany", countries=("DE",)))
    method = MethodTerms(name="Standard", carrier="DHL", price=Decimal(5))
    method_id = await shop.shipping.create_method(zone_id, method)
    vat: dict[str, Any] = {"state": None, "category_id": None, "name": "VAT", "is_inclusive": False}
    await shop.tax_rates.set(TaxRate(country_code="DE", rate=Decimal("0.2"), **vat))
    guest = await shop.carts.open(session_id="guest")
    await shop.carts.add(guest, product_id, quantity=2)
    merged = await shop.carts.merge(session_id="guest", user_id=user_id)
    await shop.carts.apply_coupon(merged.cart_id, "ten")
    assert len(await shop.shipping.quotes(merged.cart_id, country_code="DE")) == 1
    quote = await shop.orders.quote(merged.cart_id, country_code="DE", shipping_method_id=method_id)
    # 40 - 4, and 5 for shipping; 20 % on both.
    assert quote.totals.total_amount == Decimal("49.20")
    assert await shop.carts.expire(guest_days=1, user_days=1) == 0
