"""Editors, buyers and programs that meet in the same row: nothing is lost, nothing in the way."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection

from shopflow import Shop
from shopflow.ids import ProductId
from shopflow.products import NewProduct, ProductChanges, VariantChanges
from shopflow.products.errors import SkuTakenError, VersionConflictError
from shopflow.products.writing import archive_product, update_product
from tests.catalogue import a_product, a_variant, run
from tests.orders.conftest import order
from tests.products.conftest import CALLERS
from tests.waiting import waiting


async def test_of_two_editors_who_read_the_same_the_second_is_told(shop: Shop) -> None:
    product_id = await a_product(shop)
    async with shop.pool.connection() as first, first.transaction():
        await update_product(first, product_id, ProductChanges(name="A"), expected_version=1)
        second = asyncio.create_task(
            shop.products.update(product_id, ProductChanges(name="B"), expected_version=1)
        )
        await waiting(shop, 1)
    with pytest.raises(VersionConflictError) as refused:
        await second
    assert (refused.value.expected, refused.value.current) == (1, 2)
    assert (await shop.products.get(product_id)).name == "A"


async def test_an_editor_who_takes_it_back_leaves_the_other_the_version(shop: Shop) -> None:
    product_id = await a_product(shop)
    async with shop.pool.connection() as first, first.transaction(force_rollback=True):
        await update_product(first, product_id, ProductChanges(name="A"), expected_version=1)
        second = asyncio.create_task(
            shop.products.update(product_id, ProductChanges(name="B"), expected_version=1)
        )
        await waiting(shop, 1)
    assert await second == 2
    assert (await shop.products.get(product_id)).name == "B"


async def test_editors_of_other_fields_who_expect_nothing_keep_each_others(shop: Shop) -> None:
    product_id = await a_product(shop)
    async with shop.pool.connection() as first, first.transaction():
        changes = ProductChanges(name="A", tags=("a",), price=Decimal(7))
        await update_product(first, product_id, changes, expected_version=None)
        second = asyncio.create_task(
            shop.products.update(
                product_id, ProductChanges(description="B", price=Decimal(9)), expected_version=None
            )
        )
        await waiting(shop, 1)
    assert await second == 3
    found = await shop.products.get(product_id)
    assert (found.name, found.tags, found.description) == ("A", ("a",), "B")
    assert found.price == Decimal(9)


async def test_of_many_editors_of_one_version_one_gets_through(roomy: Shop) -> None:
    product_id = await a_product(roomy)
    done = await asyncio.gather(
        *(
            roomy.products.update(product_id, ProductChanges(name=f"N{n}"), expected_version=1)
            for n in range(CALLERS)
        ),
        return_exceptions=True,
    )
    assert [each for each in done if not isinstance(each, BaseException)] == [2]
    refused = [each for each in done if isinstance(each, VersionConflictError)]
    assert [each.current for each in refused] == [2] * (CALLERS - 1)


async def test_a_sale_does_not_make_an_editor_lose(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    read = (await shop.products.get_for_admin(product_id)).version
    cart_id = await shop.carts.open(session_id="guest")
    await shop.carts.add(cart_id, product_id, quantity=3)
    await shop.orders.place(order(cart_id))
    await shop.products.stock.adjust(product_id, change=1)
    changes = ProductChanges(price=Decimal(7))
    assert await shop.products.update(product_id, changes, expected_version=read) == read + 1
    assert (await shop.products.get(product_id)).stock_quantity == 8


async def test_an_editor_meets_a_sale_under_way_and_keeps_its_stock(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=10)
    async with shop.pool.connection() as seller, seller.transaction():
        await seller.execute("UPDATE products SET stock_quantity = 4")
        editing = asyncio.create_task(
            shop.products.update(product_id, ProductChanges(name="A"), expected_version=1)
        )
        await waiting(shop, 1)
    assert await editing == 2
    found = await shop.products.get(product_id)
    assert (found.name, found.stock_quantity) == ("A", 4)


async def test_an_edit_and_an_archive_of_one_version(shop: Shop) -> None:
    product_id = await a_product(shop)
    async with shop.pool.connection() as first, first.transaction():
        await archive_product(first, product_id, expected_version=1)
        editing = asyncio.create_task(
            shop.products.update(product_id, ProductChanges(name="A"), expected_version=1)
        )
        await waiting(shop, 1)
    (refused,) = await asyncio.gather(editing, return_exceptions=True)
    assert str(refused) == f"no such product: {product_id}"


async def test_products_of_one_name_made_at_once_have_slugs_of_their_own(roomy: Shop) -> None:
    ids = await asyncio.gather(
        *(
            roomy.products.create(NewProduct(name="Mug", sku=f"MUG-{n}", price=Decimal(1)))
            for n in range(8)
        )
    )
    slugs = {slug for (slug,) in await run(roomy, "SELECT slug FROM products")}
    assert len(set(ids)) == len(slugs) == 8
    assert "mug" in slugs
    done = await asyncio.gather(
        *(
            roomy.products.create(NewProduct(name="Tin", sku="TIN", price=Decimal(1)))
            for _ in range(8)
        ),
        return_exceptions=True,
    )
    assert len([each for each in done if isinstance(each, SkuTakenError)]) == 7


async def test_archiving_beside_checkouts_and_variants_does_not_deadlock(roomy: Shop) -> None:
    product_ids = [await a_product(roomy, stock_quantity=0) for _ in range(4)]
    carts = []
    for number in range(12):
        cart_id = await roomy.carts.open(session_id=f"guest-{number}")
        for product_id in product_ids:
            variant_id = await a_variant(roomy, product_id, stock_quantity=50)
            await roomy.carts.add(cart_id, product_id, variant_id)
        carts.append(cart_id)
    done = await asyncio.gather(
        *(roomy.orders.place(order(cart_id)) for cart_id in carts),
        *(roomy.products.archive(each, expected_version=None) for each in product_ids[:2]),
        return_exceptions=True,
    )
    assert [each for each in done if isinstance(each, BaseException)] == []
    assert await roomy.products.stock.check() == []
    left = await run(roomy, "SELECT count(*) FROM products WHERE deleted_at IS NULL")
    assert left == [(2,)]


HOT = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
WHERE relid = %(table)s::regclass
"""


async def counts(connection: AsyncConnection[Any], table: str) -> tuple[int, int]:
    """Updates of a table so far, and how many of them were HOT."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    row = await (await connection.execute(HOT, {"table": table})).fetchone()
    assert row is not None
    return row[0], row[1]


async def test_stock_changes_stay_hot(shop: Shop) -> None:
    product_id = await a_product(shop)
    sized = await a_product(shop)
    variant_id = await a_variant(shop, sized)
    # Room on the page, as fillfactor leaves in a larger table; and no update before these.
    async with shop.pool.connection() as connection:
        before = {each: await counts(connection, each) for each in TABLES}
        for number in range(1, 51):
            await connection.execute(
                "UPDATE products SET stock_quantity = %s WHERE id = %s", [number, product_id]
            )
            await connection.execute(
                "UPDATE product_variants SET stock_quantity = %s WHERE id = %s",
                [number, variant_id],
            )
        after = {each: await counts(connection, each) for each in TABLES}
    for table, updates in TABLES.items():
        changed, hot = (now - then for now, then in zip(after[table], before[table], strict=True))
        assert changed >= updates, table
        assert hot == changed, table
    versions = "SELECT version FROM products UNION ALL SELECT version FROM product_variants"
    assert await run(shop, versions) == [(1,)] * 3


TABLES = {"products": 100, "product_variants": 50}
WATCHED = """
SELECT a.attname::text FROM pg_trigger AS t
JOIN pg_attribute AS a ON a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr)
WHERE t.tgrelid = %(table)s::regclass AND t.tgname = %(table)s || '_version'
"""
# What a sale, a rating or a trigger changes; everything else of a table is catalogue data.
NOT_CATALOGUE = {
    "id",
    "created_at",
    "updated_at",
    "stock_quantity",
    "has_variants",
}


@pytest.mark.parametrize("table", ["categories", "brands", "products", "product_variants"])
async def test_every_column_that_an_editor_changes_counts(shop: Shop, table: str) -> None:
    columns = await run(
        shop,
        "SELECT attname::text FROM pg_attribute"
        " WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped",
        table=table,
    )
    watched = await run(shop, WATCHED, table=table)
    assert {name for (name,) in columns} - NOT_CATALOGUE == {name for (name,) in watched}
    assert len(watched) >= 5


async def test_psql_counts_for_an_editor(shop: Shop) -> None:
    product_id: ProductId = await a_product(shop)
    variant_id = await a_variant(shop, product_id)
    await run(shop, "UPDATE product_variants SET price = price + 1")
    with pytest.raises(VersionConflictError, match="version 2 by now, not 1"):
        await shop.products.variants.update(
            variant_id, VariantChanges(name="M"), expected_version=1
        )
