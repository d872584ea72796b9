"""Bulk changes that meet each other, editors, buyers and crashes."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shopflow import Shop
from shopflow.ids import BulkChangeId
from shopflow.postgres.conninfo import conninfo
from shopflow.products import (
    BulkChange,
    BulkStatusError,
    Draft,
    PriceRule,
    ProductChanges,
    SchedulesOverlapError,
    Selection,
    StockLine,
)
from shopflow.products.writing import update_product
from shopflow.settings import Settings
from tests.catalogue import a_product, a_variant, run
from tests.waiting import waiting

EVERYTHING = Selection(everything=True)
TEN_LESS = PriceRule(step="percent", by=Decimal(-10))


async def a_draft(shop: Shop) -> BulkChangeId:
    preview = await shop.products.bulk.plan(Draft("x"), EVERYTHING, TEN_LESS)
    assert preview.id is not None
    return preview.id


async def prices(shop: Shop) -> list[Decimal]:
    rows = await run(
        shop,
        "SELECT price FROM products UNION ALL SELECT price FROM product_variants ORDER BY price",
    )
    return [price for (price,) in rows]


async def test_several_who_apply_the_same_share_the_work(roomy: Shop) -> None:
    for number in range(20):
        product = await a_product(roomy, price=f"{number + 1}.00")
        await a_variant(roomy, product, price=f"{number + 101}.00")
    before = await prices(roomy)
    change = await a_draft(roomy)
    done = await asyncio.gather(*(roomy.products.bulk.apply(change, batch=3) for _ in range(4)))
    assert {each.status for each in done} == {"done"}
    assert done[0].lines.applied == 40
    # Once each, whoever it was.
    assert await prices(roomy) == [(price * 9 / 10).quantize(Decimal("0.01")) for price in before]
    assert await run(roomy, "SELECT count(*) FROM price_changes") == [(40,)]
    back = await asyncio.gather(*(roomy.products.bulk.undo(change, batch=3) for _ in range(4)))
    assert back[0].lines.undone == 40
    assert await prices(roomy) == before


async def test_an_editor_who_was_first_is_waited_for_and_wins(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    change = await a_draft(shop)
    async with shop.pool.connection() as editor, editor.transaction():
        await update_product(
            editor, mug, ProductChanges(price=Decimal("25.00")), expected_version=None
        )
        applying = asyncio.create_task(shop.products.bulk.apply(change))
        await waiting(shop, 1)
    applied = await applying
    assert (applied.lines.applied, applied.lines.conflict) == (0, 1)
    assert await prices(shop) == [Decimal("25.00")]


async def test_an_editor_who_gives_up_leaves_it_to_the_bulk_change(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    change = await a_draft(shop)
    async with shop.pool.connection() as editor, editor.transaction(force_rollback=True):
        await update_product(
            editor, mug, ProductChanges(price=Decimal("25.00")), expected_version=None
        )
        applying = asyncio.create_task(shop.products.bulk.apply(change))
        await waiting(shop, 1)
    assert (await applying).lines.applied == 1
    assert await prices(shop) == [Decimal("18.00")]


async def test_undoing_waits_for_an_editor_and_keeps_the_change(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    change = await a_draft(shop)
    await shop.products.bulk.apply(change)
    async with shop.pool.connection() as editor, editor.transaction():
        await update_product(
            editor, mug, ProductChanges(price=Decimal("25.00")), expected_version=None
        )
        undoing = asyncio.create_task(shop.products.bulk.undo(change))
        await waiting(shop, 1)
    assert (await undoing).lines.kept == 1
    assert await prices(shop) == [Decimal("25.00")]


async def test_a_sale_of_a_variant_is_waited_for(shop: Shop) -> None:
    product = await a_product(shop, sku="P")
    variant = await a_variant(shop, product, sku="V", stock_quantity=10)
    preview = await shop.products.bulk.plan_lines(Draft("x"), [StockLine(1, "V", 3)])
    assert preview.id is not None
    async with shop.pool.connection() as buyer, buyer.transaction():
        await buyer.execute(
            "INSERT INTO stock_movements (product_id, variant_id, change, reason)"
            " VALUES (%s, %s, -4, 'sale')",
            [product, variant],
        )
        applying = asyncio.create_task(shop.products.bulk.apply(preview.id))
        await waiting(shop, 1)
    # 10 - 4 that were sold - 7 that were too many at the preview is below zero.
    assert (await applying).lines.conflict == 1
    assert await shop.products.stock.check() == []


async def test_reading_waits_for_nobody(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    async with shop.pool.connection() as other, other.transaction():
        await other.execute("UPDATE products SET price = 18 WHERE id = %s", [mug])
        assert (await shop.products.get(mug)).price == Decimal("20.00")
        assert (await shop.products.price_history(mug)).items == ()


class _Interrupted(Exception):  # noqa: N818 no error of ours
    pass


async def interrupted(running: Any) -> None:
    with pytest.raises(_Interrupted):
        await running


async def test_what_was_interrupted_goes_on_where_it_was(shop: Shop) -> None:
    for _ in range(7):
        await a_product(shop, price="20.00")
    change = await a_draft(shop)

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise _Interrupted

    await interrupted(shop.products.bulk.apply(change, batch=2, progress=stop))
    half: BulkChange = await shop.products.bulk.get(change)
    assert (half.status, half.lines.applied, half.lines.pending) == ("running", 4, 3)
    seen: list[tuple[int, int]] = []
    await shop.products.bulk.apply(change, batch=2, progress=lambda *how: seen.append(how))
    assert seen == [(2, 3), (3, 3)]
    assert await prices(shop) == [Decimal("18.00")] * 7

    await interrupted(shop.products.bulk.undo(change, batch=2, progress=stop))
    with pytest.raises(BulkStatusError, match="undoing"):
        await shop.products.bulk.apply(change)
    assert (await shop.products.bulk.undo(change)).lines.undone == 7
    assert await prices(shop) == [Decimal("20.00")] * 7


async def test_what_was_interrupted_can_be_undone(shop: Shop) -> None:
    for _ in range(3):
        await a_product(shop, price="20.00")
    change = await a_draft(shop)

    def stop(done: int, total: int) -> None:
        raise _Interrupted

    await interrupted(shop.products.bulk.apply(change, batch=1, progress=stop))
    undone = await shop.products.bulk.undo(change)
    assert (undone.status, undone.lines.undone, undone.lines.pending) == ("undone", 1, 2)
    assert await prices(shop) == [Decimal("20.00")] * 3


async def test_a_connection_that_dies_in_a_batch_leaves_all_of_it_or_nothing(
    shop: Shop, settings: Settings
) -> None:
    """The session that applies is killed while it waits in the middle of a batch."""
    products = [await a_product(shop, price="20.00") for _ in range(4)]
    change = await a_draft(shop)
    async with (
        await psycopg.AsyncConnection.connect(conninfo(settings)) as editor,
        editor.transaction(force_rollback=True),
    ):
        # The first batch goes through, the second one waits for the editor.
        await editor.execute("SELECT FROM products WHERE id = %s FOR UPDATE", [products[3]])
        applying = asyncio.create_task(shop.products.bulk.apply(change, batch=2))
        await waiting(shop, 1)
        half = await shop.products.bulk.get(change)
        assert (half.lines.applied, half.lines.pending) == (2, 2)
        assert len(await run(shop, "SELECT FROM price_changes")) == 2
        await run(
            shop,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0",
        )
        # What was not committed is tried again on another connection.
        await waiting(shop, 1)
        applying.cancel()
        await asyncio.gather(applying, return_exceptions=True)
    assert (await shop.products.bulk.get(change)).lines.applied == 2
    done = await shop.products.bulk.apply(change, batch=2)
    assert (done.status, done.lines.applied) == ("done", 4)
    assert await prices(shop) == [Decimal("18.00")] * 4
    assert len(await run(shop, "SELECT FROM price_changes")) == 4


async def test_of_two_schedules_at_once_one_is_refused(shop: Shop) -> None:
    await a_product(shop)
    drafts = [await a_draft(shop), await a_draft(shop)]
    starts_at = datetime.now(UTC) + timedelta(hours=1)
    async with shop.pool.connection() as first, first.transaction():
        await first.execute(
            "UPDATE bulk_changes SET status = 'scheduled', starts_at = %s WHERE id = %s",
            [starts_at, drafts[0]],
        )
        second = asyncio.create_task(shop.products.bulk.schedule(drafts[1], starts_at))
        await waiting(shop, 1)
    with pytest.raises(SchedulesOverlapError):
        await second


async def test_a_draft_that_gets_lines_is_not_begun_before_they_are_there(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    other = await a_product(shop, price="20.00")
    preview = await shop.products.bulk.plan(Draft("x"), Selection(product_ids=(mug,)), TEN_LESS)
    assert preview.id is not None
    async with shop.pool.connection() as adding, adding.transaction():
        await adding.execute(
            "INSERT INTO bulk_change_lines"
            " (bulk_change_id, position, kind, product_id, old_price, new_price)"
            " VALUES (%s, 2, 'price', %s, 20, 5)",
            [preview.id, other],
        )
        applying = asyncio.create_task(shop.products.bulk.apply(preview.id))
        await waiting(shop, 1)
    assert (await applying).lines.applied == 2
    assert await prices(shop) == [Decimal("5.00"), Decimal("18.00")]
