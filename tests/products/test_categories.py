"""Categories and brands: a tree that is read in one round trip and never gets a cycle."""

import asyncio
from uuid import UUID

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import BrandId, CategoryId
from shopflow.postgres.queries import timings
from shopflow.products import BrandChanges, CategoryChanges, NewBrand, NewCategory
from shopflow.products.admin_models import Category
from shopflow.products.errors import (
    CategoryCycleError,
    CategoryHasChildrenError,
    SlugTakenError,
    VersionConflictError,
)
from tests.catalogue import a_product, run

NOTHING = CategoryId(UUID(int=0))


async def branch(shop: Shop, *names: str) -> list[CategoryId]:
    """Categories, each below the one before."""
    made: list[CategoryId] = []
    for name in names:
        parent = made[-1] if made else None
        made.append(await shop.products.categories.create(NewCategory(name=name, parent_id=parent)))
    return made


def shape(tree: tuple[Category, ...]) -> list[object]:
    return [(each.name, shape(each.children)) if each.children else each.name for each in tree]


async def test_the_tree_is_read_in_its_order_and_one_round_trip(shop: Shop) -> None:
    clothing, shirts, _ = await branch(shop, "Clothing", "Shirts", "Polo")
    await shop.products.categories.create(
        NewCategory(name="Coats", parent_id=clothing, sort_order=-1)
    )
    await shop.products.categories.create(NewCategory(name="blouses", parent_id=clothing))
    await branch(shop, "Art")
    before = timings()["list_categories"].executions if "list_categories" in timings() else 0
    tree = await shop.products.categories.tree()
    assert timings()["list_categories"].executions == before + 1
    assert shape(tree) == ["Art", ("Clothing", ["Coats", "blouses", ("Shirts", ["Polo"])])]
    found = tree[1].children[2]
    assert (found.id, found.parent_id, found.slug, found.version) == (
        shirts,
        clothing,
        "shirts",
        1,
    )


async def test_a_category_is_changed_and_a_lost_update_refused(shop: Shop) -> None:
    (art, other) = [*await branch(shop, "Art"), *await branch(shop, "Other")]
    again = await shop.products.categories.create(NewCategory(name="Art"))
    assert await run(shop, "SELECT slug ~ '^art-' FROM categories WHERE id = %(id)s", id=again) == [
        (True,)
    ]
    changes = CategoryChanges(name="Arts", slug="arts")
    assert await shop.products.categories.update(art, changes, expected_version=1) == 2
    with pytest.raises(VersionConflictError, match="has version 2 by now, not 1"):
        await shop.products.categories.update(art, changes, expected_version=1)
    for call in (
        shop.products.categories.create(NewCategory(name="x", slug="ARTS")),
        shop.products.categories.update(other, CategoryChanges(slug="ARTS"), expected_version=1),
    ):
        with pytest.raises(SlugTakenError, match="'ARTS'"):
            await call
    with pytest.raises(InvalidInputError, match="name: must not be blank"):
        await shop.products.categories.create(NewCategory(name=" "))
    with pytest.raises(NotFoundError, match="no such category"):
        await shop.products.categories.create(NewCategory(name="x", parent_id=NOTHING))


async def test_a_branch_moves_with_all_below_it(shop: Shop) -> None:
    a, b, c, d = await branch(shop, "A", "B", "C", "D")
    (e,) = await branch(shop, "E")
    assert await shop.products.categories.move(b, e, sort_order=3, expected_version=1) == 2
    assert shape(await shop.products.categories.tree()) == ["A", ("E", [("B", [("C", ["D"])])])]
    untouched = "SELECT count(*) FROM categories WHERE version = 1"
    assert await run(shop, untouched) == [(4,)]
    await shop.products.categories.move(c, None, expected_version=None)
    assert shape(await shop.products.categories.tree()) == ["A", ("C", ["D"]), ("E", ["B"])]
    for below in (c, d):
        with pytest.raises(CategoryCycleError, match=f"{c} cannot be put under {below}"):
            await shop.products.categories.move(c, below, expected_version=None)
    with pytest.raises(NotFoundError, match=f"no such category: {NOTHING}"):
        await shop.products.categories.move(c, NOTHING, expected_version=None)
    with pytest.raises(NotFoundError):
        await shop.products.categories.move(NOTHING, a, expected_version=None)
    with pytest.raises(VersionConflictError):
        await shop.products.categories.move(b, a, expected_version=1)


async def test_moves_at_once_never_close_a_circle(shop: Shop) -> None:
    ids = [(await branch(shop, name))[0] for name in "ABCDEF"]
    moves = [
        shop.products.categories.move(one, other, expected_version=None)
        for one in ids
        for other in ids
        if one != other
    ]
    done = await asyncio.gather(*moves, return_exceptions=True)
    refused = [each for each in done if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {CategoryCycleError}

    def count(tree: tuple[Category, ...]) -> int:
        return sum(1 + count(each.children) for each in tree)

    # What is on a circle hangs below no root.
    assert count(await shop.products.categories.tree()) == len(ids)


async def test_only_a_category_without_others_below_is_deleted(shop: Shop) -> None:
    a, b = await branch(shop, "A", "B")
    product_id = await a_product(shop, category_id=b)
    with pytest.raises(CategoryHasChildrenError, match=str(a)):
        await shop.products.categories.delete(a, expected_version=1)
    with pytest.raises(VersionConflictError):
        await shop.products.categories.delete(b, expected_version=7)
    await shop.products.categories.delete(b, expected_version=1)
    found = await shop.products.get_for_admin(product_id)
    assert (found.category_id, found.version) == (None, 2)
    with pytest.raises(NotFoundError):
        await shop.products.categories.delete(b, expected_version=1)
    await shop.products.categories.delete(a, expected_version=None)
    assert await shop.products.categories.tree() == ()


async def test_brands(shop: Shop) -> None:
    brands = shop.products.brands
    acme = await brands.create(NewBrand(name="Acme", logo_url="https://images.example/acme.svg"))
    await brands.create(NewBrand(name="acme"))
    with pytest.raises(SlugTakenError, match="'Acme'"):
        await brands.create(NewBrand(name="x", slug="Acme"))
    assert await brands.update(acme, BrandChanges(logo_url=None), expected_version=1) == 2
    with pytest.raises(VersionConflictError, match="brand"):
        await brands.update(acme, BrandChanges(name="B"), expected_version=1)
    assert await brands.deactivate(acme, expected_version=2) == 3
    found = {brand.id: brand for brand in await brands.list()}
    assert len(found) == 2
    assert (found[acme].name, found[acme].slug, found[acme].logo_url) == ("Acme", "acme", None)
    assert (found[acme].is_active, found[acme].version) == (False, 3)
    with pytest.raises(NotFoundError, match="no such brand"):
        await brands.deactivate(BrandId(UUID(int=0)), expected_version=None)
