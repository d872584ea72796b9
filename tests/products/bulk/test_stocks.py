"""Stocks in bulk: sales between the preview, the change and its undoing count."""

import pytest

from shopflow import Shop
from shopflow.products import (
    BulkRefusedError,
    Draft,
    Selection,
    StockLine,
    StockRule,
)
from tests.catalogue import a_product, a_user, a_variant, run

EVERYTHING = Selection(everything=True)


async def stocks(shop: Shop) -> dict[str, int]:
    rows = await run(
        shop,
        "SELECT sku, stock_quantity FROM products"
        " UNION ALL SELECT sku, stock_quantity FROM product_variants",
    )
    return dict(rows)


async def test_sales_since_the_preview_count(shop: Shop) -> None:
    boss = await a_user(shop, role="admin")
    mug = await a_product(shop, sku="MUG", stock_quantity=10)
    shirt = await a_product(shop, sku="SHIRT")
    small = await a_variant(shop, shirt, sku="SMALL", stock_quantity=3)
    await a_variant(shop, shirt, sku="LARGE", stock_quantity=4)
    lines = [StockLine(2, "mug", 50), StockLine(3, "SMALL", 0), StockLine(4, "LARGE", 4)]
    preview = await shop.products.bulk.plan_lines(Draft("counted", actor=boss), lines)
    assert preview.id is not None
    assert (preview.lines, preview.unchanged) == (2, 1)
    assert [(line.sku, line.old_stock, line.new_stock) for line in preview.first] == [
        ("MUG", 10, 50),
        ("SMALL", 3, 0),
    ]
    await shop.products.stock.adjust(mug, change=-2)

    change = await shop.products.bulk.apply(preview.id)

    assert (change.kind, change.lines.applied) == ("stock", 2)
    assert await stocks(shop) == {"MUG": 48, "SHIRT": 4, "SMALL": 0, "LARGE": 4}
    (moved,) = (await shop.products.stock.movements(shirt, small, limit=1)).items
    assert (moved.change, moved.reason, moved.created_by, moved.notes) == (
        -3,
        "import",
        boss,
        f"bulk change {preview.id}",
    )

    await shop.products.stock.adjust(mug, change=-20)
    await shop.products.bulk.undo(preview.id)

    # The 40 that came in and did not: 48 - 20 - 40 is below zero, so that stays as it is.
    assert await stocks(shop) == {"MUG": 28, "SHIRT": 7, "SMALL": 3, "LARGE": 4}
    (kept,) = (await shop.products.bulk.lines(preview.id, "kept")).items
    assert (kept.sku, kept.found_stock) == ("MUG", 28)
    assert await shop.products.stock.check() == []


async def test_too_few_to_take_away_is_a_conflict(shop: Shop) -> None:
    mug = await a_product(shop, sku="MUG", stock_quantity=10)
    preview = await shop.products.bulk.plan_lines(Draft("x"), [StockLine(2, "MUG", 1)])
    assert preview.id is not None
    await shop.products.stock.adjust(mug, change=-2)
    change = await shop.products.bulk.apply(preview.id)
    assert (change.status, change.lines.conflict) == ("done", 1)
    assert await stocks(shop) == {"MUG": 8}


async def test_rules_set_and_add(shop: Shop) -> None:
    await a_product(shop, sku="MUG", stock_quantity=10)
    shirt = await a_product(shop, sku="SHIRT")
    await a_variant(shop, shirt, sku="SMALL", stock_quantity=3)
    for rule, expected in (
        (StockRule(step="add", pieces=-3), {"MUG": 7, "SHIRT": 0, "SMALL": 0}),
        (StockRule(step="set", pieces=5), {"MUG": 5, "SHIRT": 5, "SMALL": 5}),
    ):
        preview = await shop.products.bulk.plan(Draft("x"), EVERYTHING, rule)
        assert preview.id is not None
        await shop.products.bulk.apply(preview.id)
        assert await stocks(shop) == expected
    with pytest.raises(BulkRefusedError) as refused:
        await shop.products.bulk.plan(Draft("x"), EVERYTHING, StockRule(step="add", pieces=-6))
    assert refused.value.total == 2
    assert (refused.value.problems[0].field, refused.value.problems[0].value) == ("stock", "-1")


async def test_the_stock_of_a_product_with_variants_is_theirs(shop: Shop) -> None:
    shirt = await a_product(shop, sku="SHIRT")
    await a_variant(shop, shirt, sku="SMALL", stock_quantity=3)
    same = await a_product(shop, sku="ONE")
    await a_variant(shop, same, sku="one", stock_quantity=3)
    lines = [StockLine(2, "SHIRT", 5), StockLine(3, "ONE", 7)]
    preview = await shop.products.bulk.plan_lines(Draft("x", skip_bad=True), lines)
    assert [(each.line, each.reason) for each in preview.problems] == [
        (2, "has variants, whose stock it is: name those")
    ]
    assert preview.id is not None
    await shop.products.bulk.apply(preview.id)
    assert await stocks(shop) == {"SHIRT": 3, "SMALL": 3, "ONE": 7, "one": 7}


async def test_a_product_that_got_variants_meanwhile_is_a_conflict(shop: Shop) -> None:
    mug = await a_product(shop, sku="MUG", stock_quantity=10)
    preview = await shop.products.bulk.plan_lines(Draft("x"), [StockLine(2, "MUG", 12)])
    assert preview.id is not None
    await a_variant(shop, mug, sku="RED", stock_quantity=1)
    change = await shop.products.bulk.apply(preview.id)
    assert change.lines.conflict == 1
    assert await stocks(shop) == {"MUG": 1, "RED": 1}
