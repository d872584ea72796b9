"""Imports while others change the shop: their edits stay, what they delete stays deleted."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from time import monotonic

import psycopg
import pytest

from shopflow.importers.report import ImportReport
from shopflow.importers.shopify import import_shopify
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.importers.conftest import COLUMNS, Importer, Row, further, product

D = Decimal
PRICES = ("Handle", "Title", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Price")


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[psycopg.AsyncConnection]:
    """A session beside the import's, in a transaction."""
    async with await psycopg.AsyncConnection.connect(conninfo(settings)) as connection:
        yield connection


async def begun(
    importer: Importer,
    other: psycopg.AsyncConnection,
    *rows: Row,
    columns: tuple[str, ...] = COLUMNS,
) -> asyncio.Task[ImportReport]:
    """An import that has come as far as it can while the other session holds its locks."""
    path = importer.file(*rows, columns=columns)
    importing = asyncio.create_task(import_shopify(importer.connection, [path]))
    deadline = monotonic() + 10
    query = "SELECT pg_backend_pid() = ANY (pg_blocking_pids(%s))"
    while True:
        cursor = await other.execute(query, [importer.connection.info.backend_pid])
        if await cursor.fetchone() == (True,):
            return importing
        assert not importing.done(), "the import did not wait"
        assert monotonic() < deadline, "the import does not wait"


def cap(price: str, **values: str) -> list[Row]:
    return [
        product("cap", name1="Size", value1="S", sku="C-S", price=price, **values),
        further("cap", value1="M", sku="C-M", price=price),
    ]


async def test_an_edit_of_a_column_that_the_file_lacks_stays(
    importer: Importer, other: psycopg.AsyncConnection
) -> None:
    await importer.take(product("mug", body="old"))
    await other.execute("UPDATE products SET description = 'by the merchant', is_active = false")
    importing = await begun(importer, other, product("mug", price="12"), columns=PRICES)
    await other.commit()
    assert (await importing).changes.products_updated == 1
    assert await importer.rows("SELECT description, is_active, price FROM products") == [
        ("by the merchant", False, D("12.00"))
    ]


async def test_an_edit_of_a_variant_stays_where_the_file_lacks_the_column(
    importer: Importer, other: psycopg.AsyncConnection
) -> None:
    await importer.take(*cap("10"))
    await other.execute(
        "UPDATE product_variants SET compare_at_price = 20, stock_quantity = 3 WHERE sku = 'C-M'"
    )
    importing = await begun(importer, other, *cap("12"), columns=PRICES)
    await other.commit()
    assert (await importing).changes.variants_updated == 2
    assert await importer.rows(
        "SELECT name, price, compare_at_price, stock_quantity FROM product_variants ORDER BY name"
    ) == [("M", D("12.00"), D("20.00"), 3), ("S", D("12.00"), None, 0)]


@pytest.mark.parametrize("price", ["10", "12"])
async def test_a_product_that_is_deleted_meanwhile_is_a_new_one(
    importer: Importer, other: psycopg.AsyncConnection, price: str
) -> None:
    await importer.take(*cap("10"))
    await other.execute("UPDATE products SET deleted_at = now()")
    importing = await begun(importer, other, *cap(price))
    await other.commit()
    changes = (await importing).changes
    assert (changes.products_created, changes.variants_created, changes.total) == (1, 2, 3)
    assert await importer.rows(
        "SELECT p.deleted_at IS NULL, v.is_active, v.sku FROM products AS p"
        " JOIN product_variants AS v ON v.product_id = p.id ORDER BY 1, v.sku"
    ) == [(False, False, "C-M"), (False, False, "C-S"), (True, True, "C-M"), (True, True, "C-S")]


async def test_a_checkout_and_an_import_do_not_block_each_other_for_good(
    importer: Importer, other: psycopg.AsyncConnection
) -> None:
    await importer.take(*sizes("hat"), *sizes("tie"))
    (first,), (second,) = await importer.rows("SELECT slug FROM products ORDER BY id")
    # A checkout of size M of both: it locks the variants, then sells one after the other.
    await other.execute(
        "SELECT id FROM product_variants WHERE name = 'M' ORDER BY id FOR NO KEY UPDATE"
    )
    await sell(other, first)
    # Of the first the import writes size S, so that a trigger writes the sum; the second itself.
    importing = await begun(
        importer, other, *sizes(first, quantity="7"), *sizes(second, title="New")
    )
    await sell(other, second)
    await other.commit()
    await importing
    assert await importer.rows("SELECT slug, name, stock_quantity FROM products ORDER BY id") == [
        (first, first.title(), 12),
        (second, "New", 10),
    ]


def sizes(handle: str, **values: str) -> list[Row]:
    """Sizes S and M, five pieces of each."""
    return [
        product(handle, **({"name1": "Size", "value1": "S", "quantity": "5"} | values)),
        further(handle, value1="M", price="10", quantity="5"),
    ]


async def sell(connection: psycopg.AsyncConnection, handle: str) -> None:
    """One of size M."""
    await connection.execute(
        "UPDATE product_variants AS v SET stock_quantity = v.stock_quantity - 1"
        " FROM products AS p WHERE p.id = v.product_id AND p.slug = %s AND v.name = 'M'",
        [handle],
    )


async def test_nobody_waits_who_reads(
    importer: Importer, other: psycopg.AsyncConnection, settings: Settings
) -> None:
    await importer.take(*cap("10", image="https://x/1.jpg"), product("mug"))
    # What the import writes last, so that it holds all its locks when it waits.
    await other.execute("SELECT FROM product_images FOR UPDATE")
    changed = cap("12", image="https://x/1.jpg", alt="New")
    importing = await begun(importer, other, *changed, product("tin"), product("mug", title="Cup"))
    async with await psycopg.AsyncConnection.connect(conninfo(settings)) as reader:
        await reader.execute("SET LOCAL lock_timeout = '10s'")
        cursor = await reader.execute(
            "SELECT p.name, p.price FROM products AS p LEFT JOIN product_variants AS v"
            " ON v.product_id = p.id LEFT JOIN product_images AS i ON i.product_id = p.id"
            " GROUP BY p.id ORDER BY p.name"
        )
        assert await cursor.fetchall() == [("Cap", D(10)), ("Mug", D(10))]
        cursor = await reader.execute(
            "SELECT DISTINCT l.mode FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation"
            " WHERE l.pid = %s AND l.locktype = 'relation' AND c.relpersistence = 'p' AND c.relname LIKE '%%product%%'",
            [importer.connection.info.backend_pid],
        )
        modes = {mode for (mode,) in await cursor.fetchall()}
        assert modes == {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
    await other.commit()
    await importing
    assert await importer.rows("SELECT name FROM products ORDER BY name") == [
        ("Cap",),
        ("Cup",),
        ("Tin",),
    ]
