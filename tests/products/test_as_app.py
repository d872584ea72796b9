"""Everything that staff and customers do with the catalogue, with the rights of the app role."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import psycopg
import pytest

import shopflow
from shopflow import Shop
from shopflow.postgres import roles
from shopflow.products import (
    BrandChanges,
    CategoryChanges,
    Draft,
    ImageChanges,
    NewBrand,
    NewCategory,
    NewImage,
    NewProduct,
    NewReview,
    NewVariant,
    PriceRule,
    ProductChanges,
    ReviewChanges,
    Selection,
    StockRule,
    VariantChanges,
)
from shopflow.settings import Settings
from tests.catalogue import a_product, a_user, run
from tests.postgres.test_roles import as_superuser


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        roles.create(connection, settings)
    app = msgspec.structs.replace(settings, database_role=roles.name_of(settings, "app"))
    async with shopflow.open(app) as found:
        yield found


async def test_the_whole_of_the_catalogue(shop: Shop) -> None:
    products, user = shop.products, await a_user(shop)
    root = await products.categories.create(NewCategory(name="Root"))
    leaf = await products.categories.create(NewCategory(name="Leaf"))
    await products.categories.move(leaf, root, expected_version=1)
    await products.categories.update(leaf, CategoryChanges(name="L"), expected_version=2)
    brand = await products.brands.create(NewBrand(name="Acme"))
    await products.brands.update(brand, BrandChanges(name="B"), expected_version=1)
    await products.brands.deactivate(brand, expected_version=2)
    product = await products.create(
        NewProduct(
            name="Mug",
            sku="MUG",
            price=Decimal(5),
            category_id=leaf,
            brand_id=brand,
            stock_quantity=1,
        )
    )
    await products.update(product, ProductChanges(price=Decimal(6)), expected_version=1)
    await products.stock.set(product, quantity=5, actor=user)
    variant = await products.variants.create(
        product, NewVariant(name="S", sku="MUG-S", price=Decimal(6), stock_quantity=2)
    )
    await products.variants.update(variant, VariantChanges(name="Small"), expected_version=1)
    await products.stock.adjust(product, variant, change=3, reason="return")
    first = await products.images.add(product, NewImage(url="a"))
    second = await products.images.add(product, NewImage(url="b"))
    await products.images.reorder(product, [second, first])
    await products.images.set_primary(second)
    await products.images.update(first, ImageChanges(alt_text="A"))
    await products.images.remove(second)
    review = await products.reviews.submit(product, user, NewReview(rating=5))
    await products.reviews.edit(review, user, ReviewChanges(rating=4))
    await products.reviews.approve(review, seen=None, moderator=user)
    assert len((await products.reviews.list(product)).items) == 1
    await products.reviews.reject(review, "No", seen=None, moderator=user)
    assert (await products.reviews.queue()).items == ()
    assert len((await products.reviews.own(user)).items) == 1
    await products.reviews.delete(review, user_id=user)
    assert (await products.get(product)).stock_quantity == 5
    assert [low.sku for low in (await products.stock.low()).items] == ["MUG-S"]
    assert len((await products.stock.movements(product)).items) == 5
    await products.variants.deactivate(variant, expected_version=2)
    await products.archive(product, expected_version=None)
    await products.restore(product)
    await products.categories.delete(leaf, expected_version=None)
    assert [each.name for each in await products.categories.tree()] == ["Root"]
    assert (await products.get_for_admin(product)).category_id is None
    assert await products.stock.check() == []


async def test_prices_and_stocks_in_bulk(shop: Shop) -> None:
    products, user = shop.products, await a_user(shop)
    mug = await a_product(shop, price="20.00", stock_quantity=10)
    draft, everything = Draft("x", actor=user), Selection(everything=True)
    rules = (
        PriceRule(step="percent", by=Decimal(-10)),
        StockRule(step="add", pieces=5),
    )
    for rule in rules:
        preview = await products.bulk.plan(draft, everything, rule)
        assert preview.id is not None
        assert (await products.bulk.apply(preview.id)).lines.applied == 1
        assert (await products.bulk.undo(preview.id)).lines.undone == 1
    again = await products.bulk.plan(draft, everything, rules[0])
    assert again.id is not None
    await products.bulk.schedule(again.id, datetime.now(UTC), datetime.now(UTC) + timedelta(1))
    await products.bulk.cancel(again.id)
    assert len((await products.price_history(mug)).items) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO price_changes (product_id, old_price, new_price) SELECT id, 1, 2 FROM products",
        "UPDATE price_changes SET new_price = 1",
        "DELETE FROM price_changes",
        "DELETE FROM bulk_changes",
        "DELETE FROM bulk_change_lines",
    ],
)
async def test_the_history_of_prices_is_not_the_apps_to_write(shop: Shop, statement: str) -> None:
    await a_product(shop)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await run(shop, statement)
