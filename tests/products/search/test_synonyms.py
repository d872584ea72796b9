"""Synonyms of a shop: what they find, and what is refused."""

import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.products.search.models import Synonym
from tests.catalogue import a_product


async def found(shop: Shop, text: str) -> list[str]:
    return sorted(item.name for item in (await shop.products.search.find(text)).items)


async def test_they_count_as_the_word_until_they_are_removed(shop: Shop) -> None:
    for name in ("Grey Couch", "Green Sofa", "Smartphone", "Mobile", "Garden Hose"):
        await a_product(shop, name=name)
    synonyms = shop.products.search.synonyms
    assert await synonyms.add(" Sofa", "COUCH", "settee") == 4
    assert await synonyms.add("sofa", "couch") == 0
    assert await synonyms.add("mobile phone", "smartphone", both_ways=False) == 1
    assert await synonyms.list("sofa") == [Synonym("sofa", "couch"), Synonym("sofa", "settee")]
    assert len(await synonyms.list()) == 5
    assert await found(shop, "sofas") == ["Green Sofa", "Grey Couch"]
    assert await found(shop, "couch") == ["Green Sofa", "Grey Couch"]
    assert await found(shop, "grey sofa") == ["Grey Couch"]
    # Not the synonyms of synonyms.
    assert await found(shop, "settee") == ["Green Sofa"]
    assert await found(shop, "mobile phones") == ["Smartphone"]
    assert await found(shop, "mobile") == ["Mobile"]
    assert await found(shop, "smartphone") == ["Smartphone"]
    # As it stands.
    assert await found(shop, '"grey sofa"') == []
    assert await synonyms.remove("couch", "sofa") == 2
    assert await found(shop, "couch") == ["Grey Couch"]
    assert await synonyms.remove("couch", "sofa") == 0


@pytest.mark.parametrize(
    ("word", "synonym", "field"),
    [
        ("sofa", "Sofa", "synonyms"),
        ("the", "sofa", "word"),
        ("", "sofa", "word"),
        ("x" * 101, "sofa", "word"),
        ("a word of five words", "sofa", "word"),
        ("sofa", "a word of five words", "synonyms"),
    ],
)
async def test_what_can_never_be_searched_for_is_refused(
    shop: Shop, word: str, synonym: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.search.synonyms.add(word, synonym)
    assert refused.value.field == field
    assert await shop.products.search.synonyms.list() == []
