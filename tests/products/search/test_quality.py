"""Searches with a right answer: all that should be found is, before anything else."""

from collections.abc import Mapping

import pytest

from shopflow import Shop
from shopflow.ids import ProductId

# What is typed, what has to be found, and what it was corrected to.
Labelled = tuple[str, list[str], str | None]
PLAIN: list[Labelled] = [
    ("headphones", ["headphones", "wired"], None),
    ("headphone", ["headphones", "wired"], None),
    ("wireless", ["headphones", "earbuds", "wireless-keyboard"], None),
    ("wireless headphones", ["headphones"], None),
    ("HEADPHONES wireless", ["headphones"], None),
    ("sonora", ["headphones", "earbuds"], None),
    ("klang headphones", ["wired"], None),
    ("mug", ["blue-mug", "red-mug", "travel-mug", "teapot"], None),
    ("mugs", ["blue-mug", "red-mug", "travel-mug", "teapot"], None),
    ("blue mug", ["blue-mug", "teapot"], None),
    ("kitchen steel", ["travel-mug", "knife"], None),
    ("waterproof", ["boots", "rain-jacket", "speaker"], None),
    ("shoes for running", ["running-shoes"], None),
    ("usb-c", ["charger"], None),
    ("t-shirt", ["t-shirt"], None),
    ("oak table", ["dining-table"], None),
]
PHRASES: list[Labelled] = [
    ('"blue mug"', ["blue-mug", "teapot"], None),
    ('"mug blue"', [], None),
    ('"made in portugal"', ["t-shirt"], None),
    ('"cast iron"', ["pan", "dumbbells"], None),
    ('"in portugal" wool', ["sweater"], None),
]
WITHOUT: list[Labelled] = [
    ("mug -blue", ["red-mug", "travel-mug"], None),
    ("headphones -wireless", ["wired"], None),
    ('mug -"red mug" ', ["blue-mug", "travel-mug"], None),
    ("outdoor -gipfel", ["travel-mug"], None),
]
BEGINNINGS: list[Labelled] = [
    ("headph", ["headphones", "wired"], None),
    ("wireless head", ["headphones"], None),
    ("runni", ["running-shoes"], None),
    ("cardi", ["cardigan"], None),
    ("sleeping ba", ["sleeping-bag"], None),
    ("kno", [], "knife"),
]
MISTYPED: list[Labelled] = [
    ("wirelss headphnes", ["headphones"], "wireless headphones"),
    ("headphons", ["headphones", "wired"], None),
    ("haedphones", ["headphones", "wired"], "headphones"),
    ("keybord", ["keyboard", "wireless-keyboard"], "keyboard"),
    ("mechnical keyboard", ["keyboard"], "mechanical keyboard"),
    ("bluetoth speaker", ["speaker"], "bluetooth speaker"),
    ("swaeter", ["sweater"], "sweater"),
    ("merinoo", ["sweater"], "merino"),
    ("tbale", ["dining-table", "coffee-table"], "table"),
    ("backpak", ["backpack"], "backpack"),
    ("fountian pen", ["pen"], "fountain pen"),
    ("yogga mat", ["yoga-mat"], "yoga mat"),
    ("gipfle boots", ["boots"], "gipfel boots"),
    ("watterproof jacket", ["rain-jacket"], "waterproof jacket"),
    ("dumbels", ["dumbbells"], "dumbbells"),
]
SYNONYMOUS: list[Labelled] = [
    ("sofa", ["couch"], None),
    ("sofas", ["couch"], None),
    ("couch", ["couch"], None),
    ("jumper", ["sweater"], None),
    ("merino jumper", ["sweater"], None),
    ("mobile phone", ["phone"], None),
    ("cup", ["blue-mug", "red-mug", "travel-mug", "teapot"], None),
    ("sneakers", ["running-shoes"], None),
    ("cups -blue", ["red-mug", "travel-mug"], None),
]
EVERY = [
    *(
        (kind, *each)
        for kind, some in {
            "plain": PLAIN,
            "phrase": PHRASES,
            "without": WITHOUT,
            "beginning": BEGINNINGS,
            "mistyped": MISTYPED,
            "synonym": SYNONYMOUS,
        }.items()
        for each in some
    )
]
# Of what comes first how much should be there, and of what should be there how much is.
PRECISION, RECALL = 0.95, 1.0


async def test_what_should_be_found_is_found_first(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    names = {product_id: key for key, product_id in goods.items()}
    search = shop.products.search
    await search.synonyms.add("sofa", "couch")
    await search.synonyms.add("jumper", "sweater")
    await search.synonyms.add("mobile phone", "smartphone")
    await search.synonyms.add("cup", "mug")
    await search.synonyms.add("sneakers", "running shoes", both_ways=False)
    wrong: list[str] = []
    missed: list[str] = []
    precise, complete, asked_for = 0.0, 0.0, 0
    for kind, text, expected, corrected in EVERY:
        page = await search.find(text, limit=10)
        found = [names[item.id] for item in page.items]
        if page.corrected != corrected and not (kind == "beginning" and not expected):
            wrong.append(f"{kind}: {text!r} was corrected to {page.corrected!r}, not {corrected!r}")
        if not expected:
            continue
        asked_for += 1
        hits = len(set(found) & set(expected))
        complete += hits / len(expected)
        # Of the first k, k being how many there should be.
        precise += len(set(found[: len(expected)]) & set(expected)) / len(expected)
        if set(found[: len(expected)]) != set(expected):
            missed.append(f"{kind}: {text!r} found {found}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert asked_for >= 45
    assert complete / asked_for >= RECALL, "\n".join(missed)
    assert precise / asked_for >= PRECISION, "\n".join(missed)


@pytest.mark.parametrize(
    ("text", "best", "other"),
    [
        # In the name, not in the description alone.
        ("blue mug", "blue-mug", "teapot"),
        ("smartphone", "phone", "case"),
        # In the tags, not in the description alone.
        ("bluetooth", "speaker", "earbuds"),
    ],
)
async def test_the_name_weighs_more(
    shop: Shop, goods: Mapping[str, ProductId], text: str, best: str, other: str
) -> None:
    found = [item.slug for item in (await shop.products.search.find(text)).items]
    assert found.index(best) < found.index(other)


async def test_of_equal_ones_the_popular_comes_first(
    shop: Shop, goods: Mapping[str, ProductId]
) -> None:
    search = shop.products.search

    async def order() -> list[str]:
        return [item.slug for item in (await search.find('"thrown stoneware"')).items]

    before = await order()
    assert sorted(before) == ["blue-mug", "red-mug"]
    async with shop.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO product_reviews (product_id, rating, is_approved)"
            " SELECT %(id)s, 5, true FROM generate_series(1, 20)",
            {"id": goods[before[1]]},
        )
    assert await search.refresh_popularity() == 1
    assert await order() == before[::-1]
    assert await search.refresh_popularity() == 0
