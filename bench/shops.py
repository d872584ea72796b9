"""Databases for the competitors in taking orders: the same schema, products, users and carts."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg import sql

from bench import servers
from shopflow.migrations import runner
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# Above what all rounds together can sell.
PLENTY = 1_000_000
TEMPLATE = "bench_template"
# Far apart in the products' table, so that orders under way at the same time seldom meet.
STRIDE = 7919
FILL = """
    CREATE SCHEMA bench;
    CREATE TABLE bench.products (n integer PRIMARY KEY, id uuid NOT NULL);
    CREATE TABLE bench.carts (n integer PRIMARY KEY, id uuid NOT NULL, user_id uuid NOT NULL);
    CREATE TABLE bench.requests (n integer PRIMARY KEY, request jsonb NOT NULL);
    CREATE TABLE bench.before (product_id uuid PRIMARY KEY, stock integer, sold bigint);
    WITH made AS (
        INSERT INTO products (name, slug, sku, price, stock_quantity)
        SELECT 'Product ' || n, 'product-' || n, 'SKU-' || n, 5 + n %% 5000 / 100.0, %(stock)s
        FROM generate_series(0, %(products)s - 1) AS n
        RETURNING id, sku
    )
    INSERT INTO bench.products SELECT substr(sku, 5)::integer, id FROM made;
    INSERT INTO product_images (product_id, url, is_primary)
    SELECT id, 'https://img.example/' || n || '.jpg', TRUE FROM bench.products;
    WITH made AS (
        INSERT INTO users (email, password_hash, first_name, last_name)
        SELECT 'buyer' || n || '@example.com', '!', 'Ann', 'Archer'
        FROM generate_series(0, %(carts)s - 1) AS n
        RETURNING id
    ),
    cart AS (INSERT INTO carts (user_id) SELECT id FROM made RETURNING id, user_id)
    INSERT INTO bench.carts SELECT row_number() OVER () - 1, id, user_id FROM cart;
"""
# Every cart that an order emptied is filled again.
REFILL = """
    DELETE FROM cart_items AS ci USING bench.carts AS c
    WHERE ci.cart_id = c.id AND ci.product_id NOT IN (
        SELECT id FROM bench.products WHERE n < %(products)s
    );
    INSERT INTO cart_items (cart_id, product_id, quantity, unit_price)
    SELECT c.id, p.id, 1, p.price
    FROM bench.carts AS c
    CROSS JOIN generate_series(0, %(lines)s - 1) AS line
    JOIN bench.products AS b ON b.n = (c.n * %(lines)s + line) * %(stride)s %% %(products)s
    JOIN products AS p ON p.id = b.id
    WHERE c.n < %(orders)s AND NOT EXISTS (SELECT FROM cart_items AS i WHERE i.cart_id = c.id);
"""
STOCK = """
    UPDATE products AS p SET stock_quantity = %(stock)s
    FROM bench.products AS b
    WHERE
        b.id = p.id AND b.n < %(products)s
        AND p.stock_quantity NOT BETWEEN %(least)s AND %(stock)s
"""
REMEMBER = """
    TRUNCATE bench.before;
    INSERT INTO bench.before
    SELECT p.id, p.stock_quantity, coalesce(s.sold, 0)
    FROM products AS p
    LEFT JOIN (
        SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id
    ) AS s ON s.product_id = p.id
"""
SOLD = """
    SELECT
        coalesce(sum(greatest(s.sold - b.sold - b.stock, 0)), 0)::integer,
        coalesce(sum(s.sold - b.sold), 0)::integer
    FROM (SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id) AS s
    JOIN bench.before AS b ON b.product_id = s.product_id
"""


class Goods(msgspec.Struct, frozen=True):
    """What is ordered: of the first `products`, each order `lines` of them, one piece each.

    `stock` is what each of them has in stock before a run; None for more than is ever sold.
    """

    products: int
    lines: int
    stock: int | None = None

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return self.products * (PLENTY if self.stock is None else self.stock)


class Sold(msgspec.Struct, frozen=True):
    """What a run sold: how many pieces, and how many of them that were not there."""

    pieces: int
    oversold: int


def create(server: Settings, name: str, template: str = "template1") -> Settings:
    """Make a database and return settings for it."""
    owner = sql.Identifier(f"{server.schema}_owner")
    with psycopg.connect(Server(server).superuser_conninfo(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), owner, sql.Identifier(template)
            )
        )
    url = urlsplit(Server(server).url())._replace(path=f"/{name}").geturl()
    return msgspec.structs.replace(server, database_url=url)


@contextmanager
def filled(products: int, carts: int) -> Iterator[Settings]:
    """A server with a template of a shop: `products` with plenty of stock, a user for each cart."""
    with servers.running() as server:
        template = create(server, TEMPLATE)
        runner.up(template)
        with psycopg.connect(conninfo(template)) as connection:
            # One string of several statements takes no parameters on the server's side.
            numbers = {"products": products, "carts": carts, "stock": PLENTY}
            psycopg.ClientCursor(connection).execute(FILL, numbers)
        vacuum(template)
        yield server


def clone(server: Settings, name: str) -> Settings:
    """Return settings for a shop of its own, as the template has it."""
    return create(server, name, TEMPLATE)


def prepare(shop: Settings, goods: Goods, orders: int) -> None:
    """Fill the first `orders` carts, set the stock, and leave nothing of it to be done later."""
    stock = PLENTY if goods.stock is None else goods.stock
    numbers = {
        "products": goods.products,
        "lines": goods.lines,
        "orders": orders,
        "stock": stock,
        # What is still plenty stays as it is.
        "least": PLENTY // 2 if goods.stock is None else stock,
        "stride": STRIDE,
    }
    with psycopg.connect(conninfo(shop)) as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute("SET LOCAL statement_timeout = 0")
        for statement in (REFILL, STOCK, REMEMBER):
            cursor.execute(statement, numbers)
    vacuum(shop)
    checkpoint(shop)


def vacuum(shop: Settings) -> None:
    """Clean up after what prepared the run, as autovacuum otherwise would in the middle of it."""
    with psycopg.connect(conninfo(shop), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute("VACUUM (ANALYZE) products, carts, cart_items, orders, order_items")


def checkpoint(server: Settings) -> None:
    """Write what is dirty now, so that no run pays for another's."""
    with psycopg.connect(Server(server).superuser_conninfo(), autocommit=True) as admin:
        admin.execute("CHECKPOINT")


def sold(shop: Settings) -> Sold:
    """Return what was sold since `prepare`, counted in order_items."""
    with psycopg.connect(conninfo(shop)) as connection:
        row = connection.execute(SOLD).fetchone()
    oversold, pieces = row or (0, 0)
    return Sold(pieces=pieces, oversold=oversold)
