"""What is searched is what the products say, whoever writes them; a sale touches none of it."""

from shopflow import Shop
from shopflow.ids import ProductId
from tests.catalogue import a_product, inserted


async def run(shop: Shop, statement: bytes, **values: object) -> None:
    async with shop.pool.connection() as connection:
        await connection.execute(statement, values)


async def finds(shop: Shop, text: str) -> set[ProductId]:
    return {item.id for item in (await shop.products.search.find(text)).items}


async def test_a_change_is_found_at_once(shop: Shop) -> None:
    product = await a_product(shop, name="Grey Pillow", tags=["cosy"], description="For sleep")
    for text in ("pillow", "cosy", "sleep"):
        assert await finds(shop, text) == {product}
    await run(shop, b"UPDATE products SET name = 'Duvet', tags = '{warm}', description = NULL")
    for text in ("pillow", "cosy", "sleep"):
        assert await finds(shop, text) == set()
    for text in ("duvet", "warm"):
        assert await finds(shop, text) == {product}


async def test_only_what_is_listed_is_found(shop: Shop) -> None:
    product = await a_product(shop, name="Pillow")
    hidden = await a_product(shop, name="Pillow", is_active=False)
    assert await finds(shop, "pillow") == {product}
    await run(shop, b"UPDATE products SET is_active = NOT is_active")
    assert await finds(shop, "pillow") == {hidden}
    await run(shop, b"UPDATE products SET deleted_at = now()")
    assert await finds(shop, "pillow") == set()
    await run(shop, b"UPDATE products SET deleted_at = NULL, is_active = true")
    assert await finds(shop, "pillow") == {product, hidden}
    await run(shop, b"DELETE FROM products")
    assert await finds(shop, "pillow") == set()


async def test_a_brand_is_found_under_its_name_now(shop: Shop) -> None:
    brand = await inserted(shop, "brands", {"name": "Acme", "slug": "acme"})
    product = await a_product(shop, name="Pillow", brand_id=brand)
    assert await finds(shop, "acme pillow") == {product}
    await run(shop, b"UPDATE brands SET name = 'Zenith'")
    assert await finds(shop, "acme") == set()
    assert await finds(shop, "zenith pillow") == {product}
    await run(shop, b"UPDATE products SET brand_id = NULL")
    assert await finds(shop, "zenith") == set()
    assert await finds(shop, "pillow") == {product}


async def test_a_deleted_brand_is_not_found_any_more(shop: Shop) -> None:
    brand = await inserted(shop, "brands", {"name": "Acme", "slug": "acme"})
    await a_product(shop, name="Pillow", brand_id=brand)
    await run(shop, b"DELETE FROM brands")
    assert await finds(shop, "acme") == set()


async def test_a_sale_and_a_price_leave_the_words_alone(shop: Shop) -> None:
    await a_product(shop, name="Pillow")
    row = b"SELECT xmin::text, ctid::text FROM product_search"
    async with shop.pool.connection() as connection:
        before = await (await connection.execute(row)).fetchall()
        await connection.execute("UPDATE products SET stock_quantity = stock_quantity - 1")
        hot = await connection.execute(
            "SELECT pg_stat_get_xact_tuples_hot_updated('products'::regclass)"
        )
        assert await hot.fetchall() == [(1,)]
        await connection.execute("UPDATE products SET price = price + 1, is_featured = true")
        assert await (await connection.execute(row)).fetchall() == before


async def test_a_text_of_any_length_is_taken(shop: Shop) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    product = await a_product(shop, name="Pillow", description=words)
    assert await finds(shop, "pillow word7") == {product}


async def test_of_two_who_write_new_words_nobody_waits(shop: Shop) -> None:
    insert = (
        "INSERT INTO products (name, slug, sku, price) VALUES (%(name)s, %(slug)s, %(slug)s, 1)"
    )
    async with (
        shop.pool.connection() as first,
        shop.pool.connection() as second,
        first.transaction(),
        second.transaction(),
    ):
        await first.execute(insert, {"name": "Pillow", "slug": "a"})
        await second.execute("SET LOCAL lock_timeout = '1ms'")
        await second.execute(insert, {"name": "Pillow Blanket", "slug": "b"})
        await first.execute(insert, {"name": "Blanket", "slug": "c"})
    search = shop.products.search
    assert len(await finds(shop, "pilow")) == 2
    assert await search.refresh() > 0
    assert len(await finds(shop, "blnket")) == 2
    assert await search.refresh() == 0
