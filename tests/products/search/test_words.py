"""The words of the catalogue: counted, and forgotten when nothing has them."""

from shopflow import Shop
from tests.catalogue import a_product


async def words(shop: Shop) -> dict[str, int]:
    async with shop.pool.connection() as connection:
        found = await connection.execute("SELECT word, products FROM search_words")
        return dict(await found.fetchall())


async def test_words_are_counted(shop: Shop) -> None:
    first = await a_product(shop, name="Grey Pillow 50x70")
    await a_product(
        shop, name="White Pillow", tags=["cosy"], description="It's white, and 2 m wide."
    )
    assert (await words(shop))["pillow"] == 1
    async with shop.pool.connection() as connection:
        await connection.execute(
            "UPDATE products SET is_active = false WHERE id = %(id)s", {"id": first}
        )
    await a_product(shop, name="Blue pillow", description="blue blue")
    # Pillow and blue, which there were before, and grey.
    assert await shop.products.search.count_words() == 2
    assert await shop.products.search.count_words() == 0
    expected = {"white": 1, "pillow": 2, "cosy": 1, "it": 1, "and": 1, "wide": 1, "blue": 1}
    assert await words(shop) == expected


async def test_a_word_of_nothing_is_not_suggested_any_more(shop: Shop) -> None:
    await a_product(shop, name="Pillow")
    await shop.products.search.count_words()
    async with shop.pool.connection() as connection:
        await connection.execute("DELETE FROM products")
    assert await shop.products.search.count_words() == 1
    assert await words(shop) == {}
    assert (await shop.products.search.suggest("pil")).searches == ()
