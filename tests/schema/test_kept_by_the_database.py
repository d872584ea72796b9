"""What the database keeps by itself: stock sums, ratings, coupon counts, history, updated_at."""

import psycopg

from tests.schema.test_checks import BOB, ORDER, PLAIN, SIZED, USER

STOCK = "SELECT stock_quantity, has_variants FROM products WHERE id = %(id)s"


def stock(shop: psycopg.Connection, product: str) -> tuple[int, bool]:
    row = shop.execute(STOCK, {"id": product}).fetchone()
    assert row is not None
    return row[0], row[1]


def test_stock_is_the_sum_of_the_active_variants(shop: psycopg.Connection) -> None:
    assert stock(shop, SIZED) == (7, True)
    shop.execute("UPDATE product_variants SET stock_quantity = 5 WHERE sku = 'SIZED-S'")
    assert stock(shop, SIZED) == (9, True)
    shop.execute("UPDATE product_variants SET is_active = false WHERE sku = 'SIZED-M'")
    assert stock(shop, SIZED) == (5, True)
    shop.execute(
        "UPDATE product_variants SET is_active = true, stock_quantity = stock_quantity + 1"
    )
    assert stock(shop, SIZED) == (11, True)


def test_variants_that_come_and_go_change_the_sum(shop: psycopg.Connection) -> None:
    shop.execute("DELETE FROM order_items")
    shop.execute(
        "INSERT INTO product_variants (product_id, name, sku, price, stock_quantity) "
        f"VALUES ('{PLAIN}', 'One', 'PLAIN-1', 20, 2)".encode()
    )
    assert stock(shop, PLAIN) == (2, True)
    shop.execute(
        f"UPDATE product_variants SET product_id = '{SIZED}' WHERE sku = 'PLAIN-1'".encode()
    )
    assert (stock(shop, PLAIN), stock(shop, SIZED)) == ((0, False), (9, True))
    shop.execute("DELETE FROM product_variants")
    assert stock(shop, SIZED) == (0, False)
    shop.execute("UPDATE products SET stock_quantity = 6")
    assert stock(shop, SIZED) == (6, False)


def test_truncate_keeps_the_sums_too(shop: psycopg.Connection) -> None:
    shop.execute("TRUNCATE product_variants CASCADE")
    assert stock(shop, SIZED) == (0, False)
    shop.execute("TRUNCATE product_reviews")
    assert rating(shop) == (0, 0)
    shop.execute("TRUNCATE coupon_usage")
    assert used(shop) == 0


def rating(shop: psycopg.Connection) -> tuple[int, int]:
    row = shop.execute("SELECT rating_sum, rating_count FROM product_stats").fetchone()
    assert row is not None
    return row[0], row[1]


def test_only_approved_ratings_count(shop: psycopg.Connection) -> None:
    shop.execute(
        f"INSERT INTO product_reviews (product_id, user_id, rating) VALUES ('{PLAIN}', '{BOB}', 2)".encode()
    )
    assert rating(shop) == (5, 1)
    shop.execute("UPDATE product_reviews SET is_approved = true")
    assert rating(shop) == (7, 2)
    shop.execute("UPDATE product_reviews SET rating = 1")
    assert rating(shop) == (2, 2)
    shop.execute(
        f"UPDATE product_reviews SET is_approved = false WHERE user_id = '{USER}'".encode()
    )
    assert rating(shop) == (1, 1)
    shop.execute("DELETE FROM product_reviews")
    assert rating(shop) == (0, 0)


def test_a_review_can_move_to_another_product(shop: psycopg.Connection) -> None:
    shop.execute(f"UPDATE product_reviews SET product_id = '{SIZED}'".encode())
    found = shop.execute(
        "SELECT product_id::text, rating_sum FROM product_stats ORDER BY 1"
    ).fetchall()
    assert found == [(PLAIN, 0), (SIZED, 5)]


def used(shop: psycopg.Connection) -> int:
    row = shop.execute("SELECT used_count FROM coupons").fetchone()
    assert row is not None
    return int(row[0])


def test_uses_of_a_limited_coupon_are_counted(shop: psycopg.Connection) -> None:
    assert used(shop) == 1
    shop.execute("DELETE FROM coupon_usage")
    assert used(shop) == 0


def test_a_limit_set_later_counts_what_was_used_before(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE coupons SET usage_limit = NULL, used_count = 0")
    shop.execute("UPDATE coupons SET usage_limit = 1")
    assert used(shop) == 1


def test_every_step_of_an_order_is_in_its_history(shop: psycopg.Connection) -> None:
    for status in ("confirmed", "processing"):
        with shop.transaction():
            shop.execute("SELECT set_config('shopflow.actor', %(user)s, true)", {"user": USER})
            shop.execute(
                "SELECT set_config('shopflow.reason', %(why)s, true)", {"why": f"why {status}"}
            )
            shop.execute("UPDATE orders SET status = %(status)s", {"status": status})
    shop.execute("UPDATE orders SET status = 'processing', customer_email = 'other@example.com'")
    assert shop.execute(
        "SELECT status, notes, created_by::text FROM order_status_history ORDER BY created_at, id"
    ).fetchall() == [
        ("pending", None, None),
        ("confirmed", "why confirmed", USER),
        ("processing", "why processing", USER),
    ]


def test_orders_brought_in_keep_their_own_times(shop: psycopg.Connection) -> None:
    with shop.transaction():
        shop.execute("SET LOCAL shopflow.occurred_at = '2020-02-29 12:00+00'")
        shop.execute("UPDATE orders SET status = 'confirmed'")
    row = shop.execute(
        "SELECT created_at = '2020-02-29 12:00+00' FROM order_status_history WHERE status = 'confirmed'"
    ).fetchone()
    assert row == (True,)


def test_a_failed_refund_frees_what_it_held(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE refunds SET status = 'failed'")
    shop.execute("INSERT INTO refunds (payment_id, amount) SELECT payment_id, 40 FROM refunds")


def test_the_steps_of_an_order_are_those_of_the_function(shop: psycopg.Connection) -> None:
    statuses = [
        status
        for (status,) in shop.execute(
            "SELECT unnest(regexp_split_to_array('pending,confirmed,processing,shipped,delivered,"
            "cancelled,refunded', ','))"
        ).fetchall()
    ]
    allowed = {tuple(row) for row in shop.execute("SELECT * FROM order_status_steps()").fetchall()}
    path = {"pending": [], "confirmed": ["confirmed"], "cancelled": ["cancelled"]}
    path["processing"] = ["confirmed", "processing"]
    path["shipped"] = [*path["processing"], "shipped"]
    path["delivered"] = [*path["shipped"], "delivered"]
    path["refunded"] = ["confirmed", "refunded"]
    taken = set()
    for before in statuses:
        for after in statuses:
            if before != after and _steps(shop, path[before], after):
                taken.add((before, after))
    assert taken == allowed


def _steps(shop: psycopg.Connection, path: list[str], last: str) -> bool:
    with shop.transaction(force_rollback=True):
        for status in path:
            shop.execute("UPDATE orders SET status = %(status)s", {"status": status})
        try:
            shop.execute("UPDATE orders SET status = %(status)s", {"status": last})
        except psycopg.errors.CheckViolation:
            return False
        return True


def test_updated_at_follows_every_change(shop: psycopg.Connection) -> None:
    tables = shop.execute(
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_name = 'updated_at'"
    ).fetchall()
    assert len(tables) == 17
    for (table,) in tables:
        shop.execute(f"UPDATE {table} SET updated_at = '2000-01-01'".encode())
        found = shop.execute(
            f"SELECT max(updated_at) > now() - interval '1 hour' FROM {table}".encode()
        )
        assert found.fetchone() == (True,), table


def test_triggers_work_without_a_search_path(shop: psycopg.Connection) -> None:
    row = shop.execute("SELECT current_schema()").fetchone()
    assert row is not None
    shop.execute("SET search_path = pg_catalog")
    shop.execute(f"UPDATE {row[0]}.orders SET status = 'confirmed' WHERE id = '{ORDER}'".encode())
    shop.execute(f"UPDATE {row[0]}.users SET deleted_at = now() WHERE id = '{USER}'".encode())
    found = shop.execute(f"SELECT count(*) FROM {row[0]}.deleted_user_orders".encode())
    assert found.fetchone() == (1,)
