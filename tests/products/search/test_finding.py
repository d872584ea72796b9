"""Pages of a search: filters, cursors, the cap, and what is refused."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.ids import BrandId, ProductId
from shopflow.products.filters import ProductFilters
from shopflow.products.search import ranking
from tests.catalogue import a_product, inserted

ALIKE = 23


async def alike(shop: Shop, count: int = ALIKE) -> list[ProductId]:
    """Products that a search cannot tell apart."""
    return [await a_product(shop, name="Grey Pillow") for _ in range(count)]


@pytest.mark.parametrize("limit", [1, 7, ALIKE, ALIKE + 1])
async def test_pages_together_are_everything_once(shop: Shop, limit: int) -> None:
    made = await alike(shop)
    await a_product(shop, name="Pillow", description="A pillow")
    find = shop.products.search.find
    whole = [item.id for item in (await find("pillow", limit=100)).items]
    assert len(whole) == len(made) + 1
    page = await find("pillow", limit=limit)
    assert page.previous is None
    forwards, back = [[item.id for item in page.items]], []
    while page.next is not None:
        page = await find("pillow", limit=limit, cursor=page.next)
        forwards.append([item.id for item in page.items])
    assert sum(forwards, []) == whole  # noqa: RUF017 a few
    while page.previous is not None:
        page = await find("pillow", limit=limit, cursor=page.previous)
        back.append([item.id for item in page.items])
    assert back[::-1] == forwards[:-1]


async def test_what_comes_and_goes_moves_nothing_else(shop: Shop) -> None:
    await alike(shop, 6)
    find = shop.products.search.find
    whole = [item.id for item in (await find("pillow")).items]
    first = await find("pillow", limit=3)
    await a_product(shop, name="Grey Pillow")
    async with shop.pool.connection() as connection:
        await connection.execute("DELETE FROM products WHERE id = %(id)s", {"id": whole[2]})
    second = await find("pillow", limit=3, cursor=first.next)
    assert [item.id for item in second.items] == whole[3:]


async def test_filters_narrow_what_is_found(shop: Shop) -> None:
    brand = BrandId(await inserted(shop, "brands", {"name": "Acme", "slug": "acme"}))
    cheap = await a_product(shop, name="Grey Pillow", price="5.00", brand_id=brand)
    dear = await a_product(shop, name="Grey Pillow", price="50.00", stock_quantity=0)
    find = shop.products.search.find

    async def ids(filters: ProductFilters) -> set[ProductId]:
        return {item.id for item in (await find("pillow", filters)).items}

    assert await ids(ProductFilters()) == {cheap, dear}
    assert await ids(ProductFilters(price_max=Decimal(10))) == {cheap}
    assert await ids(ProductFilters(price_min=Decimal(10))) == {dear}
    assert await ids(ProductFilters(in_stock=True)) == {cheap}
    assert await ids(ProductFilters(brand_ids=(brand,))) == {cheap}
    assert await ids(ProductFilters(brand_ids=(brand,), price_min=Decimal(10))) == set()


async def test_of_too_many_the_popular_ones_are_ranked_and_it_is_said(shop: Shop) -> None:
    made = await alike(shop, 9)
    async with shop.pool.connection() as connection:
        await connection.execute(
            "UPDATE product_search SET popularity = 3 WHERE product_id = ANY(%(ids)s)",
            {"ids": made[:4]},
        )
        page = await ranking.find(connection, "pillow", ranked=4)
        assert {item.id for item in page.items} == set(made[:4])
        assert (page.matches, page.is_capped) == (4, True)
        page = await ranking.find(connection, "pillow", ranked=9)
        assert (page.matches, page.is_capped) == (9, False)


async def test_a_cursor_belongs_to_one_search(shop: Shop) -> None:
    await alike(shop, 3)
    find = shop.products.search.find
    cursor = (await find("pillow", limit=1)).next
    assert (await find("pillow", limit=2, cursor=cursor)).items
    for text, filters, given in (
        ("grey", ProductFilters(), cursor),
        ("pillow", ProductFilters(in_stock=True), cursor),
        ("pillow", ProductFilters(), "abc"),
    ):
        with pytest.raises(InvalidInputError, match="cursor"):
            await find(text, filters, cursor=given)


@pytest.mark.parametrize(
    ("text", "limit", "field"),
    [
        ("", 20, "text"),
        (" - ", 20, "text"),
        ("x" * 201, 20, "text"),
        ("x", 0, "limit"),
        ("x", 101, "limit"),
    ],
)
async def test_what_cannot_be_is_refused(shop: Shop, text: str, limit: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.search.find(text, limit=limit)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("the", set()),
        ("a' | b", set()),
        ("!&|()<>:*\\ x'y", set()),
        ("KÄSE 🧀", {"Käse Reibe"}),
        ("-pillow", {"Käse Reibe"}),
        ("%_ _pillow%", {"Grey Pillow"}),
    ],
)
async def test_nothing_that_is_typed_breaks_it(shop: Shop, text: str, names: set[str]) -> None:
    await alike(shop, 1)
    await a_product(shop, name="Käse Reibe")
    search = shop.products.search
    assert {item.name for item in (await search.find(text)).items} == names
    await search.suggest(text)


async def test_a_word_that_finds_something_is_not_corrected(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    find = shop.products.search.find
    # Together they find nothing, but each of them does.
    page = await find("tent teapot")
    assert (page.items, page.corrected) == ((), None)
    # Nothing is near enough.
    page = await find("xqzvwk")
    assert (page.items, page.corrected) == ((), None)
    # Near a word, and of a product that was made just now, before any worker ran.
    await a_product(shop, name="Wirelss")
    page = await find("wirelss")
    assert ([item.name for item in page.items], page.corrected) == (["Wirelss"], None)


async def test_a_listing_is_narrowed_by_the_same_text(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    products = shop.products
    found = await products.search.find("wirelss", limit=2)
    wireless = ProductFilters(text="wirelss")
    by_relevance = await products.list(wireless, "relevance", limit=2)
    assert by_relevance.items == found.items
    rest = await products.list(wireless, "relevance", limit=2, cursor=by_relevance.next)
    assert len(rest.items) == 1
    by_name = await products.list(wireless, "name")
    assert [item.name for item in by_name.items] == [
        "Wireless Earbuds",
        "Wireless Headphones",
        "Wireless Keyboard",
    ]
    assert (await products.count(wireless)).count == 3
    with pytest.raises(InvalidInputError, match="sort"):
        await products.list(ProductFilters(), "relevance")
    with pytest.raises(InvalidInputError, match="offset"):
        await products.list(wireless, "relevance", offset=1)
