"""Products: made, changed, archived and restored; what cannot be is refused by field and value."""

from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import BrandId, CategoryId, ProductId
from shopflow.products import NewBrand, NewCategory, NewProduct, ProductChanges
from shopflow.products.errors import SkuTakenError, SlugTakenError, VersionConflictError
from tests.catalogue import a_product, a_user, a_variant, run

NOBODY = UUID(int=0)


def new(**fields: Any) -> NewProduct:
    """A mug, but for what `fields` say."""
    defaults: dict[str, Any] = {"name": "Blue Mug", "sku": "MUG-1", "price": Decimal("8.50")}
    return NewProduct(**(defaults | fields))


async def test_everything_that_is_given_is_there(shop: Shop) -> None:
    category_id = await shop.products.categories.create(NewCategory(name="Kitchen"))
    brand_id = await shop.products.brands.create(NewBrand(name="Acme"))
    product_id = await shop.products.create(
        new(
            slug="the-mug",
            description="Holds 0.3 l",
            compare_at_price=Decimal(10),
            category_id=category_id,
            brand_id=brand_id,
            stock_quantity=7,
            track_inventory=False,
            attributes=MappingProxyType(
                {"material": "clay", "litres": 0.3, "sizes": [1, None, True]}
            ),
            tags=("new", "kitchen"),
            is_active=False,
            is_featured=True,
        )
    )
    found = await shop.products.get_for_admin(product_id)
    assert (found.name, found.slug, found.sku) == ("Blue Mug", "the-mug", "MUG-1")
    assert (found.price, found.compare_at_price) == (Decimal("8.50"), Decimal("10.00"))
    assert (found.category_id, found.brand_id) == (category_id, brand_id)
    assert (found.description, found.tags) == ("Holds 0.3 l", ("new", "kitchen"))
    assert found.attributes == {"material": "clay", "litres": 0.3, "sizes": [1, None, True]}
    assert (found.stock_quantity, found.track_inventory) == (7, False)
    assert (found.is_active, found.is_featured, found.version) == (False, True, 1)
    movements = await shop.products.stock.movements(product_id)
    assert [(each.change, each.reason) for each in movements.items] == [(7, "initial")]


async def test_a_slug_is_made_from_the_name_and_gets_a_suffix_where_needed(shop: Shop) -> None:
    first = await shop.products.create(new())
    second = await shop.products.create(new(sku="MUG-2"))
    assert (await shop.products.get(first)).slug == "blue-mug"
    slug = (await shop.products.get(second)).slug
    assert slug.startswith("blue-mug-")
    long = await shop.products.create(new(name="x" * 255, sku="MUG-3"))
    longer = await shop.products.create(new(name="x" * 255, sku="MUG-4"))
    assert (await shop.products.get(long)).slug == "x" * 255
    assert len((await shop.products.get(longer)).slug) == 255


async def test_what_is_taken_is_named(shop: Shop) -> None:
    await shop.products.create(new(slug="Mug"))
    with pytest.raises(SlugTakenError, match="'mug'"):
        await shop.products.create(new(slug="mug", sku="MUG-2"))
    with pytest.raises(SkuTakenError, match="'mug-1'"):
        await shop.products.create(new(sku="mug-1"))
    other = await shop.products.create(new(sku="MUG-2"))
    with pytest.raises(SlugTakenError, match="'MUG'"):
        await shop.products.update(other, ProductChanges(slug="MUG"), expected_version=1)
    with pytest.raises(SkuTakenError, match="'mug-1'"):
        await shop.products.update(other, ProductChanges(sku="mug-1"), expected_version=1)


BAD: list[tuple[str, object, str]] = [
    ("name", "", "1 to 255 characters"),
    ("name", "  ", "blank"),
    ("name", None, "must not be None"),
    ("name", "x" * 256, "1 to 255 characters"),
    ("name", "a\0b", "NUL"),
    ("sku", "", "1 to 100 characters"),
    ("sku", 7, "must be text"),
    ("slug", "two words", "white space"),
    ("slug", "", "1 to 255 characters"),
    ("price", Decimal("-0.01"), "from 0"),
    ("price", Decimal("1.005"), "two decimal places"),
    ("price", Decimal("NaN"), "Decimal amount"),
    ("price", Decimal("1e11"), "from 0"),
    ("price", 8.5, "Decimal amount"),
    ("compare_at_price", Decimal("8.50"), "above the price"),
    ("description", "\ud800", "surrogate"),
    ("attributes", {"a": float("inf")}, "finite"),
    ("attributes", {"a": ["\0"]}, "must hold"),
    ("attributes", {1: "a"}, "must hold"),
    ("attributes", {"a": object()}, "must hold"),
    ("attributes", {"a": Decimal(1)}, "must hold"),
    ("attributes", [], "mapping"),
    ("tags", "new", "tuple"),
    ("tags", ("new", None), "must be text"),
    ("is_active", 1, "True or False"),
    ("category_id", "kitchen", "UUID"),
]


@pytest.mark.parametrize(("field", "value", "reason"), BAD)
async def test_what_cannot_be_is_refused_by_field_and_value(
    shop: Shop, field: str, value: object, reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason) as refused:
        await shop.products.create(new(**{field: value}))
    assert refused.value.field == field
    product_id = await shop.products.create(new())
    given: dict[str, Any] = {field: value}
    changes = ProductChanges(**given)
    with pytest.raises(InvalidInputError, match=reason) as refused:
        await shop.products.update(product_id, changes, expected_version=1)
    assert (refused.value.field, (await shop.products.get_for_admin(product_id)).version) == (
        field,
        1,
    )


async def test_stock_that_cannot_be_is_refused(shop: Shop) -> None:
    for stock in (-1, 100_000_001, True, 1.5):
        with pytest.raises(InvalidInputError, match="stock_quantity"):
            await shop.products.create(new(stock_quantity=stock))


async def test_a_price_above_the_compare_at_price_is_named(shop: Shop) -> None:
    product_id = await shop.products.create(new(compare_at_price=Decimal(10)))
    with pytest.raises(InvalidInputError, match="price: must be below the compare-at price"):
        await shop.products.update(
            product_id, ProductChanges(price=Decimal(10)), expected_version=1
        )
    changes = ProductChanges(price=Decimal(10), compare_at_price=None)
    assert await shop.products.update(product_id, changes, expected_version=1) == 2


async def test_a_category_or_brand_that_is_not_there_is_named(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no such category"):
        await shop.products.create(new(category_id=CategoryId(NOBODY)))
    product_id = await shop.products.create(new())
    with pytest.raises(NotFoundError, match="no such brand"):
        await shop.products.update(
            product_id, ProductChanges(brand_id=BrandId(NOBODY)), expected_version=None
        )


async def test_only_what_is_given_changes_and_none_is_null(shop: Shop) -> None:
    product_id = await shop.products.create(
        new(description="Old", tags=("a",), attributes={"a": 1}, compare_at_price=Decimal(9))
    )
    before = await shop.products.get_for_admin(product_id)
    version = await shop.products.update(
        product_id, ProductChanges(description=None, tags=("b", "c")), expected_version=1
    )
    found = await shop.products.get_for_admin(product_id)
    assert (found.description, found.tags, found.version) == (None, ("b", "c"), version)
    assert (found.attributes, found.compare_at_price) == ({"a": 1}, Decimal("9.00"))
    assert (found.name, found.slug, found.price) == (before.name, before.slug, before.price)


async def test_at_least_one_change_must_be_given(shop: Shop) -> None:
    product_id = await a_product(shop)
    with pytest.raises(InvalidInputError, match="at least one of name, sku, price"):
        await shop.products.update(product_id, ProductChanges(), expected_version=None)


async def test_a_lost_update_is_refused_with_the_current_version(shop: Shop) -> None:
    product_id = await a_product(shop)
    assert await shop.products.update(product_id, ProductChanges(name="A"), expected_version=1) == 2
    with pytest.raises(VersionConflictError) as refused:
        await shop.products.update(product_id, ProductChanges(name="B"), expected_version=1)
    assert (refused.value.kind, refused.value.key) == ("product", product_id)
    assert (refused.value.expected, refused.value.current) == (1, 2)
    assert (
        await shop.products.update(product_id, ProductChanges(name="C"), expected_version=None) == 3
    )
    with pytest.raises(VersionConflictError):
        await shop.products.archive(product_id, expected_version=2)
    assert (await shop.products.get(product_id)).name == "C"


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    nothing = ProductId(NOBODY)
    for version in (1, None):
        with pytest.raises(NotFoundError, match="no such product"):
            await shop.products.update(nothing, ProductChanges(name="A"), expected_version=version)
        with pytest.raises(NotFoundError, match="no such product"):
            await shop.products.archive(nothing, expected_version=version)
    with pytest.raises(NotFoundError, match="no such archived product"):
        await shop.products.restore(nothing)
    with pytest.raises(NotFoundError, match="no such product"):
        await shop.products.get_for_admin(nothing)


async def test_an_archived_product_leaves_listings_and_carts_and_comes_back(shop: Shop) -> None:
    product_id = await a_product(shop)
    variant_id = await a_variant(shop, product_id)
    cart_id = await shop.carts.open(user_id=await a_user(shop))
    await shop.carts.add(cart_id, product_id, variant_id)
    assert await shop.products.archive(product_id, expected_version=1) == 2
    assert (await shop.products.list()).items == ()
    assert (await shop.carts.get(cart_id=cart_id)).items == ()
    with pytest.raises(NotFoundError):
        await shop.products.get(product_id)
    for again in (
        shop.products.archive(product_id, expected_version=None),
        shop.products.update(product_id, ProductChanges(name="A"), expected_version=2),
    ):
        with pytest.raises(NotFoundError):
            await again
    archived = await shop.products.get_for_admin(product_id)
    assert archived.deleted_at is not None
    assert [(v.is_active, v.stock_quantity) for v in archived.variants] == [(False, 10)]
    assert await shop.products.restore(product_id) == 3
    assert (await shop.products.get(product_id)).variants == ()
    with pytest.raises(NotFoundError, match="archived"):
        await shop.products.restore(product_id)


async def test_a_product_whose_slug_or_sku_is_taken_stays_archived(shop: Shop) -> None:
    product_id = await shop.products.create(new())
    await shop.products.archive(product_id, expected_version=1)
    other = await shop.products.create(new(sku="MUG-2"))
    with pytest.raises(SlugTakenError, match="'blue-mug'"):
        await shop.products.restore(product_id)
    await shop.products.update(other, ProductChanges(slug="o", sku="MUG-1"), expected_version=1)
    with pytest.raises(SkuTakenError, match="'MUG-1'"):
        await shop.products.restore(product_id)
    assert (await shop.products.get_for_admin(product_id)).deleted_at is not None


async def test_the_version_goes_up_with_catalogue_data_alone(shop: Shop) -> None:
    product_id = await a_product(shop)
    await run(shop, "UPDATE products SET stock_quantity = 3, updated_at = now()")
    await run(shop, "UPDATE products SET name = name, attributes = attributes, deleted_at = NULL")
    await run(
        shop,
        "INSERT INTO product_reviews (product_id, rating, is_approved)"
        " SELECT id, 5, true FROM products",
    )
    assert (await shop.products.get_for_admin(product_id)).version == 1
    await run(shop, "UPDATE products SET name = 'By psql', stock_quantity = 4")
    assert (await shop.products.get_for_admin(product_id)).version == 2
    await run(shop, "UPDATE products SET version = 77")
    assert (await shop.products.get_for_admin(product_id)).version == 3
