"""Variants: made, changed and deactivated, and what they do to their product."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import ProductId, VariantId
from shopflow.products import NewVariant, VariantChanges
from shopflow.products.errors import (
    OptionsTakenError,
    ProductArchivedError,
    SkuTakenError,
    VersionConflictError,
)
from tests.catalogue import a_product


def new(**fields: Any) -> NewVariant:
    """A small one with three in stock, but for what `fields` say."""
    defaults: dict[str, Any] = {
        "name": "S",
        "sku": "SHIRT-S",
        "price": Decimal(20),
        "option_values": {"Size": "S"},
        "stock_quantity": 3,
    }
    return NewVariant(**(defaults | fields))


async def test_the_first_variant_takes_over_the_stock(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    variant_id = await shop.products.variants.create(product_id, new(compare_at_price=Decimal(25)))
    (variant,) = (await shop.products.get_for_admin(product_id)).variants
    assert (variant.id, variant.name, variant.sku, variant.version) == (
        variant_id,
        "S",
        "SHIRT-S",
        1,
    )
    assert (variant.price, variant.compare_at_price) == (Decimal("20.00"), Decimal("25.00"))
    assert (variant.option_values, variant.stock_quantity) == ({"Size": "S"}, 3)
    found = await shop.products.get_for_admin(product_id)
    assert (found.has_variants, found.stock_quantity, found.version) == (True, 3, 1)
    movements = (await shop.products.stock.movements(product_id)).items
    assert sorted((m.variant_id, m.change, m.reason) for m in movements if m.variant_id) == [
        (variant_id, 3, "initial")
    ]
    assert [(m.change, m.reason) for m in movements if not m.variant_id] in (
        [(-10, "correction"), (10, "initial")],
        [(10, "initial"), (-10, "correction")],
    )
    assert await shop.products.stock.check() == []


async def test_what_is_taken_is_named(shop: Shop) -> None:
    product_id = await a_product(shop)
    await shop.products.variants.create(product_id, new())
    with pytest.raises(SkuTakenError, match="'shirt-s'"):
        await shop.products.variants.create(product_id, new(sku="shirt-s", option_values={}))
    with pytest.raises(OptionsTakenError, match="'Size': 'S'"):
        await shop.products.variants.create(product_id, new(sku="SHIRT-2"))
    medium = await shop.products.variants.create(
        product_id, new(sku="SHIRT-M", option_values={"Size": "M"})
    )
    changes = VariantChanges(option_values={"Size": "S"})
    with pytest.raises(OptionsTakenError):
        await shop.products.variants.update(medium, changes, expected_version=1)
    assert await shop.products.variants.deactivate(medium, expected_version=1) == 2
    other = new(sku="shirt-m", option_values={"Size": "M"})
    await shop.products.variants.create(product_id, other)
    with pytest.raises((SkuTakenError, OptionsTakenError)):
        await shop.products.variants.update(
            medium, VariantChanges(is_active=True), expected_version=None
        )


async def test_an_inactive_variant_leaves_the_sum_and_comes_back(shop: Shop) -> None:
    product_id = await a_product(shop)
    variant_id = await shop.products.variants.create(product_id, new())
    assert await shop.products.variants.deactivate(variant_id, expected_version=1) == 2
    found = await shop.products.get_for_admin(product_id)
    assert (found.stock_quantity, found.variants[0].stock_quantity) == (0, 3)
    active = VariantChanges(is_active=True, sort_order=4)
    assert await shop.products.variants.update(variant_id, active, expected_version=2) == 3
    assert (await shop.products.get(product_id)).stock_quantity == 3
    assert await shop.products.stock.check() == []


async def test_only_what_is_given_changes(shop: Shop) -> None:
    product_id = await a_product(shop)
    variant_id = await shop.products.variants.create(product_id, new(compare_at_price=Decimal(25)))
    await shop.products.variants.update(
        variant_id, VariantChanges(name="Small", compare_at_price=None), expected_version=1
    )
    (variant,) = (await shop.products.get_for_admin(product_id)).variants
    assert (variant.name, variant.compare_at_price) == ("Small", None)
    assert (variant.sku, variant.price, variant.stock_quantity) == ("SHIRT-S", Decimal(20), 3)


async def test_a_lost_update_is_refused_but_stock_does_not_count(shop: Shop) -> None:
    product_id = await a_product(shop)
    variant_id = await shop.products.variants.create(product_id, new())
    await shop.products.stock.adjust(product_id, variant_id, change=4)
    changes = VariantChanges(price=Decimal(21))
    assert await shop.products.variants.update(variant_id, changes, expected_version=1) == 2
    with pytest.raises(VersionConflictError) as refused:
        await shop.products.variants.update(variant_id, changes, expected_version=1)
    assert (refused.value.kind, refused.value.current) == ("variant", 2)


async def test_what_cannot_be_is_refused(shop: Shop) -> None:
    product_id = await a_product(shop)
    with pytest.raises(InvalidInputError, match="compare_at_price: must be above the price"):
        await shop.products.variants.create(product_id, new(compare_at_price=Decimal(20)))
    with pytest.raises(InvalidInputError, match="sort_order"):
        await shop.products.variants.create(product_id, new(sort_order=2**31))
    with pytest.raises(NotFoundError, match="no such product"):
        await shop.products.variants.create(ProductId(UUID(int=0)), new())
    with pytest.raises(NotFoundError, match="no such variant"):
        await shop.products.variants.deactivate(VariantId(UUID(int=0)), expected_version=1)
    variant_id = await shop.products.variants.create(product_id, new())
    await shop.products.archive(product_id, expected_version=None)
    with pytest.raises(ProductArchivedError):
        await shop.products.variants.create(product_id, new(sku="SHIRT-2", option_values={}))
    with pytest.raises(ProductArchivedError):
        await shop.products.variants.update(
            variant_id, VariantChanges(is_active=True), expected_version=None
        )
