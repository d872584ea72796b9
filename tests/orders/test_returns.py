"""Goods that come back: never more than was sent, stock where they are sold again, their worth."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest

import shopflow
from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId
from shopflow.orders.errors import Excess, IdempotencyKeyTakenError, LineQuantityError
from shopflow.orders.models import ReturnItem
from shopflow.orders.returns import Returned, ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.settings import Settings
from tests.catalogue import a_user, run
from tests.orders.sales import Sale, a_sale, stock


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    roomy = msgspec.structs.replace(settings, pool_max_size=20)
    async with shopflow.open(roomy) as found:
        yield found


@pytest.fixture
async def sale(shop: Shop) -> Sale:
    """Three and one, sent in one parcel."""
    sold = await a_sale(shop, 3, 1)
    await shop.orders.ship(Parcel(order_id=sold.id, carrier="DHL"))
    return sold


def back(sale: Sale, *lines: tuple[int, int, bool], key: str | None = None) -> ReturnRequest:
    """A return of line number, quantity, restock."""
    return ReturnRequest(
        order_id=sale.id,
        lines=[ReturnLine(sale.lines[n], quantity, restock) for n, quantity, restock in lines],
        reason="too small",
        idempotency_key=key,
    )


async def test_pieces_come_back_and_are_sold_again_or_not(shop: Shop, sale: Sale) -> None:
    actor = await a_user(shop)
    request = back(sale, (0, 1, True), (0, 1, False), (1, 1, True))
    returned = await shop.orders.return_items(request, actor=actor)
    assert returned.refund_amount == Decimal("60.00")
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("shipped", "partially_returned")
    assert [item.returned_quantity for item in found.items] == [2, 1]
    (kept,) = found.returns
    assert (kept.id, kept.refund_amount, kept.reason) == (returned.id, Decimal(60), "too small")
    assert kept.created_by == actor
    assert set(kept.items) == {
        ReturnItem(sale.lines[0], 1, restock=True),
        ReturnItem(sale.lines[0], 1, restock=False),
        ReturnItem(sale.lines[1], 1, restock=True),
    }
    assert [await stock(shop, each) for each in sale.products] == [8, 10]
    moved = await run(
        shop, "SELECT notes, created_by FROM stock_movements WHERE reason = 'return' LIMIT 1"
    )
    assert moved == [("too small", actor)]
    await shop.orders.return_items(back(sale, (0, 1, False)))
    assert (await shop.orders.get(sale.id)).fulfillment_status == "returned"


async def test_lines_that_are_the_same_are_one(shop: Shop, sale: Sale) -> None:
    await shop.orders.return_items(back(sale, (0, 1, True), (0, 2, True)))
    (kept,) = (await shop.orders.get(sale.id)).returns
    assert kept.items == (ReturnItem(sale.lines[0], 3, restock=True),)
    assert await stock(shop, sale.products[0]) == 10


async def test_more_than_was_sent_is_refused_with_every_line(shop: Shop, sale: Sale) -> None:
    await shop.orders.return_items(back(sale, (0, 2, True)))
    with pytest.raises(LineQuantityError) as refused:
        await shop.orders.return_items(back(sale, (0, 1, True), (0, 1, False), (1, 2, True)))
    items = (await shop.orders.get(sale.id)).items
    assert refused.value.excesses == (
        Excess(sale.lines[0], items[0].sku, 2, 1),
        Excess(sale.lines[1], items[1].sku, 2, 1),
    )
    unsent = await a_sale(shop, 1)
    with pytest.raises(LineQuantityError, match="1 wanted, 0 left"):
        await shop.orders.return_items(back(unsent, (0, 1, True)))


@pytest.mark.parametrize("tax_is_added", [True, False])
async def test_the_refunds_of_any_split_add_up_to_the_line(
    shop: Shop, sale: Sale, *, tax_is_added: bool
) -> None:
    """60.00 less 10.01, and 3.33 of tax: on top, or in the price."""
    await run(shop, "UPDATE order_items SET discount_amount = 10.01, tax_amount = 3.33")
    if not tax_is_added:
        await run(shop, "UPDATE orders SET included_tax_amount = 3.33")
    amounts = [
        (await shop.orders.return_items(back(sale, (0, 1, True)))).refund_amount for _ in range(3)
    ]
    assert sum(amounts) == Decimal("53.32") if tax_is_added else Decimal("49.99")
    assert max(amounts) - min(amounts) <= Decimal("0.01")


async def test_a_repeated_request_takes_back_once(shop: Shop, sale: Sale) -> None:
    request = back(sale, (0, 2, True), key="rma-1")
    done = await asyncio.gather(*(shop.orders.return_items(request) for _ in range(8)))
    assert len(set(done)) == 1
    assert await stock(shop, sale.products[0]) == 9
    with pytest.raises(IdempotencyKeyTakenError, match="another return"):
        await shop.orders.return_items(back(sale, (0, 1, True), key="rma-1"))


async def test_the_last_piece_comes_back_once_of_many(shop: Shop, sale: Sale) -> None:
    calls = [shop.orders.return_items(back(sale, (0, 2, True))) for _ in range(6)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, Returned) for each in done) == 1
    assert sum(isinstance(each, LineQuantityError) for each in done) == 5
    assert await stock(shop, sale.products[0]) == 9


async def test_what_a_lost_parcel_had_comes_back_and_the_order_is_delivered(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    first = await shop.orders.ship(
        Parcel(order_id=sale.id, lines={sale.lines[0]: 1}, carrier="DHL")
    )
    second = await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"))
    await shop.orders.mark_delivered(first)
    await shop.orders.mark_lost(second)
    assert (await shop.orders.get(sale.id)).status == "shipped"
    await shop.orders.return_items(back(sale, (0, 1, False)))
    found = await shop.orders.get(sale.id)
    assert (found.status, found.fulfillment_status) == ("delivered", "partially_returned")
    assert await stock(shop, sale.products[0]) == 8


async def test_a_parcel_that_came_back_is_put_into_stock_by_its_return(shop: Shop) -> None:
    sale = await a_sale(shop, 2)
    shipment_id = await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"))
    await shop.orders.mark_returned(shipment_id)
    assert await stock(shop, sale.products[0]) == 8
    await shop.orders.return_items(back(sale, (0, 2, True)))
    assert await stock(shop, sale.products[0]) == 10
    found = await shop.orders.get(sale.id)
    # Nothing was ever delivered.
    assert (found.status, found.fulfillment_status) == ("shipped", "returned")


async def test_what_cannot_be_is_refused_by_name(shop: Shop, sale: Sale) -> None:
    for field, request in (
        ("lines", back(sale)),
        (r"lines\[0\].quantity", back(sale, (0, 0, True))),
        ("reason", msgspec.structs.replace(back(sale, (0, 1, True)), reason="")),
        ("idempotency_key", back(sale, (0, 1, True), key="")),
    ):
        with pytest.raises(InvalidInputError, match=field):
            await shop.orders.return_items(request)
    other = await a_sale(shop, 1)
    with pytest.raises(NotFoundError, match="no such line of order"):
        await shop.orders.return_items(back(Sale(sale.id, other.lines, []), (0, 1, True)))
    with pytest.raises(NotFoundError, match="no such order"):
        await shop.orders.return_items(
            msgspec.structs.replace(back(sale, (0, 1, True)), order_id=OrderId(uuid4()))
        )
