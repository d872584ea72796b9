"""Stock: every change is a movement, callers add up, and what does not add up is found."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import ProductId, UserId, VariantId
from shopflow.orders.errors import OutOfStockError
from shopflow.postgres.conninfo import conninfo
from shopflow.products.errors import InsufficientStockError
from shopflow.products.stock_models import Movement, StockChange
from shopflow.products.stock_reading import check_stock
from shopflow.settings import Settings
from tests.catalogue import a_product, a_user, a_variant, run
from tests.orders.conftest import order
from tests.postgres.test_roles import as_superuser
from tests.products.conftest import CALLERS
from tests.waiting import waiting

NOBODY = UUID(int=0)


async def test_a_stock_is_set_and_adjusted_with_its_reason(shop: Shop) -> None:
    product_id, actor = await a_product(shop), await a_user(shop)
    changed = await shop.products.stock.set(
        product_id, quantity=4, notes="counted on Friday", actor=actor
    )
    assert (changed.before, changed.after) == (10, 4)
    returned = await shop.products.stock.adjust(product_id, change=2, reason="return")
    assert (returned.before, returned.after) == (4, 6)
    taken = await shop.products.stock.adjust(product_id, change=-6)
    assert (taken.before, taken.after) == (6, 0)
    assert (await shop.products.get(product_id)).stock_quantity == 0
    found = (await shop.products.stock.movements(product_id)).items
    assert [(m.change, m.reason, m.notes, m.created_by) for m in found] == [
        (-6, "correction", None, None),
        (2, "return", None, None),
        (-6, "correction", "counted on Friday", actor),
        (10, "initial", None, None),
    ]
    assert [m.id for m in found[:3]] == [
        taken.movement_id,
        returned.movement_id,
        changed.movement_id,
    ]
    assert await shop.products.stock.check() == []


async def test_a_stock_that_is_right_already_is_no_movement(shop: Shop) -> None:
    product_id = await a_product(shop)
    changed = await shop.products.stock.set(product_id, quantity=10)
    assert (changed.before, changed.after, changed.movement_id) == (10, 10, None)
    assert len((await shop.products.stock.movements(product_id)).items) == 1


async def test_a_variant_has_a_stock_of_its_own(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=0)
    small, large = [await a_variant(shop, product_id) for _ in range(2)]
    await shop.products.stock.set(product_id, small, quantity=3)
    await shop.products.stock.adjust(product_id, large, change=5)
    assert (await shop.products.get(product_id)).stock_quantity == 18
    with pytest.raises(InvalidInputError, match="variant_id: must be given"):
        await shop.products.stock.adjust(product_id, change=1)
    other = await a_product(shop)
    with pytest.raises(NotFoundError, match=f"no such variant of product {other}: {small}"):
        await shop.products.stock.adjust(other, small, change=1)
    assert await shop.products.stock.check() == []


async def test_what_is_not_there_cannot_be_taken(shop: Shop) -> None:
    product_id = await a_product(shop)
    with pytest.raises(InsufficientStockError) as refused:
        await shop.products.stock.adjust(product_id, change=-11)
    assert (refused.value.available, refused.value.change) == (10, -11)
    assert (refused.value.product_id, refused.value.variant_id) == (product_id, None)
    assert len((await shop.products.stock.movements(product_id)).items) == 1


async def test_what_cannot_be_is_refused(shop: Shop) -> None:
    product_id = await a_product(shop)
    stock = shop.products.stock
    for quantity in (-1, 100_000_001):
        with pytest.raises(InvalidInputError, match="quantity: must be from 0"):
            await stock.set(product_id, quantity=quantity)
    for change in (0, 100_000_001):
        with pytest.raises(InvalidInputError, match="change: must"):
            await stock.adjust(product_id, change=change)
    with pytest.raises(InvalidInputError, match="with the 10 in stock it is above"):
        await stock.adjust(product_id, change=100_000_000)
    with pytest.raises(InvalidInputError, match="reason: must be one of correction"):
        await stock.set(product_id, quantity=1, reason="sale")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="notes"):
        await stock.set(product_id, quantity=1, notes="\0")
    with pytest.raises(NotFoundError, match="no such user"):
        await stock.set(product_id, quantity=1, actor=UserId(NOBODY))
    with pytest.raises(NotFoundError, match="no such product"):
        await stock.set(ProductId(NOBODY), quantity=1)
    with pytest.raises(NotFoundError, match="no such variant"):
        await stock.set(product_id, VariantId(NOBODY), quantity=1)
    assert (await shop.products.get(product_id)).stock_quantity == 10


@pytest.mark.parametrize("variants", [False, True])
async def test_many_who_adjust_at_once_add_up(roomy: Shop, *, variants: bool) -> None:
    product_id = await a_product(roomy, stock_quantity=10)
    variant_id = await a_variant(roomy, product_id, stock_quantity=10) if variants else None
    changes = [1, 2, -1, 3] * (CALLERS // 4)
    done = await asyncio.gather(
        *(roomy.products.stock.adjust(product_id, variant_id, change=n) for n in changes)
    )
    total = 10 + sum(changes)
    assert (await roomy.products.get(product_id)).stock_quantity == total
    # Each saw what the one before it had left.
    ends = sorted([(each.before, each.after) for each in done])
    assert sum(after - before for before, after in ends) == sum(changes)
    assert await roomy.products.stock.check() == []


async def test_many_who_take_at_once_never_go_below_zero(roomy: Shop) -> None:
    product_id = await a_product(roomy, stock_quantity=20)
    done = await asyncio.gather(
        *(roomy.products.stock.adjust(product_id, change=-2) for _ in range(CALLERS)),
        return_exceptions=True,
    )
    refused = [each for each in done if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {InsufficientStockError}
    assert len(refused) == CALLERS - 10
    assert (await roomy.products.get(product_id)).stock_quantity == 0


async def test_a_stock_set_during_a_checkout_counts_what_was_sold(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    cart_id = await shop.carts.open(session_id="guest")
    await shop.carts.add(cart_id, product_id, quantity=3)
    async with shop.pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM products FOR UPDATE")
        placing = asyncio.create_task(shop.orders.place(order(cart_id)))
        await waiting(shop, 1)
        setting = asyncio.create_task(shop.products.stock.set(product_id, quantity=50))
        await waiting(shop, 2)
    await placing
    # Which of the two is first is the server's choice; neither loses the other.
    assert (await setting).before in (7, 10)
    expected = {7: 50, 10: 47}[(await setting).before]
    assert (await shop.products.get(product_id)).stock_quantity == expected
    assert await shop.products.stock.check() == []


async def test_stock_set_and_sold_by_many_adds_up(roomy: Shop) -> None:
    product_id = await a_product(roomy, stock_quantity=100)
    carts = []
    for number in range(8):
        cart_id = await roomy.carts.open(session_id=f"guest-{number}")
        await roomy.carts.add(cart_id, product_id, quantity=2)
        carts.append(cart_id)
    done = await asyncio.gather(
        *(roomy.orders.place(order(cart_id)) for cart_id in carts),
        *(roomy.products.stock.set(product_id, quantity=n) for n in (5, 40, 3, 60)),
        *(roomy.products.stock.adjust(product_id, change=1) for _ in range(8)),
        return_exceptions=True,
    )
    assert {type(each) for each in done if isinstance(each, BaseException)} <= {OutOfStockError}
    assert await roomy.products.stock.check() == []
    by_hand = sum(each.after - each.before for each in done if isinstance(each, StockChange))
    ((ordered,),) = await run(roomy, "SELECT coalesce(sum(quantity), 0) FROM order_items")
    left = (await roomy.products.get(product_id)).stock_quantity
    assert left == 100 + by_hand - ordered


async def test_movements_come_in_pages_that_miss_nothing(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=1)
    small, large = [await a_variant(shop, product_id) for _ in range(2)]
    for number in range(1, 6):
        await shop.products.stock.adjust(product_id, small, change=number)
        await shop.products.stock.adjust(product_id, large, change=number)
    # Several at the very same time.
    await run(
        shop,
        "INSERT INTO stock_movements (product_id, variant_id, change, reason)"
        " SELECT product_id, id, n, 'correction' FROM product_variants, generate_series(1, 3) AS n",
    )
    for variant_id, count in ((None, 20), (small, 9)):
        seen: list[Movement] = []
        cursor, pages = None, 0
        while True:
            page = await shop.products.stock.movements(
                product_id, variant_id, limit=3, cursor=cursor
            )
            seen += page.items
            pages += 1
            if page.next is None:
                break
            cursor = page.next
        assert (len(seen), len({m.id for m in seen}), pages) == (count, count, -(-count // 3))
        assert seen == sorted(seen, key=lambda m: (m.created_at, m.id), reverse=True)
        assert {m.variant_id for m in seen} == ({None, small, large} if count == 20 else {small})


@pytest.mark.parametrize("cursor", ["", "x", "WyJuZXdlc3QiXQ", "💥", "bnVsbA"])
async def test_what_is_no_cursor_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(InvalidInputError, match="cursor"):
        await shop.products.stock.movements(ProductId(NOBODY), cursor=cursor)
    for limit in (0, 101):
        with pytest.raises(InvalidInputError, match="limit"):
            await shop.products.stock.movements(ProductId(NOBODY), limit=limit)


async def test_what_runs_low_is_listed_least_first(shop: Shop) -> None:
    few = await a_product(shop, stock_quantity=2)
    await a_product(shop, stock_quantity=6)
    await a_product(shop, stock_quantity=0, is_active=False)
    await a_product(shop, stock_quantity=0, track_inventory=False)
    await run(
        shop,
        "UPDATE products SET deleted_at = now() WHERE id = %(id)s",
        id=await a_product(shop, stock_quantity=0),
    )
    sized = await a_product(shop, stock_quantity=0)
    none = await a_variant(shop, sized, stock_quantity=0)
    await a_variant(shop, sized, stock_quantity=1, is_active=False)
    some = await a_variant(shop, sized, stock_quantity=5)
    listed = [(few, None, 2), (sized, none, 0), (sized, some, 5)]
    seen: list[object] = []
    cursor = None
    for _ in range(3):
        page = await shop.products.stock.low(limit=1, cursor=cursor)
        seen += [(low.product_id, low.variant_id, low.stock_quantity) for low in page.items]
        cursor = page.next
    assert cursor is None
    assert seen == [listed[1], listed[0], listed[2]]
    assert [low.variant_id for low in (await shop.products.stock.low(0)).items] == [none]
    with pytest.raises(InvalidInputError, match="threshold"):
        await shop.products.stock.low(-1)


async def test_what_does_not_add_up_is_found(shop: Shop, settings: Settings) -> None:
    plain = await a_product(shop, stock_quantity=5, sku="PLAIN")
    sized = await a_product(shop, sku="SIZED")
    variant_id = await a_variant(shop, sized, stock_quantity=4, sku="SIZED-S")
    unaware = await a_product(shop, stock_quantity=0, sku="UNAWARE")
    assert await shop.products.stock.check() == []
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        connection.execute(
            "SELECT set_config('session_replication_role', 'replica', false),"
            " set_config('search_path', %s, false)",
            [settings.search_path],
        )
        connection.execute("UPDATE products SET stock_quantity = 6 WHERE sku = 'PLAIN'")
        connection.execute("UPDATE product_variants SET stock_quantity = 1 WHERE sku = 'SIZED-S'")
        connection.execute(
            "INSERT INTO product_variants (product_id, name, sku, price)"
            " SELECT id, 'V', 'UNAWARE-V', 1 FROM products WHERE sku = 'UNAWARE'"
        )
    found = await shop.products.stock.check()
    assert {(m.rule, m.product_id, m.variant_id, m.sku, m.stock, m.expected) for m in found} == {
        ("product movements", plain, None, "PLAIN", 6, 5),
        ("variant movements", sized, variant_id, "SIZED-S", 1, 4),
        ("sum of variants", sized, None, "SIZED", 4, 1),
        ("sum of variants", unaware, None, "UNAWARE", 0, 0),
    }


async def test_the_check_outlasts_statement_timeout(shop: Shop, settings: Settings) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(settings)) as connection:
        await connection.execute("SET statement_timeout = '1s'")
        await check_stock(connection)
        row = await (await connection.execute("SHOW statement_timeout")).fetchone()
        assert row == ("0",)
        await connection.rollback()
