"""Prices in bulk, by a rule and from lines: previewed, applied, undone."""

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shopflow import Shop
from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.ids import BrandId, BulkChangeId, ProductId, UserId
from shopflow.products import (
    BulkRefusedError,
    BulkStatusError,
    Draft,
    LineProblem,
    PriceLine,
    PriceRule,
    ProductChanges,
    Selection,
)
from tests.catalogue import a_category, a_product, a_user, a_variant, inserted, run

EVERYTHING = Selection(everything=True)
TEN_LESS = PriceRule(step="percent", by=Decimal(-10))
DRAFT = Draft("ten per cent less")
# A price and a compare-at price.
Written = tuple[str, str | None]


async def planned(
    shop: Shop, selection: Selection = EVERYTHING, rule: PriceRule = TEN_LESS
) -> BulkChangeId:
    preview = await shop.products.bulk.plan(DRAFT, selection, rule)
    assert preview.id is not None
    return preview.id


async def prices(shop: Shop) -> dict[str, tuple[Decimal, Decimal | None]]:
    rows = await run(
        shop,
        "SELECT sku, price, compare_at_price FROM products"
        " UNION ALL SELECT sku, price, compare_at_price FROM product_variants",
    )
    return {sku: (price, compare) for sku, price, compare in rows}


async def test_a_rule_is_previewed_applied_and_undone(shop: Shop) -> None:
    shirt = await a_product(shop, sku="SHIRT", price="20.00")
    await a_variant(shop, shirt, sku="SHIRT-M", price="30.05")
    await a_variant(shop, shirt, sku="GONE", price="5.00", is_active=False)

    preview = await shop.products.bulk.plan(DRAFT, EVERYTHING, TEN_LESS)

    assert (preview.lines, preview.unchanged, preview.refused) == (2, 0, 0)
    assert [(line.sku, line.old_price, line.new_price, line.status) for line in preview.first] == [
        ("SHIRT", Decimal("20.00"), Decimal("18.00"), "pending"),
        # 27.045: half a cent goes up.
        ("SHIRT-M", Decimal("30.05"), Decimal("27.05"), "pending"),
    ]
    before = await prices(shop)
    assert before["SHIRT"] == (Decimal("20.00"), None)
    assert preview.id is not None

    seen: list[tuple[int, int]] = []
    change = await shop.products.bulk.apply(
        preview.id, batch=1, progress=lambda done, total: seen.append((done, total))
    )

    assert (change.status, change.lines.applied, change.lines.total) == ("done", 2, 2)
    assert seen == [(1, 2), (2, 2), (2, 2)]
    assert await prices(shop) == {
        "SHIRT": (Decimal("18.00"), None),
        "SHIRT-M": (Decimal("27.05"), None),
        "GONE": (Decimal("5.00"), None),
    }

    undone = await shop.products.bulk.undo(preview.id)

    assert (undone.status, undone.lines.undone) == ("undone", 2)
    assert await prices(shop) == before


async def test_the_history_says_which_change_and_who(shop: Shop) -> None:
    boss = UserId(await a_user(shop, role="admin"))
    shirt = await a_product(shop, price="20.00")
    variant = await a_variant(shop, shirt, price="20.00")
    preview = await shop.products.bulk.plan(
        Draft("less", actor=boss), EVERYTHING, PriceRule(step="amount", by=Decimal("-1.00"))
    )
    assert preview.id is not None
    await shop.products.bulk.apply(preview.id)
    await shop.products.update(shirt, ProductChanges(price=Decimal("25.00")), expected_version=None)
    await shop.products.update(shirt, ProductChanges(name="Shirt"), expected_version=None)
    await run(shop, "UPDATE products SET compare_at_price = 30, stock_quantity = 10")

    found = (await shop.products.price_history(shirt)).items

    assert [
        (one.variant_id, one.old_price, one.new_price, one.bulk_change_id, one.changed_by)
        for one in found[:2]
    ] == [
        (None, Decimal("25.00"), Decimal("25.00"), None, None),
        (None, Decimal("19.00"), Decimal("25.00"), None, None),
    ]
    assert {
        (one.variant_id, one.new_price, one.bulk_change_id, one.changed_by) for one in found[2:]
    } == {
        (None, Decimal("19.00"), preview.id, boss),
        (variant, Decimal("19.00"), preview.id, boss),
    }
    first = await shop.products.price_history(shirt, limit=3)
    rest = await shop.products.price_history(shirt, limit=3, cursor=first.next)
    assert first.items + rest.items == found
    assert rest.next is None
    (own,) = (await shop.products.price_history(shirt, variant)).items
    assert own.variant_id == variant


async def test_what_others_changed_meanwhile_stays_and_is_told(shop: Shop) -> None:
    same = await a_product(shop, sku="SAME", price="20.00")
    other = await a_product(shop, sku="OTHER", price="20.00")
    struck = await a_product(shop, sku="STRUCK", price="20.00")
    archived = await a_product(shop, sku="ARCHIVED", price="20.00")
    change = await planned(shop)
    await run(shop, "UPDATE products SET price = 21 WHERE id = %(id)s", id=other)
    await run(shop, "UPDATE products SET compare_at_price = 30 WHERE id = %(id)s", id=struck)
    await shop.products.archive(archived, expected_version=None)
    # Another version, and the same price.
    await shop.products.update(same, ProductChanges(name="Renamed"), expected_version=None)

    applied = await shop.products.bulk.apply(change)

    assert (applied.lines.applied, applied.lines.conflict) == (1, 3)
    conflicts = (await shop.products.bulk.lines(change, "conflict")).items
    assert {(line.sku, line.found_price, line.found_compare_at_price) for line in conflicts} == {
        ("OTHER", Decimal("21.00"), None),
        ("STRUCK", Decimal("20.00"), Decimal("30.00")),
        ("ARCHIVED", None, None),
    }
    assert (await prices(shop))["OTHER"] == (Decimal("21.00"), None)

    await run(shop, "UPDATE products SET price = 17 WHERE id = %(id)s", id=same)
    undone = await shop.products.bulk.undo(change)

    assert (undone.status, undone.lines.undone, undone.lines.kept) == ("undone", 0, 1)
    (kept,) = (await shop.products.bulk.lines(change, "kept")).items
    assert (kept.sku, kept.found_price) == ("SAME", Decimal("17.00"))
    assert (await prices(shop))["SAME"] == (Decimal("17.00"), None)


async def a_brand(shop: Shop) -> BrandId:
    return BrandId(await inserted(shop, "brands", {"name": "B", "slug": "b"}))


async def test_each_filter_selects(shop: Shop) -> None:
    brand = await a_brand(shop)
    root = await a_category(shop)
    leaf = await a_category(shop, await a_category(shop, root))
    branded = await a_product(shop, brand_id=brand, sku="BRANDED")
    await a_variant(shop, branded, sku="SMALL")
    await a_variant(shop, branded, sku="Large")
    await a_product(shop, category_id=leaf, brand_id=brand, sku="DEEP", is_active=False)
    await a_product(shop, tags=["sale", "red"], sku="TAGGED")
    plain = await a_product(shop, sku="PLAIN")
    gone = await a_product(shop, brand_id=brand, sku="GONE")
    await shop.products.archive(gone, expected_version=None)

    async def selected(selection: Selection) -> set[str]:
        preview = await shop.products.bulk.plan(Draft("x", dry_run=True), selection, TEN_LESS)
        return {line.sku for line in preview.first}

    everything = {"BRANDED", "SMALL", "Large", "DEEP", "TAGGED", "PLAIN"}
    assert await selected(EVERYTHING) == everything
    assert await selected(Selection(brand_ids=(brand,))) == {"BRANDED", "SMALL", "Large", "DEEP"}
    assert await selected(Selection(category_ids=(root,))) == {"DEEP"}
    assert await selected(Selection(tags=("red", "blue"))) == {"TAGGED"}
    assert await selected(Selection(product_ids=(plain, branded))) == {
        "PLAIN",
        "BRANDED",
        "SMALL",
        "Large",
    }
    assert await selected(Selection(skus=("large", "plain"))) == {"Large", "PLAIN"}
    assert await selected(Selection(skus=("branded",))) == {"BRANDED", "SMALL", "Large"}
    assert await selected(Selection(brand_ids=(brand,), skus=("deep", "plain"))) == {"DEEP"}
    assert (await shop.products.bulk.list()).items == ()


@pytest.mark.parametrize(
    ("before", "mode", "by", "after"),
    [
        (("20.00", None), "keep", -10, ("18.00", None)),
        (("20.00", "30.00"), "keep", -10, ("18.00", "30.00")),
        (("20.00", None), "was", -10, ("18.00", "20.00")),
        (("20.00", "30.00"), "was", -10, ("18.00", "30.00")),
        (("20.00", "30.00"), "was", 50, ("30.00", None)),
        (("20.00", None), "was", 10, ("22.00", None)),
        (("20.00", "30.00"), "clear", -10, ("18.00", None)),
    ],
)
async def test_what_becomes_of_the_compare_at_price(
    shop: Shop, before: Written, mode: Any, by: int, after: Written
) -> None:
    await a_product(shop, sku="A", price=before[0], compare_at_price=before[1])
    rule = PriceRule(step="percent", by=Decimal(by), compare_at=mode)
    change = await planned(shop, rule=rule)
    await shop.products.bulk.apply(change)
    assert (await prices(shop))["A"] == amounts_of(after)
    await shop.products.bulk.undo(change)
    assert (await prices(shop))["A"] == amounts_of(before)


def amounts_of(written: Written) -> tuple[Decimal, Decimal | None]:
    return Decimal(written[0]), None if written[1] is None else Decimal(written[1])


ENDS = {".00": Decimal("0.00"), ".95": Decimal("0.95"), ".99": Decimal("0.99")}


def reference(price: Decimal, rule: PriceRule) -> Decimal:
    """What a price becomes, slowly and obviously."""
    exact = {
        "percent": price * (100 + rule.by) / 100,
        "amount": price + rule.by,
        "fixed": rule.by,
    }[rule.step]
    if rule.ending is None:
        return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    below = exact.quantize(Decimal(1), rounding=ROUND_FLOOR) - 1 + ENDS[rule.ending]
    candidates = [below + step for step in range(3)]
    # The nearest, and of two that are as near the higher one.
    return min(candidates, key=lambda each: (abs(each - exact), -each))


amounts = st.decimals(min_value=0, max_value=Decimal("9999.99"), places=2)
rules = st.builds(
    PriceRule,
    step=st.just("percent"),
    by=st.decimals(min_value=-100, max_value=200, places=3),
    ending=st.sampled_from([None, ".00", ".95", ".99"]),
) | st.builds(
    PriceRule,
    step=st.sampled_from(["amount", "fixed"]),
    by=amounts,
    ending=st.sampled_from([None, ".00", ".95", ".99"]),
)


async def test_prices_are_as_the_reference_says(shop: Shop) -> None:
    product = await a_product(shop, sku="A")

    async def check(price: Decimal, rule: PriceRule) -> None:
        await run(shop, "UPDATE products SET price = %(price)s", price=price)
        expected = reference(price, rule)
        draft = Draft("x", dry_run=True, skip_bad=True)
        preview = await shop.products.bulk.plan(draft, Selection(product_ids=(product,)), rule)
        if expected < 0:
            assert (preview.lines, preview.refused) == (0, 1)
        elif expected == price:
            assert (preview.lines, preview.unchanged) == (0, 1)
        else:
            assert [line.new_price for line in preview.first] == [expected]

    examples: list[tuple[Decimal, PriceRule]] = []
    hypothesis_settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))(
        given(amounts, rules)(lambda price, rule: examples.append((price, rule)))
    )()
    for price, rule in examples:
        await check(price, rule)


async def test_what_cannot_be_refuses_everything_or_is_left_out(shop: Shop) -> None:
    await a_product(shop, sku="CHEAP", price="5.00")
    await a_product(shop, sku="DEAR", price="50.00")
    await a_product(shop, sku="STRUCK", price="50.00", compare_at_price="60.00")
    rule = PriceRule(step="amount", by=Decimal("-5.01"))

    with pytest.raises(BulkRefusedError) as refused:
        await shop.products.bulk.plan(DRAFT, EVERYTHING, rule)

    assert refused.value.problems == (
        LineProblem(None, "CHEAP", "price", "-0.01", "must be from 0.00 to 9999999999.99"),
    )
    assert (await shop.products.bulk.list()).items == ()
    raised = PriceRule(step="amount", by=Decimal("10.00"))
    preview = await shop.products.bulk.plan(Draft("x", skip_bad=True), EVERYTHING, raised)
    assert (preview.lines, preview.refused) == (2, 1)
    assert str(preview.problems[0]) == (
        "STRUCK: compare_at_price: must be above the price, 60.00 (got '60.00')"
    )


async def test_lines_of_a_file_name_products_and_variants(shop: Shop) -> None:
    shirt = await a_product(shop, sku="SHIRT")
    await a_variant(shop, shirt, sku="SHIRT-M")
    single = await a_product(shop, sku="ONE")
    await a_variant(shop, single, sku="one")
    await a_product(shop, sku="AMBIGUOUS")
    await a_variant(shop, shirt, sku="AMBIGUOUS")
    await a_product(shop, sku="UNCHANGED", price="20.00")
    lines = [
        PriceLine(2, "shirt-m", Decimal("9.99"), Decimal("12.00")),
        PriceLine(3, "ONE", Decimal("8.00"), None),
        PriceLine(4, "NOBODY", Decimal("8.00"), None),
        PriceLine(5, "one", Decimal("7.00"), None),
        PriceLine(6, "ambiguous", Decimal("8.00"), None),
        PriceLine(7, "UNCHANGED", Decimal("20.00"), None),
        PriceLine(8, "SHIRT", Decimal("8.00"), Decimal("8.00")),
        PriceLine(9, "SHIRT", Decimal("-1.00"), None),
    ]
    unreadable = LineProblem(1, "?", "price", "cheap", "is not an amount of money")

    preview = await shop.products.bulk.plan_lines(
        Draft("file", skip_bad=True), lines, problems=[unreadable]
    )

    assert [(each.line, each.field, each.reason) for each in preview.problems] == [
        (1, "price", "is not an amount of money"),
        (4, "sku", "no product or active variant has it"),
        (5, "sku", "is in line 3 already"),
        (6, "sku", "is of more than one product"),
        (8, "compare_at_price", "must be above the price, 8.00"),
        (9, "price", "must be from 0 to 9999999999.99"),
    ]
    assert (preview.lines, preview.unchanged, preview.refused) == (3, 1, 6)
    assert preview.id is not None
    change = await shop.products.bulk.apply(preview.id)
    assert change.rule is None
    found = await prices(shop)
    assert found["SHIRT-M"] == (Decimal("9.99"), Decimal("12.00"))
    assert found["ONE"] == found["one"] == (Decimal("8.00"), None)
    with pytest.raises(BulkRefusedError) as refused:
        await shop.products.bulk.plan_lines(DRAFT, lines[2:3])
    assert refused.value.total == 1


async def test_lines_without_compare_at_price_leave_it_to_the_whole(shop: Shop) -> None:
    await a_product(shop, sku="A", price="20.00")
    preview = await shop.products.bulk.plan_lines(
        DRAFT, [PriceLine(2, "A", Decimal("15.00"))], compare_at="was"
    )
    assert preview.id is not None
    await shop.products.bulk.apply(preview.id)
    assert (await prices(shop))["A"] == (Decimal("15.00"), Decimal("20.00"))


async def test_what_changes_nothing_is_not_kept(shop: Shop) -> None:
    await a_product(shop, price="20.00")
    preview = await shop.products.bulk.plan(
        DRAFT, EVERYTHING, PriceRule(step="fixed", by=Decimal("20.00"))
    )
    assert (preview.id, preview.lines, preview.unchanged) == (None, 0, 1)
    assert (await shop.products.bulk.list()).items == ()


async def test_steps_that_cannot_be(shop: Shop) -> None:
    await a_product(shop)
    change = await planned(shop)
    with pytest.raises(BulkStatusError, match="is draft, so it cannot be undone"):
        await shop.products.bulk.undo(change)
    await shop.products.bulk.apply(change)
    with pytest.raises(BulkStatusError, match="is done, so it cannot be applied"):
        await shop.products.bulk.apply(change)
    await shop.products.bulk.undo(change)
    with pytest.raises(BulkStatusError, match="is undone, so it cannot be undone"):
        await shop.products.bulk.undo(change)
    nobody = BulkChangeId(UUID(int=0))
    for refused in (shop.products.bulk.apply(nobody), shop.products.bulk.get(nobody)):
        with pytest.raises(NotFoundError):
            await refused
    with pytest.raises(InvalidInputError, match="batch"):
        await shop.products.bulk.apply(change, batch=0)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("by", {"step": "percent", "by": Decimal("-100.01")}),
        ("by", {"step": "percent", "by": Decimal("NaN")}),
        ("by", {"step": "fixed", "by": Decimal(-1)}),
        ("by", {"step": "amount", "by": Decimal("0.001")}),
        ("by", {"step": "amount", "by": 1.5}),
        ("step", {"step": "half", "by": Decimal(1)}),
        ("ending", {"step": "fixed", "by": Decimal(1), "ending": ".98"}),
        ("compare_at", {"step": "fixed", "by": Decimal(1), "compare_at": "given"}),
    ],
)
async def test_rules_that_cannot_be(shop: Shop, field: str, rule: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.bulk.plan(DRAFT, EVERYTHING, PriceRule(**rule))
    assert refused.value.field == field


async def test_selections_and_drafts_that_cannot_be(shop: Shop) -> None:
    for selection in (Selection(), Selection(everything=True, skus=("A",))):
        with pytest.raises(InvalidInputError, match="selection"):
            await shop.products.bulk.plan(DRAFT, selection, TEN_LESS)
    with pytest.raises(InvalidInputError, match="description"):
        await shop.products.bulk.plan(Draft(" "), EVERYTHING, TEN_LESS)
    with pytest.raises(NotFoundError, match="user"):
        await shop.products.bulk.plan(Draft("x", actor=UserId(UUID(int=0))), EVERYTHING, TEN_LESS)
    with pytest.raises(InvalidInputError, match="lines"):
        await shop.products.bulk.plan_lines(DRAFT, [])


async def test_bulk_changes_and_lines_are_read_by_pages(shop: Shop) -> None:
    for _ in range(3):
        await a_product(shop)
    changes = [await planned(shop) for _ in range(3)]
    first = await shop.products.bulk.list(limit=2)
    rest = await shop.products.bulk.list(limit=2, cursor=first.next)
    assert [each.id for each in first.items + rest.items] == changes[::-1]
    assert rest.next is None
    assert first.items[0].lines.pending == 3
    assert first.items[0].rule == {
        "selection": {
            "everything": True,
            "brand_ids": [],
            "category_ids": [],
            "tags": [],
            "product_ids": [],
            "skus": [],
        },
        "change": {"step": "percent", "by": "-10", "ending": None, "compare_at": "keep"},
    }
    lines = await shop.products.bulk.lines(changes[0], limit=2)
    others = await shop.products.bulk.lines(changes[0], limit=2, cursor=lines.next)
    assert [line.position for line in lines.items + others.items] == [1, 2, 3]
    assert (await shop.products.bulk.lines(changes[0], "applied")).items == ()


async def test_a_deleted_product_takes_its_lines_and_history_with_it(shop: Shop) -> None:
    product: ProductId = await a_product(shop)
    await a_product(shop)
    change = await planned(shop)
    await shop.products.bulk.apply(change)
    await run(shop, "DELETE FROM products WHERE id = %(id)s", id=product)
    assert (await shop.products.bulk.get(change)).lines.total == 1
    assert (await shop.products.price_history(product)).items == ()
    assert (await shop.products.bulk.undo(change)).lines.undone == 1
