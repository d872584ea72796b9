"""Orders by the usual transaction: a statement for each thing to do, from Python with psycopg."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from bench.load import Place
from bench.ours import ADDRESS, cart_ids
from shopflow.ids import CartId
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

# Connections for so many callers: see docs/reference/benchmarks.md.
POOL = 8
LINES = """
    SELECT ci.product_id, ci.quantity, c.user_id, u.email
    FROM carts AS c
    JOIN users AS u ON u.id = c.user_id
    JOIN cart_items AS ci ON ci.cart_id = c.id
    WHERE c.id = %s
    ORDER BY ci.product_id
"""
PRODUCT = """
    SELECT name, sku, price, stock_quantity,
        (SELECT url FROM product_images WHERE product_id = products.id AND is_primary)
    FROM products WHERE id = %s AND is_active AND deleted_at IS NULL FOR UPDATE
"""
ORDER = """
    INSERT INTO orders
        (user_id, customer_email, currency_code, idempotency_key, subtotal, total_amount)
    VALUES (%s, %s, 'USD', %s, %s, %s) RETURNING id
"""
ITEM = """
    INSERT INTO order_items
        (order_id, product_id, product_name, sku, quantity, unit_price, subtotal, image_url)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
STOCK = "UPDATE products SET stock_quantity = stock_quantity - %s WHERE id = %s"
ORDER_ADDRESS = """
    INSERT INTO order_addresses (
        order_id, address_type, first_name, last_name,
        address_line_1, city, postal_code, country_code
    )
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
EMPTY = "DELETE FROM cart_items WHERE cart_id = %s"


class _ShortageError(Exception):
    """There is less in stock than the cart asks for."""


@asynccontextmanager
async def placing(shop: Settings, tag: str, pool: int = POOL) -> AsyncIterator[Place]:
    """Give the function that places an order."""
    carts = cart_ids(shop)
    async with AsyncConnectionPool(
        conninfo(shop), min_size=pool, max_size=pool, open=False
    ) as connections:
        await connections.wait()

        async def place(number: int) -> bool:
            try:
                # Commits at the end of the block, rolls back when it is left by an error.
                async with connections.connection() as connection:
                    await _place(connection, carts[number], f"{tag}-{number}")
            except _ShortageError:
                return False
            return True

        yield place


async def _place(connection: AsyncConnection[Any], cart: CartId, key: str) -> None:
    cursor = connection.cursor()
    lines = await (await cursor.execute(LINES, (cart,))).fetchall()
    items, subtotal = [], Decimal(0)
    for product_id, quantity, _, _ in lines:
        found = await (await cursor.execute(PRODUCT, (product_id,))).fetchone()
        if found is None or found[3] < quantity:
            raise _ShortageError
        name, sku, price, _, image = found
        subtotal += quantity * price
        items.append((product_id, name, sku, quantity, price, quantity * price, image))
    _, _, user_id, email = lines[0]
    await cursor.execute(ORDER, (user_id, email, key, subtotal, subtotal))
    (order_id,) = await cursor.fetchone() or (None,)
    await cursor.executemany(ITEM, [(order_id, *item) for item in items])
    for product_id, quantity, _, _ in lines:
        await cursor.execute(STOCK, (quantity, product_id))
    await cursor.executemany(
        ORDER_ADDRESS, [_address(order_id, "shipping"), _address(order_id, "billing")]
    )
    await cursor.execute(EMPTY, (cart,))


def _address(order_id: object, kind: str) -> tuple[object, ...]:
    a = ADDRESS
    return (
        order_id,
        kind,
        a.first_name,
        a.last_name,
        a.address_line_1,
        a.city,
        a.postal_code,
        a.country_code,
    )
