"""What the database keeps by itself: stock sums, ratings, coupon counts, history, updated_at."""

import re
from decimal import Decimal

import psycopg

from shopflow.orders.payments.recording import STEPS
from tests.schema.test_checks import BOB, GATEWAY_PAYMENT, ORDER, PAID, PLAIN, SIZED, USER

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
    shop.execute("TRUNCATE product_reviews")
    assert rating(shop) == (0, 0)
    shop.execute("TRUNCATE coupon_usage")
    assert used(shop) == 0


def rating(shop: psycopg.Connection) -> tuple[int, int]:
    row = shop.execute(
        "SELECT sum(rating_sum)::int, sum(rating_count)::int FROM product_stats"
    ).fetchone()
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
        ("pending", None, USER),
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
    shop.execute("UPDATE refunds SET status = 'failed' WHERE amount = 10")
    shop.execute(
        "INSERT INTO refunds (payment_id, amount) SELECT payment_id, 39 FROM refunds LIMIT 1"
    )


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
    assert len(tables) >= 16
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


def payment(shop: psycopg.Connection) -> tuple[object, ...]:
    row = shop.execute(
        "SELECT status, captured_amount, voided_amount, captured_at IS NOT NULL, authorized_at IS NOT NULL, "
        f"failure_code FROM payments WHERE id = '{GATEWAY_PAYMENT}'".encode()
    ).fetchone()
    assert row is not None
    return row


def test_a_payment_is_what_its_operations_come_to(shop: psycopg.Connection) -> None:
    assert payment(shop) == ("authorized", Decimal(0), Decimal(0), False, True, None)
    shop.execute("UPDATE payment_operations SET status = 'succeeded' WHERE kind = 'capture'")
    assert payment(shop) == ("captured", Decimal(4), Decimal(0), True, True, None)
    shop.execute(
        "INSERT INTO payment_operations (payment_id, kind, amount, status, idempotency_key) "
        f"VALUES ('{GATEWAY_PAYMENT}', 'void', 6, 'succeeded', 'void')".encode()
    )
    assert payment(shop) == ("captured", Decimal(4), Decimal(6), True, True, None)


def test_a_payment_without_a_capture_is_voided_or_failed(shop: psycopg.Connection) -> None:
    shop.execute(
        "UPDATE payment_operations SET status = 'declined', error_code = 'x' WHERE kind = 'capture'"
    )
    assert payment(shop)[0] == "authorized"
    shop.execute(
        "INSERT INTO payment_operations (payment_id, kind, amount, status, idempotency_key) "
        f"VALUES ('{GATEWAY_PAYMENT}', 'void', 10, 'succeeded', 'void')".encode()
    )
    assert payment(shop)[:3] == ("voided", Decimal(0), Decimal(10))
    shop.execute(
        "WITH made AS (INSERT INTO payments (order_id, amount, gateway, payment_method) "
        f"VALUES ('{ORDER}', 10, 'sandbox', 'card') RETURNING id) "
        "INSERT INTO payment_operations (payment_id, kind, amount, status, error_code, idempotency_key) "
        "SELECT id, 'authorize', 10, 'declined', 'card_declined', 'other' FROM made".encode()
    )
    found = shop.execute("SELECT status, failure_code FROM payments WHERE status = 'failed'")
    assert found.fetchall() == [("failed", "card_declined")]


def test_a_refund_is_what_its_operation_says(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE payment_operations SET status = 'succeeded' WHERE kind = 'refund'")
    found = shop.execute("SELECT status FROM refunds WHERE amount = 1")
    assert found.fetchone() == ("succeeded",)


def paid(shop: psycopg.Connection) -> str:
    row = shop.execute("SELECT payment_status FROM orders").fetchone()
    assert row is not None
    return str(row[0])


def test_payment_status_follows_from_payments_and_refunds(shop: psycopg.Connection) -> None:
    assert paid(shop) == "partially_paid"  # 40 of 50
    shop.execute(f"UPDATE payments SET captured_amount = 50 WHERE id = '{PAID}'".encode())
    assert paid(shop) == "paid"
    shop.execute("UPDATE payment_operations SET status = 'succeeded' WHERE kind = 'refund'")
    assert paid(shop) == "partially_refunded"
    shop.execute("UPDATE refunds SET amount = 49, status = 'succeeded' WHERE amount = 10")
    assert paid(shop) == "refunded"
    shop.execute("UPDATE refunds SET status = 'failed' WHERE amount = 49")
    assert paid(shop) == "partially_refunded"
    shop.execute("DELETE FROM refunds WHERE amount = 49")
    shop.execute(
        "UPDATE payments SET captured_amount = 0, captured_at = NULL, status = 'voided' "
        "WHERE id = (SELECT id FROM payments WHERE status = 'pending' LIMIT 1)"
    )
    assert paid(shop) == "partially_refunded"


def test_payment_status_follows_from_the_total_too(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE orders SET subtotal = 40, total_amount = 40")
    assert paid(shop) == "paid"
    shop.execute("UPDATE orders SET subtotal = 40.01, total_amount = 40.01")
    assert paid(shop) == "partially_paid"


def test_an_order_that_loses_its_payments_is_unpaid(shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE payment_operations DISABLE TRIGGER payment_operations_kept")
    shop.execute("DELETE FROM payment_operations WHERE kind = 'refund'")
    shop.execute("DELETE FROM refunds")
    shop.execute(f"DELETE FROM payments WHERE id = '{PAID}'".encode())
    assert paid(shop) == "authorized"
    shop.execute("DELETE FROM payment_operations")
    shop.execute("DELETE FROM payments")
    assert paid(shop) == "unpaid"


def test_the_steps_of_an_operation_are_those_of_python(shop: psycopg.Connection) -> None:
    found = shop.execute("SELECT * FROM payment_operation_steps()").fetchall()
    assert {tuple(row) for row in found} == {
        (before, after) for before, afters in STEPS.items() for after in afters
    }


def test_order_numbers_are_random_in_every_letter(shop: psycopg.Connection) -> None:
    rows = shop.execute("SELECT new_order_number() FROM generate_series(1, 2000)").fetchall()
    numbers = [number for (number,) in rows]
    assert len(set(numbers)) == 2000
    dates, letters = {number[:7] for number in numbers}, [number[7:] for number in numbers]
    assert all(re.fullmatch(r"\d{6}-", date) for date in dates)
    # 32 letters in each of ten places, all of them: one is missing once in 10 ** 24 runs.
    assert [len(set(place)) for place in zip(*letters, strict=True)] == [32] * 10
    assert set("".join(letters)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
