"""What is suggested while somebody types."""

from collections.abc import Mapping

import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.ids import ProductId
from tests.catalogue import inserted


async def test_words_products_categories_and_brands(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    await inserted(shop, "categories", {"name": "Headphones & Audio", "slug": "audio"})
    await inserted(shop, "categories", {"name": "Over-Head", "slug": "over"})
    await inserted(shop, "brands", {"name": "Headway", "slug": "headway"})
    await inserted(shop, "brands", {"name": "Headless", "slug": "headless", "is_active": False})
    found = await shop.products.search.suggest("Head")
    assert found.searches == ("headphones",)
    assert {product.id for product in found.products} == {goods["headphones"], goods["wired"]}
    assert [category.slug for category in found.categories] == ["audio"]
    assert [brand.slug for brand in found.brands] == ["headway"]
    assert found.corrected is None


@pytest.mark.parametrize(
    ("typed", "searches"),
    [
        # Completed to what there is together with the words before.
        ("wireless ke", ("wireless keyboard",)),
        ("mechanical ke", ("mechanical keyboard",)),
        ("wireless k", ("wireless keyboard",)),
        ("k", ("kitchen", "klang", "keyboard", "klinge", "keeps")),
        ("wireless te", ()),
        ("wirelss head", ("wireless headphones",)),
        ("", ()),
        ("mug -re", ()),
    ],
)
async def test_the_last_word_is_completed(
    shop: Shop, goods: Mapping[str, ProductId], typed: str, searches: tuple[str, ...]
) -> None:
    assert (await shop.products.search.suggest(typed)).searches == searches


async def test_when_nothing_begins_so_it_is_corrected(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    found = await shop.products.search.suggest("keybord")
    assert found.corrected == "keyboard"
    assert found.searches == ("keyboard",)
    assert {product.slug for product in found.products} == {"keyboard", "wireless-keyboard"}
    found = await shop.products.search.suggest("sonnora")
    assert [brand.slug for brand in found.brands] == ["sonora"]


async def test_of_each_kind_at_most_so_many(shop: Shop, goods: Mapping[str, ProductId]) -> None:
    found = await shop.products.search.suggest("co", limit=2)
    assert len(found.searches) == 2
    for limit in (0, 21):
        with pytest.raises(InvalidInputError, match="limit"):
            await shop.products.search.suggest("co", limit=limit)
