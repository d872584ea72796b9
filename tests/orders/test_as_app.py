"""The whole path with the rights of the app role, which cannot write history or change the schema."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

import shopflow
from shopflow import Shop
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.orders.taxes import TaxRate
from shopflow.postgres import roles
from shopflow.promotions.models import CouponChanges, CouponTerms, Scope
from shopflow.settings import Settings
from shopflow.shipping.models import MethodTerms, ZoneTerms
from tests.catalogue import a_product, a_user, a_variant, run
from tests.orders.conftest import order
from tests.orders.sales import a_sale, a_used_coupon, stock, uses
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
    newest, oldest = (await shop.products.list()).items
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


async def test_from_the_parcel_to_its_return(shop: Shop) -> None:
    sale = await a_sale(shop, 2, status="pending")
    await shop.orders.confirm(sale.id, actor=await a_user(shop))
    shipment_id = await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"))
    await shop.orders.mark_delivered(shipment_id)
    line = ReturnLine(sale.lines[0], 1, restock=True)
    await shop.orders.return_items(ReturnRequest(order_id=sale.id, lines=[line]))
    await shop.orders.add_note(sale.id, "Too small.")
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("delivered", "partially_returned")
    assert await stock(shop, sale.products[0]) == 9


async def test_cancelled_and_expired_orders_give_back(shop: Shop) -> None:
    for age in ("0 minutes", "2 hours"):
        sale = await a_sale(shop, 2, status="pending", age=age)
        coupon = await a_used_coupon(shop, sale)
        if await shop.orders.expire_unpaid(timedelta(hours=1)) == 0:
            await shop.orders.cancel(sale.id)
        assert (await stock(shop, sale.products[0]), await uses(shop, coupon)) == (10, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM order_shipment_items",
        "DELETE FROM order_returns",
        "DELETE FROM order_return_items",
        "DELETE FROM order_notes",
        "UPDATE order_notes SET note = 'never said'",
        "TRUNCATE order_shipment_items",
    ],
)
async def test_what_was_sent_returned_or_noted_is_not_deleted(shop: Shop, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        await run(shop, statement)
