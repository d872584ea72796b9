"""The generated shop in a real database: the same for a seed, whole, and believable."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import msgspec
import psycopg
import pytest
from psycopg import sql

from shopflow.demo import DemoReport, counts_for, load
from shopflow.demo.loader import ShopNotEmptyError
from shopflow.errors import InvalidInputError
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.pool import Pool
from shopflow.products.stock_reading import check_stock
from shopflow.settings import Settings

PRODUCTS = 300
STATUSES = {"pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"}
# Written by triggers that read the real clock.
BY_THE_CLOCK = {
    ("order_status_history", "id"),
    ("stock_movements", "id"),
    ("stock_movements", "created_at"),
    ("orders", "updated_at"),
    ("coupons", "updated_at"),
    ("payments", "updated_at"),
    ("product_search", "changed_at"),
}


async def loaded(settings: Settings, *, products: int = PRODUCTS, seed: int = 7) -> DemoReport:
    pool = Pool(settings)
    await pool.open()
    try:
        return await load(pool, products=products, seed=seed)
    finally:
        await pool.close()


@contextmanager
def second_shop(settings: Settings, admin: psycopg.Connection, template: str) -> Iterator[Settings]:
    """Another clone of the migrated database, beside the test's own."""
    assert settings.database_url is not None
    name = psycopg.conninfo.conninfo_to_dict(settings.database_url)["dbname"]
    other = f"{name}_again"
    admin.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(other),
            sql.Identifier(f"{settings.schema}_owner"),
            sql.Identifier(template),
        )
    )
    try:
        url = settings.database_url.replace(f"/{name}", f"/{other}", 1)
        yield msgspec.structs.replace(settings, database_url=url)
    finally:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(other)))


def digests(settings: Settings) -> dict[str, str]:
    """A digest of every table's rows, whatever their order."""
    with psycopg.connect(conninfo(settings)) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = %(schema)s AND table_type = 'BASE TABLE'"
            " AND table_name NOT LIKE '%%alembic%%' AND table_name NOT LIKE '%%migration%%'"
            " ORDER BY table_name, ordinal_position",
            {"schema": settings.schema},
        ).fetchall()
        found = {}
        for table, group in itertools.groupby(columns, key=lambda column: column[0]):
            compared = [name for _, name in group if (table, name) not in BY_THE_CLOCK]
            statement = sql.SQL(
                "SELECT md5(coalesce(string_agg(line, '|' ORDER BY line COLLATE \"C\"), ''))"
                " FROM (SELECT ROW({})::text AS line FROM {}) AS lines"
            ).format(sql.SQL(", ").join(map(sql.Identifier, compared)), sql.Identifier(table))
            row = connection.execute(statement).fetchone()
            assert row is not None
            found[table] = row[0]
        return found


async def test_same_seed_same_shop(
    settings: Settings, admin: psycopg.Connection, template_database: str
) -> None:
    with second_shop(settings, admin, template_database) as other:
        first = await loaded(settings)
        second = await loaded(other)
        assert first.rows == second.rows
        assert digests(settings) == digests(other)
    assert len(digests(settings)) >= 23


async def test_another_seed_another_shop(
    settings: Settings, admin: psycopg.Connection, template_database: str
) -> None:
    with second_shop(settings, admin, template_database) as other:
        await loaded(settings, products=40, seed=1)
        await loaded(other, products=40, seed=2)
        first, second = digests(settings), digests(other)
    for table in ("products", "users", "orders", "product_reviews"):
        assert first[table] != second[table]


async def test_report_counts_what_is_there(settings: Settings) -> None:
    report = await loaded(settings)
    with psycopg.connect(conninfo(settings)) as connection:
        there = {}
        for table in report.rows:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            ).fetchone()
            assert row is not None
            there[table] = row[0]
    assert there == report.rows
    assert report.products == PRODUCTS == report.rows["products"]
    assert report.rows["categories"] == counts_for(PRODUCTS).categories
    assert report.rows["orders"] == counts_for(PRODUCTS).orders
    assert abs(report.rows["product_reviews"] / counts_for(PRODUCTS).reviews - 1) < 0.2


async def test_a_shop_is_loaded_once(settings: Settings) -> None:
    await loaded(settings, products=20)
    before = digests(settings)
    with pytest.raises(ShopNotEmptyError, match="20 products") as refused:
        await loaded(settings, products=20, seed=8)
    assert refused.value.found["products"] == 20
    assert digests(settings) == before


async def test_a_failure_leaves_nothing(settings: Settings) -> None:
    pool = Pool(settings)
    await pool.open()

    def fail(what: str, _done: int, _total: int) -> None:
        if what == "products":
            raise RuntimeError("stop")

    empty = digests(settings)
    try:
        with pytest.raises(RuntimeError, match="stop"):
            await load(pool, products=20, seed=1, progress=fail)
    finally:
        await pool.close()
    assert digests(settings) == empty


async def test_progress_reaches_the_end(settings: Settings) -> None:
    told: list[tuple[str, int, int]] = []
    pool = Pool(settings)
    await pool.open()
    try:
        await load(
            pool,
            products=20,
            seed=1,
            progress=lambda what, done, total: told.append((what, done, total)),
        )
    finally:
        await pool.close()
    assert [what for what, _, _ in told] == ["categories", "users", "products", "orders", "carts"]
    assert told[-1][1] == told[-1][2] == counts_for(20).units


async def test_less_than_a_product_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidInputError, match="products"):
        await loaded(settings, products=0)


# What would not be believable; each statement counts the rows at fault.
FAULTS: dict[str, LiteralString] = {
    "an order whose subtotal is not that of its lines": """
        SELECT count(*) FROM orders AS o WHERE o.subtotal IS DISTINCT FROM
            (SELECT sum(i.subtotal) FROM order_items AS i WHERE i.order_id = o.id)""",
    "a history that does not end with the order's status": """
        SELECT count(*) FROM orders AS o WHERE o.status IS DISTINCT FROM
            (SELECT h.status FROM order_status_history AS h WHERE h.order_id = o.id
             ORDER BY h.created_at DESC LIMIT 1)""",
    "a history that does not begin when the order was placed": """
        SELECT count(*) FROM orders AS o WHERE o.placed_at IS DISTINCT FROM
            (SELECT min(h.created_at) FROM order_status_history AS h WHERE h.order_id = o.id)""",
    "anything after the demo's now": """
        SELECT count(*) FROM (
            SELECT created_at FROM orders UNION ALL SELECT created_at FROM order_status_history
            UNION ALL SELECT created_at FROM products UNION ALL SELECT created_at FROM users
            UNION ALL SELECT created_at FROM product_reviews UNION ALL SELECT created_at FROM carts
        ) AS moments WHERE created_at > '2026-01-01T12:00:00Z'""",
    "a key that is not of version 7 or not of its row's time": """
        SELECT count(*) FROM products
        WHERE uuid_extract_version(id) IS DISTINCT FROM 7
            OR uuid_extract_timestamp(id) IS DISTINCT FROM created_at""",
    "a line of a product that did not exist yet": """
        SELECT count(*) FROM order_items AS i JOIN products AS p ON p.id = i.product_id
        WHERE p.created_at > i.created_at""",
    "a line without the variant": """
        SELECT count(*) FROM order_items AS i JOIN products AS p ON p.id = i.product_id
        WHERE p.has_variants AND i.variant_id IS NULL""",
    "a price that ends on neither .90 nor .95": """
        SELECT count(*) FROM (SELECT price FROM products UNION ALL SELECT price FROM product_variants)
            AS prices WHERE price % 1 NOT IN (0.90, 0.95)""",
    "a review older than its product or its author": """
        SELECT count(*) FROM product_reviews AS r JOIN products AS p ON p.id = r.product_id
        JOIN users AS u ON u.id = r.user_id
        WHERE r.created_at < p.created_at OR r.created_at < u.created_at""",
    "an address of a real mail server": """
        SELECT count(*) FROM users WHERE email NOT LIKE '%@example.com'""",
    "a password": "SELECT count(*) FROM users WHERE password_hash <> '!'",
    "an image on a real host": """
        SELECT count(*) FROM product_images WHERE url NOT LIKE 'https://images.example.invalid/%'""",
    "a product without one primary image": """
        SELECT count(*) FROM products AS p WHERE 1 <>
            (SELECT count(*) FROM product_images AS i WHERE i.product_id = p.id AND i.is_primary)""",
    "a paid order without its payment": """
        SELECT count(*) FROM orders AS o WHERE o.payment_status = 'paid' AND o.total_amount <>
            (SELECT coalesce(sum(captured_amount), 0) FROM payments WHERE order_id = o.id)""",
    "a refunded order that kept money": """
        SELECT count(*) FROM orders AS o WHERE o.payment_status = 'refunded' AND o.total_amount <>
            (SELECT coalesce(sum(r.amount), 0) FROM refunds AS r
             JOIN payments AS p ON p.id = r.payment_id WHERE p.order_id = o.id)""",
    "a shipped order without a shipment": """
        SELECT count(*) FROM orders AS o WHERE o.status IN ('shipped', 'delivered')
            AND NOT EXISTS (SELECT FROM order_shipments WHERE order_id = o.id)""",
    "a line that a shipped order has not sent, or another has": """
        SELECT count(*) FROM orders AS o JOIN order_items AS i ON i.order_id = o.id
        WHERE (i.fulfilled_quantity = i.quantity) <>
            (o.fulfillment_status IN ('fulfilled', 'returned'))""",
    "a shipped order that says it is not": """
        SELECT count(*) FROM orders
        WHERE status IN ('shipped', 'delivered') AND fulfillment_status <> 'fulfilled'""",
    "a discount without the coupon's use": """
        SELECT count(*) FROM orders AS o WHERE o.status <> 'cancelled' AND o.discount_amount <>
            (SELECT coalesce(sum(discount_amount), 0) FROM coupon_usage WHERE order_id = o.id)""",
    "a limited coupon that counts other uses": """
        SELECT count(*) FROM coupons AS c WHERE c.usage_limit IS NOT NULL AND c.used_count <>
            (SELECT count(*) FROM coupon_usage AS u WHERE u.coupon_id = c.id)""",
    "a payment status that is not that of the payments": """
        SELECT count(*) FROM orders AS o
        CROSS JOIN LATERAL derived_payment_status(o.id, o.total_amount) AS d
        WHERE o.payment_status <> d.payment_status""",
    "a fulfillment status that is not that of the lines": """
        SELECT count(*) FROM orders AS o
        CROSS JOIN LATERAL derived_fulfillment_status(o.id) AS d
        WHERE o.fulfillment_status <> d.fulfillment_status""",
    "a sale that took stock: the demo's was there after it": """
        SELECT count(*) FROM stock_movements WHERE reason <> 'initial'""",
}
# What a shop must have some of.
PRESENT: dict[str, LiteralString] = {
    "categories on the third level": """
        SELECT count(*) FROM categories AS c JOIN categories AS p ON p.id = c.parent_id
        WHERE p.parent_id IS NOT NULL""",
    "products out of stock": "SELECT count(*) FROM products WHERE stock_quantity = 0",
    "products at a reduced price": "SELECT count(*) FROM products WHERE compare_at_price > price",
    "products with variants": "SELECT count(*) FROM products WHERE has_variants",
    "variants sold out": "SELECT count(*) FROM product_variants WHERE stock_quantity = 0",
    "orders of guests": "SELECT count(*) FROM orders WHERE user_id IS NULL",
    "orders of users": "SELECT count(*) FROM orders WHERE user_id IS NOT NULL",
    "orders with a coupon": "SELECT count(*) FROM orders WHERE coupon_code IS NOT NULL",
    "carts of guests": "SELECT count(*) FROM carts WHERE session_id IS NOT NULL",
    "carts of users": "SELECT count(*) FROM carts WHERE user_id IS NOT NULL",
    "partial refunds": "SELECT count(*) FROM orders WHERE payment_status = 'partially_refunded'",
    "orders that came back": "SELECT count(*) FROM orders WHERE fulfillment_status = 'returned'",
    "steps with an actor": "SELECT count(*) FROM order_status_history WHERE created_by IS NOT NULL",
    "ratings": "SELECT count(*) FROM product_stats WHERE rating_count > 0",
    "reviews not approved yet": "SELECT count(*) FROM product_reviews WHERE NOT is_approved",
}


async def test_the_shop_is_believable(
    settings: Settings, connection: psycopg.AsyncConnection
) -> None:
    await loaded(settings)
    faults = {name: await number(connection, statement) for name, statement in FAULTS.items()}
    assert faults == dict.fromkeys(FAULTS, 0)
    assert await check_stock(connection) == []
    missing = [
        name for name, statement in PRESENT.items() if not await number(connection, statement)
    ]
    assert missing == []


async def test_cancelled_orders_have_given_their_coupons_back(
    settings: Settings, connection: psycopg.AsyncConnection
) -> None:
    counts = msgspec.structs.replace(counts_for(20), orders=600)
    pool = Pool(settings)
    await pool.open()
    try:
        await load(pool, products=20, seed=7, counts=counts)
    finally:
        await pool.close()
    cancelled = """
        SELECT count(*) FROM orders WHERE status = 'cancelled' AND coupon_code IS NOT NULL"""
    assert await number(connection, cancelled) > 0
    used = """
        SELECT count(*) FROM orders AS o JOIN coupon_usage AS u ON u.order_id = o.id
        WHERE o.status = 'cancelled'"""
    assert await number(connection, used) == 0
    uses = "SELECT sum(used_count) FROM coupons WHERE usage_limit IS NOT NULL"
    rows = """
        SELECT count(*) FROM coupon_usage AS u JOIN coupons AS c ON c.id = u.coupon_id
        WHERE c.usage_limit IS NOT NULL"""
    assert await number(connection, uses) == await number(connection, rows)


async def test_orders_are_in_every_state(
    settings: Settings, connection: psycopg.AsyncConnection
) -> None:
    await loaded(settings, products=10)
    cursor = await connection.execute("SELECT DISTINCT status FROM orders")
    assert {row[0] for row in await cursor.fetchall()} == STATUSES


async def test_few_products_have_most_of_the_reviews(
    settings: Settings, connection: psycopg.AsyncConnection
) -> None:
    await loaded(settings)
    cursor = await connection.execute(
        "SELECT count(*) FROM product_reviews GROUP BY product_id ORDER BY 1 DESC"
    )
    counts = [row[0] for row in await cursor.fetchall()]
    assert sum(counts[: PRODUCTS // 5]) > sum(counts) / 2
    assert counts[0] > 10 * counts[len(counts) // 2]


async def test_the_triggers_agree(settings: Settings, connection: psycopg.AsyncConnection) -> None:
    await loaded(settings)
    assert (
        await number(
            connection,
            """SELECT count(*) FROM products AS p WHERE has_variants AND stock_quantity <>
            (SELECT sum(stock_quantity) FROM product_variants WHERE product_id = p.id)""",
        )
        == 0
    )
    # The variants went in with their products: no product was written twice.
    assert (
        await number(connection, "SELECT count(*) FROM products WHERE updated_at <> created_at")
        == 0
    )


async def test_counts_can_be_chosen(
    settings: Settings, connection: psycopg.AsyncConnection
) -> None:
    counts = msgspec.structs.replace(counts_for(50), categories=500, brands=3, reviews=0)
    pool = Pool(settings)
    await pool.open()
    try:
        report = await load(pool, products=50, seed=1, counts=counts)
    finally:
        await pool.close()
    assert report.rows["categories"] == 500
    assert report.rows["brands"] == 3
    assert report.rows["product_reviews"] == 0
    assert (
        await number(connection, "SELECT count(*) FROM product_stats WHERE rating_count > 0") == 0
    )


async def number(connection: psycopg.AsyncConnection, statement: LiteralString) -> int:
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]
