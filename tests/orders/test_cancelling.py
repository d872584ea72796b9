"""Cancelling: stock and coupon once, and what the payments need; steps and notes beside it."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId, OrderItemId, PaymentId, UserId, VariantId
from shopflow.orders.cancelling import Cancellation
from shopflow.orders.errors import OrderStateError
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.settling import RefundDue
from shopflow.orders.shipments import Parcel
from shopflow.orders.states import Status
from tests.catalogue import a_product, a_user, a_variant, inserted, run
from tests.orders.sales import Sale, a_sale, a_used_coupon, stock, uses
from tests.waiting import waiting

LOCK_VARIANT = b"SELECT FROM product_variants WHERE id = %s FOR NO KEY UPDATE"
LOCK_PRODUCT = b"SELECT FROM products WHERE id = %s FOR NO KEY UPDATE"


async def a_payment(shop: Shop, sale: Sale, status: str, captured: int = 0) -> PaymentId:
    columns: dict[str, object] = {
        "order_id": sale.id,
        "amount": 40,
        "captured_amount": captured,
        "status": status,
        "payment_method": "card",
    }
    if status == "captured":
        columns["captured_at"] = "now()"
    return PaymentId(await inserted(shop, "payments", columns))


@pytest.mark.parametrize("status", ["pending", "confirmed", "processing"])
async def test_stock_and_coupon_are_given_back_once(shop: Shop, status: Status) -> None:
    sale = await a_sale(shop, 2, status=status)
    coupon = await a_used_coupon(shop, sale)
    assert (await stock(shop, sale.products[0]), await uses(shop, coupon)) == (8, 1)
    actor = await a_user(shop)
    done = await shop.orders.cancel(sale.id, reason="changed my mind", actor=actor)
    assert done == Cancellation(sale.id)
    last = (await shop.orders.get(sale.id)).status_history[-1]
    assert (last.status, last.notes, last.created_by) == ("cancelled", "changed my mind", actor)
    assert (await stock(shop, sale.products[0]), await uses(shop, coupon)) == (10, 0)
    assert await shop.orders.cancel(sale.id) == done
    assert (await stock(shop, sale.products[0]), await uses(shop, coupon)) == (10, 0)
    assert (await shop.orders.get(sale.id)).status_history[-1] == last


async def test_cancelled_by_many_at_once_it_is_cancelled_once(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    done = await asyncio.gather(*(shop.orders.cancel(sale.id) for _ in range(5)))
    assert set(done) == {Cancellation(sale.id)}
    assert await stock(shop, sale.products[0]) == 10


async def test_what_the_payments_need_is_said_until_it_is_done(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    await a_payment(shop, sale, "failed")
    authorized = await a_payment(shop, sale, "authorized")
    captured = await a_payment(shop, sale, "captured", 40)
    refund = {"payment_id": captured, "amount": 15, "status": "pending"}
    await inserted(shop, "refunds", refund)
    await inserted(shop, "refunds", refund | {"status": "failed"})
    done = await shop.orders.cancel(sale.id, give_back=False)
    assert done.outcomes == ()
    assert done.to_void == (authorized,)
    assert done.to_refund == (RefundDue(captured, Decimal(25)),)
    await inserted(shop, "refunds", refund | {"amount": 25})
    await run(shop, "UPDATE payments SET status = 'voided' WHERE status = 'authorized'")
    assert await shop.orders.cancel(sale.id, give_back=False) == Cancellation(sale.id)
    assert await shop.orders.cancel(sale.id) == Cancellation(sale.id)


async def test_of_a_partly_sent_order_the_rest_is_cancelled(shop: Shop) -> None:
    sale = await a_sale(shop, 2, shipping_amount=5, total_amount=45)
    payment = await a_payment(shop, sale, "captured", 40)
    await shop.orders.ship(Parcel(order_id=sale.id, lines={sale.lines[0]: 1}, carrier="DHL"))
    done = await shop.orders.cancel(sale.id, give_back=False)
    assert done.to_refund == (RefundDue(payment, Decimal(15)),)
    assert await stock(shop, sale.products[0]) == 9
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("cancelled", "partially_fulfilled")


async def test_what_was_sent_is_not_cancelled(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"))
    with pytest.raises(OrderStateError, match="is shipped"):
        await shop.orders.cancel(sale.id)
    assert await stock(shop, sale.products[0]) == 8


async def test_a_cancellation_waits_for_the_parcel_and_is_refused(shop: Shop) -> None:
    sale = await a_sale(shop, 2, status="processing")
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("UPDATE orders SET status = 'shipped'")
        cancelling = asyncio.create_task(shop.orders.cancel(sale.id))
        await waiting(shop, 1)
    with pytest.raises(OrderStateError, match="is shipped"):
        await cancelling


@pytest.mark.parametrize("way", ["cancelled", "returned"])
async def test_stock_is_given_back_in_the_order_in_which_checkouts_take_it(
    shop: Shop, way: str
) -> None:
    """An older product's variant and a newer product: the older product's row comes first.

    The other transaction has taken another variant of the older product, then its product, as a
    checkout of both products does.
    """
    older = await a_product(shop)
    variants = [await a_variant(shop, older) for _ in range(2)]
    sale = await a_sale(shop, 1)
    line = {"order_id": sale.id, "product_id": older, "variant_id": variants[0]}
    item = line | {"product_name": "P", "sku": "V", "quantity": 1, "unit_price": 20, "subtotal": 20}
    second = OrderItemId(await inserted(shop, "order_items", item))
    await inserted(shop, "stock_movements", line | {"change": -1, "reason": "sale"})
    if way == "returned":
        await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"))
    async with shop.pool.connection() as other, other.transaction():
        await other.execute(LOCK_VARIANT, [variants[1]])
        await other.execute(LOCK_PRODUCT, [older])
        if way == "cancelled":
            giving: asyncio.Task[object] = asyncio.create_task(shop.orders.cancel(sale.id))
        else:
            lines = [ReturnLine(each, 1, restock=True) for each in (sale.lines[0], second)]
            request = ReturnRequest(order_id=sale.id, lines=lines)
            giving = asyncio.create_task(shop.orders.return_items(request))
        await waiting(shop, 1)
        # With the rows in another order this would be a deadlock.
        await other.execute(LOCK_PRODUCT + b" NOWAIT", [sale.products[0]])
    await giving
    assert await stock(shop, sale.products[0]) == 10
    assert await stock_of_variant(shop, variants[0]) == 10


async def stock_of_variant(shop: Shop, variant_id: VariantId) -> int:
    ((quantity,),) = await run(
        shop, "SELECT stock_quantity FROM product_variants WHERE id = %(id)s", id=variant_id
    )
    return int(quantity)


async def test_who_and_what_has_to_be_there(shop: Shop) -> None:
    sale = await a_sale(shop, 1)
    with pytest.raises(NotFoundError, match="no such order"):
        await shop.orders.cancel(OrderId(uuid4()))
    with pytest.raises(NotFoundError, match="no such user"):
        await shop.orders.cancel(sale.id, actor=UserId(uuid4()))
    with pytest.raises(InvalidInputError, match="reason"):
        await shop.orders.cancel(sale.id, reason="")
    assert (await shop.orders.get(sale.id)).status == "confirmed"


async def test_steps_are_taken_once_and_illegal_ones_refused(shop: Shop) -> None:
    sale = await a_sale(shop, 1, status="pending")
    with pytest.raises(OrderStateError, match="is pending, and cannot become processing"):
        await shop.orders.start_processing(sale.id)
    actor = await a_user(shop)
    for _ in range(2):
        await shop.orders.confirm(sale.id, reason="on invoice", actor=actor)
    for _ in range(2):
        await shop.orders.start_processing(sale.id)
    history = (await shop.orders.get(sale.id)).status_history
    assert [(h.status, h.notes, h.created_by) for h in history] == [
        ("pending", None, None),
        ("confirmed", "on invoice", actor),
        ("processing", None, None),
    ]
    with pytest.raises(OrderStateError, match="cannot become confirmed"):
        await shop.orders.confirm(sale.id)


async def test_notes_stand_beside_the_history(shop: Shop) -> None:
    sale = await a_sale(shop, 1, status="pending")
    actor = await a_user(shop)
    first = await shop.orders.add_note(sale.id, "Rang twice.", actor=actor)
    second = await shop.orders.add_note(sale.id, "Wants it blue.")
    found = await shop.orders.get(sale.id)
    assert [(n.id, n.note, n.created_by) for n in found.notes] == [
        (first, "Rang twice.", actor),
        (second, "Wants it blue.", None),
    ]
    assert len(found.status_history) == 1
    for note in ("", " \n", "x" * 10_001, "\0"):
        with pytest.raises(InvalidInputError, match="note"):
            await shop.orders.add_note(sale.id, note)
    with pytest.raises(NotFoundError, match="no such user"):
        await shop.orders.add_note(sale.id, "x", actor=UserId(uuid4()))
    with pytest.raises(NotFoundError, match="no such order"):
        await shop.orders.add_note(OrderId(uuid4()), "x")
