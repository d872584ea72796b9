"""Sending an order: once what was bought, in one parcel or several, until all is delivered."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from uuid import uuid4

import msgspec
import pytest

import shopflow
from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId, OrderItemId, ShipmentId, UserId
from shopflow.orders.errors import (
    Excess,
    IdempotencyKeyTakenError,
    LineQuantityError,
    OrderStateError,
)
from shopflow.orders.models import ShipmentItem
from shopflow.orders.shipments import Parcel
from shopflow.orders.tracking import Tracking
from shopflow.settings import Settings
from tests.catalogue import a_user, run
from tests.orders.sales import Sale, a_sale, stock
from tests.waiting import waiting


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    roomy = msgspec.structs.replace(settings, pool_max_size=20)
    async with shopflow.open(roomy) as found:
        yield found


def parcel(
    sale: Sale, lines: Mapping[OrderItemId, int] | None = None, key: str | None = None
) -> Parcel:
    return Parcel(order_id=sale.id, lines=lines, carrier="DHL", idempotency_key=key)


async def steps(shop: Shop, sale: Sale) -> list[str]:
    return [change.status for change in (await shop.orders.get(sale.id)).status_history]


async def test_a_whole_order_in_one_parcel(shop: Shop) -> None:
    sale = await a_sale(shop, 2, 1)
    actor = await a_user(shop)
    shipment_id = await shop.orders.ship(
        Parcel(
            order_id=sale.id,
            carrier="DHL",
            tracking_number="00340",
            estimated_delivery=date(2027, 1, 2),
        ),
        actor=actor,
    )
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("shipped", "fulfilled")
    assert [item.fulfilled_quantity for item in found.items] == [2, 1]
    (shipment,) = found.shipments
    assert found.shipment == shipment
    assert (shipment.id, shipment.status, shipment.carrier) == (shipment_id, "shipped", "DHL")
    assert (shipment.tracking_number, shipment.estimated_delivery) == ("00340", date(2027, 1, 2))
    assert shipment.shipped_at is not None
    assert set(shipment.items) == {
        ShipmentItem(sale.lines[0], 2),
        ShipmentItem(sale.lines[1], 1),
    }
    assert [(h.status, h.notes, h.created_by) for h in found.status_history[-2:]] == [
        ("processing", "sent with DHL", actor),
        ("shipped", "sent with DHL", actor),
    ]


async def test_several_parcels_and_delivered_when_all_are(shop: Shop) -> None:
    sale = await a_sale(shop, 2, 1)
    first = await shop.orders.ship(parcel(sale, {sale.lines[0]: 1}))
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("processing", "partially_fulfilled")
    await shop.orders.mark_delivered(first)
    assert (await shop.orders.get(sale.id)).status == "processing"
    second = await shop.orders.ship(parcel(sale, {sale.lines[0]: 1}))
    third = await shop.orders.ship(parcel(sale))
    assert (await shop.orders.get(sale.id)).status == "shipped"
    await shop.orders.mark_delivered(third)
    assert (await shop.orders.get(sale.id)).status == "shipped"
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    await shop.orders.mark_delivered(second, at=at)
    found = await shop.orders.get(sale.id)
    assert found.status == "delivered"
    assert [s.status for s in found.shipments] == ["delivered"] * 3
    assert found.shipments[1].delivered_at == at
    assert await steps(shop, sale) == ["pending", "confirmed", "processing", "shipped", "delivered"]
    # Said again, it says nothing new.
    await shop.orders.mark_delivered(second)
    assert (await shop.orders.get(sale.id)).shipments[1].delivered_at == at
    assert (await steps(shop, sale)).count("delivered") == 1


async def test_more_than_is_left_is_refused_with_every_line(shop: Shop) -> None:
    sale = await a_sale(shop, 2, 1)
    await shop.orders.ship(parcel(sale, {sale.lines[0]: 1}))
    with pytest.raises(LineQuantityError, match="2 wanted, 1 left") as refused:
        await shop.orders.ship(parcel(sale, {sale.lines[0]: 2, sale.lines[1]: 3}))
    items = (await shop.orders.get(sale.id)).items
    assert refused.value.excesses == (
        Excess(sale.lines[0], items[0].sku, 2, 1),
        Excess(sale.lines[1], items[1].sku, 3, 1),
    )
    assert len((await shop.orders.get(sale.id)).shipments) == 1
    await shop.orders.ship(parcel(sale))
    with pytest.raises(OrderStateError, match="nothing left to be sent"):
        await shop.orders.ship(parcel(sale))


@pytest.mark.parametrize("status", ["pending", "cancelled", "refunded"])
async def test_only_a_confirmed_order_is_sent(shop: Shop, status: str) -> None:
    sale = await a_sale(shop, 1, status=status)  # type: ignore[arg-type]
    with pytest.raises(OrderStateError, match=f"is {status}"):
        await shop.orders.ship(parcel(sale))


async def test_what_is_not_there_is_named(shop: Shop) -> None:
    sale, other = await a_sale(shop, 1), await a_sale(shop, 1)
    with pytest.raises(NotFoundError, match="no such line of order"):
        await shop.orders.ship(parcel(sale, {other.lines[0]: 1}))
    nobody = OrderId(uuid4())
    with pytest.raises(NotFoundError, match=f"no such order: {nobody}"):
        await shop.orders.ship(Parcel(order_id=nobody, carrier="DHL"))
    with pytest.raises(NotFoundError, match="no such user"):
        await shop.orders.ship(parcel(sale), actor=UserId(uuid4()))
    with pytest.raises(NotFoundError, match="no such shipment"):
        await shop.orders.mark_delivered(ShipmentId(uuid4()))
    assert (await shop.orders.get(sale.id)).status == "confirmed"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("lines", {"lines": {}}),
        ("lines", {"lines": {uuid4(): 0}}),
        ("carrier", {"carrier": ""}),
        ("carrier", {"carrier": "x" * 101}),
        ("tracking_number", {"tracking_number": "\0"}),
        ("idempotency_key", {"idempotency_key": ""}),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    shop: Shop, field: str, changes: dict[str, object]
) -> None:
    given = msgspec.structs.replace(Parcel(order_id=OrderId(uuid4()), carrier="DHL"), **changes)
    with pytest.raises(InvalidInputError, match=field):
        await shop.orders.ship(given)


async def test_a_repeated_request_sends_once(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    one = parcel(sale, {sale.lines[0]: 1}, key="box")
    sent = await asyncio.gather(*(shop.orders.ship(one) for _ in range(8)))
    assert len(set(sent)) == 1
    assert (await shop.orders.get(sale.id)).items[0].fulfilled_quantity == 1
    with pytest.raises(IdempotencyKeyTakenError, match="another parcel"):
        await shop.orders.ship(parcel(sale, {sale.lines[0]: 2}, key="box"))
    # Keys are an order's own.
    other = await a_sale(shop, 2)
    assert await shop.orders.ship(parcel(other, key="box")) not in sent
    # All that was left then; now it is nothing.
    rest = await shop.orders.ship(parcel(sale, key="rest"))
    assert await shop.orders.ship(parcel(sale, key="rest")) == rest


async def test_the_last_piece_is_sent_by_one_of_many(shop: Shop) -> None:
    sale = await a_sale(shop, 3)
    calls = [shop.orders.ship(parcel(sale, {sale.lines[0]: 1})) for _ in range(12)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 3
    assert {type(each) for each in done if isinstance(each, BaseException)} <= {
        LineQuantityError,
        OrderStateError,
    }
    found = await shop.orders.get(sale.id)
    assert (found.items[0].fulfilled_quantity, found.status) == (3, "shipped")


async def test_a_parcel_waits_for_the_cancellation_and_is_not_sent(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("UPDATE orders SET status = 'cancelled'")
        shipping = asyncio.create_task(shop.orders.ship(parcel(sale)))
        await waiting(shop, 1)
    with pytest.raises(OrderStateError, match="is cancelled"):
        await shipping
    assert await stock(shop, sale.products[0]) == 10
    assert (await shop.orders.get(sale.id)).shipments == ()


async def test_cancelling_and_sending_at_once_one_of_them_wins(shop: Shop) -> None:
    for number in range(10):
        sale = await a_sale(shop, 2)
        calls = [shop.orders.ship(parcel(sale)), shop.orders.cancel(sale.id)]
        if number % 2:
            calls.reverse()
        done = await asyncio.gather(*calls, return_exceptions=True)
        (refused,) = [each for each in done if isinstance(each, BaseException)]
        assert isinstance(refused, OrderStateError)
        found = await shop.orders.get(sale.id)
        sent = found.items[0].fulfilled_quantity
        assert (found.status, sent) in {("shipped", 2), ("cancelled", 0)}
        assert await stock(shop, sale.products[0]) == 10 - sent


async def test_tracking_is_changed_and_what_is_not_given_stays(shop: Shop) -> None:
    sale = await a_sale(shop, 1)
    shipment_id = await shop.orders.ship(parcel(sale))
    await shop.orders.update_tracking(
        shipment_id, Tracking(tracking_number="1Z", estimated_delivery=date(2027, 1, 1))
    )
    await shop.orders.update_tracking(shipment_id, Tracking(carrier="UPS", in_transit=True))
    shipment = (await shop.orders.get(sale.id)).shipments[0]
    assert (shipment.carrier, shipment.tracking_number) == ("UPS", "1Z")
    assert (shipment.status, shipment.estimated_delivery) == ("in_transit", date(2027, 1, 1))
    await shop.orders.mark_delivered(shipment_id)
    with pytest.raises(OrderStateError, match="is delivered"):
        await shop.orders.update_tracking(shipment_id, Tracking(in_transit=True))
    with pytest.raises(InvalidInputError, match="tracking_number"):
        await shop.orders.update_tracking(shipment_id, Tracking(tracking_number=""))


async def test_a_lost_parcel_is_not_delivered_and_was_sent_all_the_same(shop: Shop) -> None:
    sale = await a_sale(shop, 1, 1)
    first = await shop.orders.ship(parcel(sale, {sale.lines[0]: 1}))
    second = await shop.orders.ship(parcel(sale))
    await shop.orders.mark_delivered(first)
    await shop.orders.mark_lost(second)
    await shop.orders.mark_lost(second)
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("shipped", "fulfilled")
    with pytest.raises(OrderStateError, match="is lost, and cannot be delivered"):
        await shop.orders.mark_delivered(second)
    with pytest.raises(OrderStateError, match="is delivered, and cannot be lost"):
        await shop.orders.mark_lost(first)
    with pytest.raises(InvalidInputError, match="time zone"):
        await shop.orders.mark_delivered(first, at=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_orders_of_before_lines_were_kept_can_be_sent(shop: Shop) -> None:
    """A parcel without lines sends nothing, so that lines may follow."""
    sale = await a_sale(shop, 1, status="processing")
    await run(shop, "UPDATE orders SET status = 'shipped'")
    await shop.orders.ship(parcel(sale))
    assert (await shop.orders.get(sale.id)).fulfillment_status == "fulfilled"
