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
from shopflow.shipping.models import MethodTerms, ZoneTerms
from tests.catalogue import a_category, a_product, a_tax_rate, a_user, run
from tests.orders.conftest import Filled, order
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
        await run(shop, "UPDATE order_items SET tax_included = true")
    amounts = [
        (await shop.orders.return_items(back(sale, (0, 1, True)))).refund_amount for _ in range(3)
    ]
    assert sum(amounts) == Decimal("53.32") if tax_is_added else Decimal("49.99")
    assert max(amounts) - min(amounts) <= Decimal("0.01")


async def test_added_and_contained_tax_in_one_order_come_back_as_they_were_paid(
    shop: Shop, filled: Filled
) -> None:
    """Two of 20.00 with 7 % in the price, two of 20.00 with 19 % on top, and 5.00 for shipping."""
    books = await a_category(shop)
    await a_tax_rate(shop, "0.07", is_inclusive=True, category_id=books)
    await a_tax_rate(shop, "0.19")
    method_id = await shop.shipping.create_method(
        await shop.shipping.create_zone(ZoneTerms(name="Germany", countries=("DE",))),
        MethodTerms(name="Standard", carrier="DHL", price=Decimal(5)),
    )
    book, other = await a_product(shop, category_id=books), await a_product(shop)
    cart_id = await filled((book, None, 2), (other, None, 2))
    placed = await shop.orders.place(order(cart_id, shipping_method_id=method_id))
    assert placed.total_amount == Decimal(40) + Decimal("47.60") + Decimal("5.95")
    found = await shop.orders.get(placed.id)
    lines = {item.product_id: item for item in found.items}
    assert [(lines[each].tax_amount, lines[each].tax_included) for each in (book, other)] == [
        (Decimal("2.62"), True),
        (Decimal("7.60"), False),
    ]
    await shop.orders.mark_paid(placed.id, amount=placed.total_amount, method="transfer")
    await shop.orders.ship(Parcel(order_id=placed.id, carrier="DHL"))
    for product_id, worth in ((book, "20.00"), (other, "23.80"), (book, "20.00"), (other, "23.80")):
        line = ReturnLine(lines[product_id].id, 1, restock=True)
        back = await shop.orders.return_items(ReturnRequest(order_id=placed.id, lines=[line]))
        assert back.refund_amount == Decimal(worth)
        assert [refund.amount for refund in back.refunds] == [Decimal(worth)]
    # Shipping and its tax were paid for.
    refunded = sum(refund.amount for refund in (await shop.orders.get(placed.id)).refunds)
    assert refunded == placed.total_amount - Decimal("5.95")


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
