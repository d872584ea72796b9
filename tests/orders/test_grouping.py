"""Who goes together in a group, and that nobody in it is harmed by another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest
from psycopg import AsyncConnection
from psycopg.errors import RaiseException

import shopflow
from shopflow import (
    CommitOutcomeUnknownError,
    NotFoundError,
    PoolTimeoutError,
    Shop,
    TransactionConflictError,
    TransactionError,
)
from shopflow.ids import CartId, ProductId
from shopflow.orders import grouping
from shopflow.orders.errors import (
    EmptyCartError,
    IdempotencyKeyTakenError,
    OutOfStockError,
    PriceChangedError,
)
from shopflow.orders.grouping import GROUPS_UNDER_WAY, LARGEST_GROUP
from shopflow.orders.models import PlacedOrder
from shopflow.orders.taxes import Sale, TableTaxes, Taxation
from shopflow.postgres.queries import timings
from shopflow.postgres.transactions import run_transaction
from shopflow.settings import Settings
from tests.catalogue import a_product, run
from tests.orders.conftest import Filled, order
from tests.waiting import waiting


def written() -> int:
    return timings()["place_orders"].executions if "place_orders" in timings() else 0


@asynccontextmanager
async def held_up(shop: Shop, filled: Filled) -> AsyncIterator[list[asyncio.Task[PlacedOrder]]]:
    """As many groups under way as there may be; they wait for a product until the block ends."""
    blocked = [await a_product(shop) for _ in range(GROUPS_UNDER_WAY)]
    carts = [await filled((product_id, None, 1)) for product_id in blocked]
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM products WHERE id = ANY(%s) FOR UPDATE", [blocked])
        under_way = []
        for cart_id in carts:
            under_way.append(asyncio.create_task(shop.orders.place(order(cart_id))))
            await waiting(shop, len(under_way))
        yield under_way
    await asyncio.gather(*under_way)


async def many(filled: Filled, product_id: ProductId, callers: int) -> list[CartId]:
    return [await filled((product_id, None, 1)) for _ in range(callers)]


async def test_who_comes_alone_goes_at_once_and_alone(shop: Shop, filled: Filled) -> None:
    carts = await many(filled, await a_product(shop), 3)
    before = written()
    for cart_id in carts:
        await shop.orders.place(order(cart_id))
    assert written() - before == 3


async def test_who_waits_goes_together(shop: Shop, filled: Filled) -> None:
    carts = await many(filled, await a_product(shop, stock_quantity=100), 10)
    before = written()
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(order(cart_id))) for cart_id in carts]
        await asyncio.sleep(0)
    placed = await asyncio.gather(*placing)
    assert len({each.id for each in placed}) == 10
    assert written() - before == GROUPS_UNDER_WAY + 1
    # One transaction.
    assert len({each.placed_at for each in placed}) == 1


async def test_a_group_is_bounded(shop: Shop, filled: Filled) -> None:
    carts = await many(filled, await a_product(shop, stock_quantity=100), LARGEST_GROUP + 1)
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(order(cart_id))) for cart_id in carts]
        await asyncio.sleep(0)
    placed = await asyncio.gather(*placing)
    times = [each.placed_at for each in placed]
    assert times.count(times[0]) == LARGEST_GROUP
    assert times[-1] != times[0]


async def test_first_come_first_served(shop: Shop, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=5)
    carts = [await filled((product_id, None, n)) for n in (2, 2, 2, 1, 1)]
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(order(cart_id))) for cart_id in carts]
        await asyncio.sleep(0)
    done = await asyncio.gather(*placing, return_exceptions=True)
    assert [isinstance(each, PlacedOrder) for each in done] == [True, True, False, True, False]
    (third, fifth) = (each for each in done if not isinstance(each, PlacedOrder))
    assert isinstance(third, OutOfStockError)
    assert isinstance(fifth, OutOfStockError)
    assert [(s.wanted, s.available) for s in third.shortages] == [(2, 1)]
    assert [(s.wanted, s.available) for s in fifth.shortages] == [(1, 0)]


async def test_each_has_its_own_order_or_its_own_error(shop: Shop, filled: Filled) -> None:
    product_id = await a_product(shop, stock_quantity=20)
    scarce = await a_product(shop, stock_quantity=1)
    key = (
        await shop.orders.place(order(await filled((product_id, None, 1)), idempotency_key="k"))
    ).id
    checkouts = [
        order(await filled((product_id, None, 2))),
        order(await filled()),
        order(await filled((product_id, None, 1), (scarce, None, 2))),
        order(CartId(key)),
        order(await filled((product_id, None, 1)), idempotency_key="k"),
        order(await filled((product_id, None, 1)), expected_total=Decimal("19.99")),
        order(await filled((product_id, None, 3), (scarce, None, 1))),
    ]
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(each)) for each in checkouts]
        await asyncio.sleep(0)
    done = await asyncio.gather(*placing, return_exceptions=True)
    assert [type(each) for each in done] == [
        PlacedOrder,
        EmptyCartError,
        OutOfStockError,
        NotFoundError,
        IdempotencyKeyTakenError,
        PriceChangedError,
        PlacedOrder,
    ]
    assert await run(
        shop,
        "SELECT stock_quantity FROM products WHERE id = ANY(%(ids)s) ORDER BY id",
        ids=[product_id, scarce],
    ) == [(14,), (0,)]


async def test_a_group_that_fails_as_a_whole_is_tried_one_by_one(
    shop: Shop, filled: Filled
) -> None:
    await run(
        shop,
        "CREATE FUNCTION refuse_thirteen() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'not thirteen'; END $$",
    )
    await run(
        shop,
        "CREATE TRIGGER refuse_thirteen BEFORE INSERT ON order_items FOR EACH ROW"
        " WHEN (NEW.quantity = 13) EXECUTE FUNCTION refuse_thirteen()",
    )
    product_id = await a_product(shop, stock_quantity=100)
    carts = [await filled((product_id, None, n)) for n in (1, 13, 2)]
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(order(cart_id))) for cart_id in carts]
        await asyncio.sleep(0)
    done = await asyncio.gather(*placing, return_exceptions=True)
    assert [type(each) for each in done] == [PlacedOrder, RaiseException, PlacedOrder]
    stock = "SELECT stock_quantity FROM products WHERE id = %(id)s"
    assert await run(shop, stock, id=product_id) == [(97,)]
    assert await run(shop, "SELECT quantity FROM cart_items") == [(13,)]


async def test_nobody_waits_for_the_cart_of_another(
    shop: Shop, filled: Filled, connection: AsyncConnection
) -> None:
    slow, *quick = await many(filled, await a_product(shop), 4)
    await connection.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", [slow])
    async with held_up(shop, filled):
        placing = [asyncio.create_task(shop.orders.place(order(each))) for each in (slow, *quick)]
        await asyncio.sleep(0)
    await asyncio.gather(*placing[1:])
    await waiting(shop, 1)
    assert not placing[0].done()
    await connection.rollback()
    assert (await placing[0]).status == "pending"


async def test_a_cart_that_stays_held_is_given_up(
    settings: Settings, filled: Filled, shop: Shop, connection: AsyncConnection
) -> None:
    cart_id = await filled((await a_product(shop), None, 1))
    await connection.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", [cart_id])
    hasty = msgspec.structs.replace(settings, lock_timeout=0.05)
    async with shopflow.open(hasty) as other:
        with pytest.raises(TransactionConflictError):
            await other.orders.place(order(cart_id))
    assert await run(shop, "SELECT FROM orders") == []


async def test_a_caller_that_is_cancelled_before_it_left_orders_nothing(
    shop: Shop, filled: Filled
) -> None:
    mine, others = await many(filled, await a_product(shop), 2)
    checkout = order(mine)
    async with held_up(shop, filled):
        gone = asyncio.create_task(shop.orders.place(checkout))
        stays = asyncio.create_task(shop.orders.place(order(others)))
        await asyncio.sleep(0)
        gone.cancel()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
    by_key = "SELECT FROM orders WHERE idempotency_key = %(key)s"
    assert await run(shop, by_key, key=checkout.idempotency_key) == []


async def test_a_caller_that_is_cancelled_later_harms_nobody_and_finds_its_order(
    shop: Shop, filled: Filled
) -> None:
    product_id = await a_product(shop)
    mine, others = await many(filled, product_id, 2)
    checkout = order(mine)
    async with shop.pool.connection() as holder, holder.transaction():
        async with held_up(shop, filled):
            await holder.execute("SELECT FROM products WHERE id = %s FOR UPDATE", [product_id])
            gone = asyncio.create_task(shop.orders.place(checkout))
            stays = asyncio.create_task(shop.orders.place(order(others)))
            await asyncio.sleep(0)
        # Both are in one group now, which waits for the product.
        await waiting(shop, 1)
        gone.cancel()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
    stock = "SELECT stock_quantity FROM products WHERE id = %(id)s"
    assert await run(shop, stock, id=product_id) == [(8,)]
    assert (await shop.orders.place(checkout)).status == "pending"
    assert await run(shop, stock, id=product_id) == [(8,)]


async def test_a_second_checkout_of_a_cart_waits_for_the_next_group(
    shop: Shop, filled: Filled
) -> None:
    cart_id, other = await many(filled, await a_product(shop), 2)
    async with held_up(shop, filled):
        placing = [
            asyncio.create_task(shop.orders.place(order(each)))
            for each in (cart_id, cart_id, other)
        ]
        await asyncio.sleep(0)
    first, second, third = await asyncio.gather(*placing, return_exceptions=True)
    assert isinstance(first, PlacedOrder)
    assert isinstance(second, EmptyCartError)
    assert isinstance(third, PlacedOrder)


async def test_prices_that_change_in_between_are_read_again(
    shop: Shop, filled: Filled, connection: AsyncConnection
) -> None:
    product_id = await a_product(shop, price="20.00")
    cart_id = await filled((product_id, None, 1))
    # Priced at 20, it waits for the product, which costs 25 when it has it.
    await connection.execute("UPDATE products SET price = 25 WHERE id = %s", [product_id])
    placing = asyncio.create_task(shop.orders.place(order(cart_id)))
    await waiting(shop, 1)
    await connection.commit()
    assert (await placing).total_amount == Decimal("25.00")


async def test_a_total_that_was_expected_holds_in_between(
    shop: Shop, filled: Filled, connection: AsyncConnection
) -> None:
    product_id = await a_product(shop, price="20.00")
    cart_id = await filled((product_id, None, 1))
    await connection.execute("UPDATE products SET price = 25 WHERE id = %s", [product_id])
    placing = asyncio.create_task(
        shop.orders.place(order(cart_id, expected_total=Decimal("20.00")))
    )
    await waiting(shop, 1)
    await connection.commit()
    with pytest.raises(PriceChangedError) as refused:
        await placing
    (change,) = refused.value.price_changes
    assert (change.cart_price, change.unit_price) == (Decimal("20.00"), Decimal("25.00"))
    assert await run(shop, "SELECT FROM orders") == []


async def test_nobody_is_forgotten_who_comes_as_the_last_group_ends(
    shop: Shop, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "GROUPS_UNDER_WAY", 1)
    carts = iter(await many(filled, await a_product(shop, stock_quantity=1000), 80))

    async def caller() -> None:
        for cart_id in carts:
            await shop.orders.place(order(cart_id))

    async with asyncio.timeout(30):
        await asyncio.gather(*(caller() for _ in range(8)))
    assert await run(shop, "SELECT count(*) FROM orders") == [(80,)]


class _Cancelled(TableTaxes):
    """Asks a tax service whose first answer is cancelled."""

    def __init__(self) -> None:
        self.asked, self.cancelled = asyncio.Event(), asyncio.Event()

    async def taxes_of(self, sales: Sequence[Sale]) -> Sequence[Taxation]:
        if not self.asked.is_set():
            self.asked.set()
            await self.cancelled.wait()
            raise asyncio.CancelledError
        return await super().taxes_of(sales)


async def test_a_group_that_is_cancelled_leaves_nobody_waiting(
    settings: Settings, filled: Filled, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "GROUPS_UNDER_WAY", 1)
    mine, others = [order(each) for each in await many(filled, await a_product(shop), 2)]
    taxes = _Cancelled()
    async with asyncio.timeout(10), shopflow.open(settings, taxes=taxes) as other:
        placing = asyncio.create_task(other.orders.place(mine))
        await taxes.asked.wait()
        behind = asyncio.create_task(other.orders.place(others))
        await asyncio.sleep(0)
        taxes.cancelled.set()
        with pytest.raises(CommitOutcomeUnknownError):
            await placing
        assert (await behind).status == "pending"
        assert (await other.orders.place(mine)).status == "pending"


async def test_a_product_that_is_held_holds_up_its_own_buyers_alone(
    shop: Shop, filled: Filled, connection: AsyncConnection
) -> None:
    held, free = await a_product(shop), await a_product(shop, stock_quantity=100)
    stuck, others = await many(filled, held, 4), await many(filled, free, 8)
    await connection.execute("SELECT FROM products WHERE id = %s FOR UPDATE", [held])
    carts = [cart for pair in zip(stuck, others[:4], strict=True) for cart in pair] + others[4:]
    waiters = [asyncio.create_task(shop.orders.place(order(cart))) for cart in carts]
    async with asyncio.timeout(4):
        # Less than the five seconds that one of the stuck may wait for its lock.
        done = await asyncio.gather(*waiters[1:8:2], *waiters[8:])
    assert {each.status for each in done} == {"pending"}
    await connection.rollback()
    assert {each.status for each in await asyncio.gather(*waiters[:8:2])} == {"pending"}


async def test_inside_a_transaction_it_is_refused(shop: Shop, filled: Filled) -> None:
    checkout = order(await filled((await a_product(shop), None, 1)))

    async def work(_connection: AsyncConnection) -> None:
        await shop.orders.place(checkout)

    with pytest.raises(TransactionError, match="already in a transaction"):
        await run_transaction(shop.pool, work)
    assert await run(shop, "SELECT FROM orders") == []


async def test_without_a_connection_each_is_told(
    settings: Settings, filled: Filled, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    carts = await many(filled, await a_product(shop), 3)
    small = msgspec.structs.replace(settings, pool_max_size=1)
    # For those alone who wait: a slow machine may take longer to open a connection.
    hasty = msgspec.structs.replace(small, pool_timeout=0.05)
    async with shopflow.open(small) as other:
        async with other.pool.connection():
            monkeypatch.setattr(other.pool, "settings", hasty)
            done = await asyncio.gather(
                *(other.orders.place(order(each)) for each in carts), return_exceptions=True
            )
        assert [type(each) for each in done] == [PoolTimeoutError] * 3
        monkeypatch.undo()
        assert (await other.orders.place(order(carts[0]))).status == "pending"


async def test_closing_the_shop_waits_for_the_orders_under_way(
    settings: Settings, filled: Filled, shop: Shop, connection: AsyncConnection
) -> None:
    product_id = await a_product(shop)
    cart_id = await filled((product_id, None, 1))
    await connection.execute("SELECT FROM products FOR UPDATE")

    waits = asyncio.Event()

    async def program() -> asyncio.Task[PlacedOrder]:
        async with shopflow.open(settings) as other:
            placing = asyncio.create_task(other.orders.place(order(cart_id)))
            await waiting(shop, 1)
            waits.set()
        return placing

    closing = asyncio.create_task(program())
    await waits.wait()
    assert not closing.done()
    await connection.rollback()
    assert (await (await closing)).status == "pending"
