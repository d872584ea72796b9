"""The language of the shop, and the change to another one while it is searched."""

import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.products.search.models import SearchLanguage
from tests.catalogue import a_product, inserted


async def found(shop: Shop, text: str) -> list[str]:
    return [item.name for item in (await shop.products.search.find(text)).items]


async def test_words_are_read_in_the_language_of_the_shop(shop: Shop) -> None:
    brand = await inserted(shop, "brands", {"name": "Häuser", "slug": "h"})
    await a_product(shop, name="Grüne Häuser", brand_id=brand)
    search = shop.products.search
    await search.synonyms.add("häuser", "villa")
    await a_product(shop, name="Villa")
    assert await search.language() == SearchLanguage("english", None)
    assert await found(shop, "haus ") == []
    seen: list[int] = []
    done = await search.set_language("german", progress=seen.append)
    assert (done.products, sum(seen)) == (2, 2)
    assert done.changed >= 1
    assert await search.language() == SearchLanguage("german", None)
    # The stem of both; the synonym's as well.
    assert sorted(await found(shop, "haus ")) == ["Grüne Häuser", "Villa"]
    # New ones too.
    await a_product(shop, name="Kleines Haus")
    assert len(await found(shop, "häusern ")) == 3
    assert (await search.set_language("german")).changed == 0


async def test_while_it_changes_everything_is_found(shop: Shop) -> None:
    await a_product(shop, name="Running Shoes")
    search = shop.products.search
    async with shop.pool.connection() as connection:
        await connection.execute(
            "UPDATE search_settings SET language = 'simple', previous_language = 'english'"
        )
    # Its document is in english still, and this one's is not.
    await a_product(shop, name="Running Socks")
    assert len(await found(shop, "running ")) == 2
    assert len(await found(shop, '"running shoes"')) == 1
    # What a worker does after the command was interrupted.
    assert await search.refresh() == 1
    assert await search.language() == SearchLanguage("simple", None)
    assert len(await found(shop, "running ")) == 2
    assert await found(shop, "run ") == []


async def test_a_change_under_way_is_finished_before_the_next(shop: Shop) -> None:
    await a_product(shop, name="Running Shoes")
    async with shop.pool.connection() as connection:
        await connection.execute(
            "UPDATE search_settings SET language = 'simple', previous_language = 'english'"
        )
    await shop.products.search.set_language("german")
    assert await shop.products.search.language() == SearchLanguage("german", None)


@pytest.mark.parametrize("language", ["klingon", "", "x'y"])
async def test_a_language_that_the_server_has_not_is_refused(shop: Shop, language: str) -> None:
    with pytest.raises(InvalidInputError, match="language"):
        await shop.products.search.set_language(language)


async def test_a_rebuild_puts_right_what_happened_without_triggers(shop: Shop) -> None:
    await a_product(shop, name="Pillow")
    await a_product(shop, name="Duvet", is_active=False)
    async with shop.pool.connection() as connection:
        await connection.execute("ALTER TABLE products DISABLE TRIGGER USER")
        await connection.execute("UPDATE products SET name = 'Mug' WHERE name = 'Pillow'")
        await connection.execute("UPDATE products SET is_active = true WHERE name = 'Duvet'")
        await connection.execute(
            "INSERT INTO products (name, slug, sku, price) VALUES ('Lamp', 'l', 'l', 1)"
        )
        await connection.execute("ALTER TABLE products ENABLE TRIGGER USER")
    done = await shop.products.search.rebuild()
    assert (done.products, done.changed) == (3, 3)
    for name in ("Mug", "Duvet", "Lamp"):
        assert await found(shop, name) == [name]
    assert (await shop.products.search.rebuild()).changed == 0
