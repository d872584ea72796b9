"""Prices that change and go back by the clock, and schedules that would meet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product as pairs

import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.ids import BulkChangeId, ProductId
from shopflow.products import (
    BulkStatusError,
    Draft,
    PriceRule,
    SchedulesOverlapError,
    Selection,
    StockLine,
)
from shopflow.products.bulk.scheduling import run_due_bulk_changes
from tests.catalogue import a_product, run

NOW = datetime.now(UTC)
EVERYTHING = Selection(everything=True)
# From when until when, in hours from now; None is for ever.
PERIODS: tuple[tuple[float, float | None], ...] = (
    (1, 2),
    (2, 3),
    (1, 4),
    (2, None),
    (1, None),
    (5, None),
    (4, 5),
)


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def until(number: float | None) -> datetime | None:
    return None if number is None else hours(number)


async def a_draft(
    shop: Shop, percent: int = -10, selection: Selection = EVERYTHING
) -> BulkChangeId:
    rule = PriceRule(step="percent", by=Decimal(percent), compare_at="was")
    preview = await shop.products.bulk.plan(Draft(f"{percent} %"), selection, rule)
    assert preview.id is not None
    return preview.id


async def price(shop: Shop, product: ProductId) -> tuple[Decimal, Decimal | None]:
    ((now, was),) = await run(
        shop, "SELECT price, compare_at_price FROM products WHERE id = %(id)s", id=product
    )
    return now, was


async def shift(shop: Shop, by: float) -> None:
    """Let so many hours pass for what is scheduled, whatever its status."""
    async with shop.pool.connection() as connection, connection.transaction():
        await connection.execute("ALTER TABLE bulk_changes DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE bulk_changes SET starts_at = starts_at - %(by)s, ends_at = ends_at - %(by)s",
            {"by": timedelta(hours=by)},
        )
        await connection.execute("ALTER TABLE bulk_changes ENABLE TRIGGER USER")


async def test_a_sale_begins_and_ends_by_the_clock(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    sale = await a_draft(shop)
    scheduled = await shop.products.bulk.schedule(sale, hours(1), hours(3))
    assert (scheduled.status, scheduled.starts_at, scheduled.ends_at) == (
        "scheduled",
        hours(1),
        hours(3),
    )
    assert await run_due_bulk_changes(shop.pool) == 0
    assert await price(shop, mug) == (Decimal("20.00"), None)

    await shift(shop, 2)
    assert await run_due_bulk_changes(shop.pool) == 1
    assert await price(shop, mug) == (Decimal("18.00"), Decimal("20.00"))
    assert (await shop.products.bulk.get(sale)).status == "done"
    assert await run_due_bulk_changes(shop.pool) == 0

    await shift(shop, 2)
    assert await run_due_bulk_changes(shop.pool) == 1
    assert await price(shop, mug) == (Decimal("20.00"), None)
    assert (await shop.products.bulk.get(sale)).status == "undone"
    assert await run_due_bulk_changes(shop.pool) == 0


async def test_a_change_without_end_stays(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    change = await a_draft(shop)
    await shop.products.bulk.schedule(change, hours(-1))
    assert await run_due_bulk_changes(shop.pool) == 1
    assert await run_due_bulk_changes(shop.pool) == 0
    assert (await price(shop, mug))[0] == Decimal("18.00")
    assert (await shop.products.bulk.get(change)).status == "done"


async def test_one_sale_ends_before_the_next_begins(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    first, second = await a_draft(shop, -10), await a_draft(shop, -50)
    await shop.products.bulk.schedule(first, hours(-2), hours(1))
    await shop.products.bulk.schedule(second, hours(1), hours(2))
    await run_due_bulk_changes(shop.pool)
    await shift(shop, 1)
    assert await run_due_bulk_changes(shop.pool) == 2
    assert await price(shop, mug) == (Decimal("10.00"), Decimal("20.00"))


async def test_what_should_have_ended_before_it_began_is_cancelled(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    mug = await a_product(shop, price="20.00")
    sale = await a_draft(shop)
    await shop.products.bulk.schedule(sale, hours(-3), hours(-1))
    assert await run_due_bulk_changes(shop.pool) == 1
    assert (await shop.products.bulk.get(sale)).status == "cancelled"
    assert await price(shop, mug) == (Decimal("20.00"), None)
    assert "is cancelled" in caplog.text


async def test_a_price_that_was_changed_during_the_sale_stays_and_is_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    mug = await a_product(shop, price="20.00")
    sale = await a_draft(shop)
    await shop.products.bulk.schedule(sale, hours(-1), hours(1))
    await run_due_bulk_changes(shop.pool)
    await run(shop, "UPDATE products SET price = 15")
    await shift(shop, 2)
    await run_due_bulk_changes(shop.pool)
    assert (await price(shop, mug))[0] == Decimal("15.00")
    assert (await shop.products.bulk.get(sale)).lines.kept == 1
    assert "1 not undone" in caplog.text


async def test_what_fails_is_logged_and_does_not_hold_up_the_others(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = await a_product(shop, sku="BAD"), await a_product(shop, sku="GOOD")
    for hour, sku in ((-2, "BAD"), (-1, "GOOD")):
        change = await a_draft(shop, selection=Selection(skus=(sku,)))
        await shop.products.bulk.schedule(change, hours(hour))
    await run(
        shop,
        "ALTER TABLE products ADD CONSTRAINT own_rule CHECK (sku <> 'BAD' OR price = 20) NOT VALID",
    )
    assert await run_due_bulk_changes(shop.pool) == 1
    assert "failed to apply" in caplog.text
    assert (await price(shop, good))[0] == Decimal("18.00")
    await run(shop, "ALTER TABLE products DROP CONSTRAINT own_rule")
    assert await run_due_bulk_changes(shop.pool) == 1
    assert (await price(shop, bad))[0] == Decimal("18.00")


async def test_the_worker_goes_on_with_what_was_interrupted(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    sale = await a_draft(shop)
    await shop.products.bulk.schedule(sale, hours(-1), hours(1))
    await run(shop, "UPDATE bulk_changes SET status = 'running'")
    assert await run_due_bulk_changes(shop.pool) == 1
    assert (await price(shop, mug))[0] == Decimal("18.00")
    await run(shop, "UPDATE bulk_changes SET status = 'undoing'")
    assert await run_due_bulk_changes(shop.pool) == 1
    assert (await shop.products.bulk.get(sale)).status == "undone"


async def test_what_was_begun_by_hand_waits_for_its_hand(shop: Shop) -> None:
    await a_product(shop)
    await a_draft(shop)
    await run(shop, "UPDATE bulk_changes SET status = 'running'")
    assert await run_due_bulk_changes(shop.pool) == 0


@pytest.mark.parametrize(("first", "second"), list(pairs(PERIODS, PERIODS)))
async def test_two_schedules_never_meet_in_a_price(
    shop: Shop, first: tuple[float, float | None], second: tuple[float, float | None]
) -> None:
    await a_product(shop, sku="BOTH")
    one, other = await a_draft(shop), await a_draft(shop, -20)
    await shop.products.bulk.schedule(one, hours(first[0]), until(first[1]))
    # An end that is not there is never.
    ends = [end or 99 for _, end in (first, second)]
    meet = first[0] < ends[1] and second[0] < ends[0]
    starts_at, ends_at = hours(second[0]), until(second[1])
    if not meet:
        await shop.products.bulk.schedule(other, starts_at, ends_at)
        return
    with pytest.raises(SchedulesOverlapError, match=str(one)):
        await shop.products.bulk.schedule(other, starts_at, ends_at)
    assert (await shop.products.bulk.get(other)).status == "draft"
    await shop.products.bulk.cancel(one)
    await shop.products.bulk.schedule(other, starts_at, ends_at)


async def test_schedules_of_other_products_may_meet(shop: Shop) -> None:
    await a_product(shop, sku="A")
    await a_product(shop, sku="B")
    for sku in ("A", "B"):
        change = await a_draft(shop, selection=Selection(skus=(sku,)))
        await shop.products.bulk.schedule(change, hours(1), hours(2))


async def test_a_sale_that_is_on_keeps_others_away_until_it_ends(shop: Shop) -> None:
    await a_product(shop)
    sale, other = await a_draft(shop), await a_draft(shop, -20)
    await shop.products.bulk.schedule(sale, hours(-1), hours(2))
    await run_due_bulk_changes(shop.pool)
    with pytest.raises(SchedulesOverlapError):
        await shop.products.bulk.schedule(other, hours(1), hours(3))
    # Made before the sale, so of the price that is there after it.
    await shop.products.bulk.schedule(other, hours(2), hours(3))
    # Made of the sale's price, which will be gone.
    late = await a_draft(shop, -30)
    with pytest.raises(SchedulesOverlapError):
        await shop.products.bulk.schedule(late, hours(4), hours(5))
    await shop.products.bulk.undo(sale)
    assert (await shop.products.bulk.get(other)).status == "scheduled"


async def test_a_schedule_is_changed_and_cancelled_until_it_begins(shop: Shop) -> None:
    mug = await a_product(shop, price="20.00")
    change = await a_draft(shop)
    await shop.products.bulk.schedule(change, hours(1), hours(2))
    moved = await shop.products.bulk.schedule(change, hours(1.5))
    assert (moved.starts_at, moved.ends_at) == (hours(1.5), None)
    await shop.products.bulk.apply(change)
    assert (await price(shop, mug))[0] == Decimal("18.00")
    for refused in (
        shop.products.bulk.schedule(change, hours(1)),
        shop.products.bulk.cancel(change),
    ):
        with pytest.raises(BulkStatusError):
            await refused
    given_up = await a_draft(shop, -5)
    assert (await shop.products.bulk.cancel(given_up)).status == "cancelled"
    with pytest.raises(BulkStatusError):
        await shop.products.bulk.apply(given_up)


async def test_times_that_cannot_be(shop: Shop) -> None:
    await a_product(shop, sku="A")
    change = await a_draft(shop)
    naive = datetime(2026, 12, 1)  # noqa: DTZ001 that is what is refused
    for starts_at, ends_at, field in (
        (naive, None, "starts_at"),
        (hours(1), naive, "ends_at"),
        (hours(1), hours(1), "ends_at"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            await shop.products.bulk.schedule(change, starts_at, ends_at)
        assert refused.value.field == field
    stock = await shop.products.bulk.plan_lines(Draft("x"), [StockLine(1, "A", 3)])
    assert stock.id is not None
    with pytest.raises(InvalidInputError, match="of stocks"):
        await shop.products.bulk.schedule(stock.id, hours(1))
