"""§4.4: an order with all its details."""

from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest

from shopflow import NotFoundError, Shop
from shopflow.ids import OrderId
from shopflow.orders.models import Order
from tests.catalogue import a_product, a_user, inserted, run
from tests.orders.conftest import Filled, order

# §4.4 as written, with the orders of lines and addresses that it leaves open.
SPECIFICATION = """
SELECT
  json_build_object(
    'id', u.id,
    'email', u.email,
    'first_name', u.first_name,
    'last_name', u.last_name
  ) as customer,
  (
    SELECT json_agg(json_build_object(
      'id', oi.id,
      'product_id', oi.product_id,
      'product_name', oi.product_name,
      'variant_name', oi.variant_name,
      'sku', oi.sku,
      'quantity', oi.quantity,
      'unit_price', oi.unit_price,
      'subtotal', oi.subtotal,
      'image_url', oi.image_url
    ) ORDER BY oi.created_at, oi.id)
    FROM order_items oi
    WHERE oi.order_id = o.id
  ) as items,
  (
    SELECT json_agg(json_build_object(
      'id', oa.id,
      'type', oa.address_type,
      'first_name', oa.first_name,
      'last_name', oa.last_name,
      'address_line_1', oa.address_line_1,
      'city', oa.city,
      'state', oa.state,
      'postal_code', oa.postal_code,
      'country_code', oa.country_code
    ) ORDER BY oa.address_type DESC)
    FROM order_addresses oa
    WHERE oa.order_id = o.id
  ) as addresses,
  (
    SELECT json_build_object(
      'id', os.id,
      'carrier', os.carrier,
      'tracking_number', os.tracking_number,
      'status', os.status,
      'estimated_delivery', os.estimated_delivery
    )
    FROM order_shipments os
    WHERE os.order_id = o.id
    LIMIT 1
  ) as shipment,
  (
    SELECT json_build_object(
      'id', pay.id,
      'method', pay.payment_method,
      'status', pay.status,
      'card_brand', pay.card_brand,
      'card_last_four', pay.card_last_four
    )
    FROM payments pay
    WHERE pay.order_id = o.id
    LIMIT 1
  ) as payment,
  (
    SELECT json_agg(json_build_object(
      'status', osh.status,
      'notes', osh.notes,
      'created_at', osh.created_at
    ) ORDER BY osh.created_at)
    FROM order_status_history osh
    WHERE osh.order_id = o.id
  ) as status_history
FROM orders o
LEFT JOIN users u ON o.user_id = u.id
WHERE o.id = %(id)s
"""


async def placed_by_a_guest(shop: Shop, filled: Filled) -> Order:
    cart_id = await filled((await a_product(shop), None, 1), (await a_product(shop), None, 2))
    return await shop.orders.get((await shop.orders.place(order(cart_id))).id)


async def test_it_holds_all_that_the_specification_returns(shop: Shop) -> None:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(cart_id, await a_product(shop))
    await shop.carts.add(cart_id, await a_product(shop))
    placed = await shop.orders.place(order(cart_id))
    await shop.orders.mark_paid(
        placed.id,
        amount=placed.total_amount,
        method="card",
        card_brand="visa",
        card_last_four="4242",
    )
    shipment = {"order_id": placed.id, "carrier": "DHL", "estimated_delivery": "2030-01-31"}
    await inserted(shop, "order_shipments", shipment)

    found = await shop.orders.get(placed.id)

    (row,) = await run(shop, SPECIFICATION, id=placed.id)
    customer, items, addresses, shipment_, payment, history = map(msgspec.json.decode, row)
    assert plain(found.customer).items() >= customer.items()
    assert plain(found.shipment).items() >= shipment_.items()
    assert plain(found.payment).items() >= payment.items()
    for ours, theirs in (
        (found.items, items),
        (found.addresses, addresses),
        (found.status_history, history),
    ):
        for mine, expected in zip(ours, theirs, strict=True):
            expected.pop("created_at", None)
            assert plain(mine).items() >= expected.items()


async def test_it_holds_every_column_of_the_table(shop: Shop) -> None:
    rows = await run(
        shop,
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    internal = {"idempotency_fingerprint"}
    assert {name for (name,) in rows} - internal <= set(Order.__struct_fields__)


async def test_what_is_not_there_is_empty_or_none(shop: Shop, filled: Filled) -> None:
    found = await placed_by_a_guest(shop, filled)
    assert (found.customer, found.shipment, found.payment) == (None, None, None)
    assert (found.shipments, found.payments, found.refunds) == ((), (), ())
    assert [item.quantity for item in found.items] == [1, 2]
    assert found.placed_at.tzinfo is not None


async def test_the_latest_shipment_and_payment_stand_beside_all(shop: Shop, filled: Filled) -> None:
    order_id = (await placed_by_a_guest(shop, filled)).id
    for day, carrier in (("02", "late"), ("01", "early")):
        row = {"order_id": order_id, "carrier": carrier, "created_at": f"2030-01-{day}"}
        await inserted(shop, "order_shipments", row)
        row = {"order_id": order_id, "payment_method": carrier, "created_at": f"2030-01-{day}"}
        captured = {"amount": 9, "captured_amount": 9, "status": "captured", "captured_at": "now"}
        payment_id = await inserted(shop, "payments", row | captured)
        await inserted(shop, "refunds", {"payment_id": payment_id, "amount": "1.50"})
    found = await shop.orders.get(order_id)
    assert [shipment.carrier for shipment in found.shipments] == ["early", "late"]
    assert [payment.method for payment in found.payments] == ["early", "late"]
    assert (found.shipment, found.payment) == (found.shipments[-1], found.payments[-1])
    assert [refund.amount for refund in found.refunds] == [Decimal("1.50")] * 2
    assert {refund.payment_id for refund in found.refunds} == {p.id for p in found.payments}


async def test_it_is_found_by_its_number(shop: Shop, filled: Filled) -> None:
    found = await placed_by_a_guest(shop, filled)
    assert await shop.orders.get_by_number(found.order_number) == found


async def test_the_orders_of_a_deleted_user_have_no_customer(shop: Shop) -> None:
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(cart_id, await a_product(shop))
    placed = await shop.orders.place(order(cart_id))
    await run(shop, "UPDATE users SET deleted_at = now()")
    found = await shop.orders.get(placed.id)
    assert (found.user_id, found.customer) == (None, None)


async def test_unknown_orders_are_refused(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no such order"):
        await shop.orders.get(OrderId(uuid4()))
    with pytest.raises(NotFoundError, match="no such order: 1"):
        await shop.orders.get_by_number("1")
    for number in ("1\0", "1\ud800"):
        with pytest.raises(NotFoundError, match="no such order: '1"):
            await shop.orders.get_by_number(number)


def plain(part: object) -> dict[str, object]:
    decimals_as_numbers = msgspec.json.Encoder(decimal_format="number")
    return dict(msgspec.json.decode(decimals_as_numbers.encode(part)))
