"""The rules under concurrency: one transaction is stopped at the point that hurts, another runs."""

from concurrent.futures import Future

import psycopg
import pytest
from psycopg import errors

from tests.schema.conftest import Meeting
from tests.schema.test_checks import (
    BOB,
    CAPTURING,
    GATEWAY_PAYMENT,
    ORDER,
    PAID,
    PARCEL,
    PLAIN,
    PLAIN_LINE,
    ROOT,
    SIZED,
    SIZED_LINE,
)
from tests.schema.test_soft_delete import GUEST, count

SHIRTS = "00000000-0000-7000-8000-0000000000c2"
ADD_PLAIN = (
    "INSERT INTO cart_items (cart_id, product_id, quantity, unit_price) "
    f"VALUES ('{GUEST}', '{PLAIN}', 1, 20)"
)


def at_an_old_snapshot(meeting: Meeting, first: str, second: str) -> Future[object]:
    """Let `second` run at REPEATABLE READ, on a snapshot from before `first` was committed."""
    meeting.second.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    meeting.second.execute("SELECT 1")
    meeting.first.execute(first.encode())
    meeting.first.commit()

    def work(connection: psycopg.Connection) -> None:
        connection.execute(second.encode())
        connection.commit()

    return meeting.in_second(work)


def meet(meeting: Meeting, first: str, second: str) -> Future[object]:
    """Run `second` while `first` is not committed, then commit `first`."""
    meeting.first.execute(first.encode())

    def work(connection: psycopg.Connection) -> None:
        connection.execute(second.encode())
        connection.commit()

    running = meeting.in_second(work)
    meeting.first.commit()
    return running


def refused(running: Future[object]) -> str | None:
    with pytest.raises(errors.IntegrityError) as error:
        running.result(timeout=10)
    return error.value.diag.constraint_name


def test_two_moves_cannot_close_a_circle(meeting: Meeting, shop: psycopg.Connection) -> None:
    shop.execute("UPDATE categories SET parent_id = NULL")
    running = meet(
        meeting,
        f"UPDATE categories SET parent_id = '{SHIRTS}' WHERE id = '{ROOT}'",
        f"UPDATE categories SET parent_id = '{ROOT}' WHERE id = '{SHIRTS}'",
    )
    assert refused(running) == "categories_no_cycle"


def test_a_line_added_while_its_product_is_deleted_is_refused(meeting: Meeting) -> None:
    running = meet(
        meeting, f"UPDATE products SET deleted_at = now() WHERE id = '{PLAIN}'", ADD_PLAIN
    )
    assert refused(running) == "cart_items_product_not_deleted"


def test_a_line_being_added_is_cleared_by_the_deletion(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    running = meet(
        meeting, ADD_PLAIN, f"UPDATE products SET deleted_at = now() WHERE id = '{PLAIN}'"
    )
    running.result(timeout=10)
    assert count(shop, f"cart_items WHERE product_id = '{PLAIN}'".encode()) == 0


@pytest.mark.parametrize(
    ("table", "insert"),
    [
        ("carts", f"INSERT INTO carts (user_id) VALUES ('{BOB}')"),
        (
            "user_sessions",
            "INSERT INTO user_sessions (user_id, refresh_token_hash, expires_at) "
            f"VALUES ('{BOB}', sha256('x'), now() + interval '1 day')",
        ),
        (
            "password_resets",
            "INSERT INTO password_resets (user_id, token_hash, expires_at) "
            f"VALUES ('{BOB}', sha256('x'), now() + interval '1 day')",
        ),
        (
            "email_verifications",
            "INSERT INTO email_verifications (user_id, email, token_hash, expires_at) "
            f"VALUES ('{BOB}', 'b@x', sha256('x'), now() + interval '1 day')",
        ),
        (
            "orders",
            "INSERT INTO orders (user_id, currency_code, subtotal, total_amount, customer_email) "
            f"VALUES ('{BOB}', 'EUR', 0, 0, 'bob@example.com')",
        ),
    ],
)
def test_nothing_of_a_deleted_user_is_left_in_either_order(
    meeting: Meeting, shop: psycopg.Connection, table: str, insert: str
) -> None:
    delete = f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'"
    assert refused(meet(meeting, delete, insert)) == f"{table}_user_not_deleted"
    meeting.second.rollback()
    shop.execute(f"UPDATE users SET deleted_at = NULL WHERE id = '{BOB}'".encode())
    meet(meeting, insert, delete).result(timeout=10)
    assert count(shop, f"{table} WHERE user_id = '{BOB}'".encode()) == 0


def test_variants_changed_side_by_side_add_up(meeting: Meeting, shop: psycopg.Connection) -> None:
    running = meet(
        meeting,
        "UPDATE product_variants SET stock_quantity = 30 WHERE sku = 'SIZED-S'",
        "UPDATE product_variants SET stock_quantity = 40 WHERE sku = 'SIZED-M'",
    )
    running.result(timeout=10)
    found = shop.execute(f"SELECT stock_quantity FROM products WHERE id = '{SIZED}'".encode())
    assert found.fetchone() == (70,)


def test_ratings_given_side_by_side_add_up(meeting: Meeting, shop: psycopg.Connection) -> None:
    review = "INSERT INTO product_reviews (product_id, rating, is_approved) VALUES ('{}', {}, true)"
    meet(meeting, review.format(SIZED, 4), review.format(SIZED, 3)).result(timeout=10)
    found = shop.execute(
        f"SELECT rating_sum, rating_count FROM product_stats WHERE product_id = '{SIZED}'".encode()
    )
    assert found.fetchone() == (7, 2)


def test_refunds_given_side_by_side_stay_within_what_was_captured(meeting: Meeting) -> None:
    refund = f"INSERT INTO refunds (payment_id, amount) VALUES ('{PAID}', 20)"
    assert refused(meet(meeting, refund, refund)) == "refunds_within_captured"


def test_a_capture_taken_back_while_it_is_refunded_is_refused(meeting: Meeting) -> None:
    running = meet(
        meeting,
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{PAID}', 20)",
        f"UPDATE payments SET captured_amount = 20 WHERE id = '{PAID}'",
    )
    assert refused(running) == "refunds_within_captured"


CAPTURE = (
    "INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
    f"VALUES ('{GATEWAY_PAYMENT}', 'capture', 6, uuidv7()::text)"
)
VOID = CAPTURE.replace("'capture'", "'void'")
MORE = (
    "INSERT INTO payments (order_id, gateway, payment_method, amount) "
    f"VALUES ('{ORDER}', 'sandbox', 'card', 0.01)"
)


@pytest.mark.parametrize(
    ("first", "second"), [(CAPTURE, CAPTURE), (CAPTURE, VOID), (VOID, CAPTURE)]
)
def test_captures_and_voids_side_by_side_stay_within_the_amount(
    meeting: Meeting, first: str, second: str
) -> None:
    assert refused(meet(meeting, first, second)) == "payment_operations_within_amount"


def test_one_operation_has_one_effect(meeting: Meeting, shop: psycopg.Connection) -> None:
    """Two that bring the same news: the second finds it written."""
    news = (
        f"UPDATE payment_operations SET status = '{{}}', error_code = {{}} WHERE id = '{CAPTURING}'"
    )
    running = meet(meeting, news.format("succeeded", "NULL"), news.format("declined", "'x'"))
    assert refused(running) == "payment_operations_step"
    found = shop.execute("SELECT captured_amount FROM payments WHERE gateway = 'sandbox'")
    assert found.fetchone() == (4,)


def test_the_same_key_written_twice_at_once_is_one(meeting: Meeting) -> None:
    same = CAPTURE.replace("6, uuidv7()::text", "1, 'same'")
    with pytest.raises(errors.UniqueViolation) as error:
        meet(meeting, same, same).result(timeout=10)
    assert error.value.diag.constraint_name == "payment_operations_idempotency_key_key"


def test_payments_begun_side_by_side_stay_within_the_total(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute("UPDATE orders SET subtotal = 50.01, total_amount = 50.01")
    assert refused(meet(meeting, MORE, MORE)) == "payments_within_total"


def test_no_payment_of_an_order_that_is_being_cancelled_begins(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    cancel = "UPDATE orders SET status = 'cancelled'"
    shop.execute("UPDATE orders SET subtotal = 60, total_amount = 60")
    assert refused(meet(meeting, cancel, MORE)) == "payments_order_not_cancelled"


def test_what_is_authorized_once_its_order_is_cancelled_is_written_all_the_same(
    shop: psycopg.Connection,
) -> None:
    """A gateway's late answer has happened."""
    shop.execute("UPDATE orders SET subtotal = 60, total_amount = 60")
    shop.execute(MORE.encode())
    shop.execute("UPDATE orders SET status = 'cancelled'")
    shop.execute(
        "INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
        "SELECT id, 'authorize', amount, 'late' FROM payments WHERE amount = 0.01"
    )
    shop.execute(
        "UPDATE payment_operations SET status = 'succeeded' WHERE idempotency_key = 'late'"
    )
    shop.execute("UPDATE payments SET gateway_reference = 'late' WHERE amount = 0.01")
    shop.execute(
        "INSERT INTO payment_operations (payment_id, kind, amount, status, idempotency_key) "
        "SELECT id, 'void', amount, 'succeeded', 'void' FROM payments WHERE amount = 0.01"
    )
    found = shop.execute("SELECT status FROM payments WHERE amount = 0.01").fetchone()
    assert found == ("voided",)


AUTHORIZE = (
    "INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
    "SELECT id, 'authorize', 0.01, 'new' FROM payments WHERE payment_method = 'card' AND amount < 1"
)
DEARER = "UPDATE payments SET amount = 0.02 WHERE amount = 0.01"


@pytest.mark.parametrize(
    ("first", "second", "constraint"),
    [
        (AUTHORIZE, DEARER, "payments_kept_for_operations"),
        (DEARER, AUTHORIZE, "payment_operations_within_amount"),
    ],
)
def test_a_payment_is_not_changed_beside_its_first_operation(
    meeting: Meeting, shop: psycopg.Connection, first: str, second: str, constraint: str
) -> None:
    shop.execute("UPDATE orders SET subtotal = 60, total_amount = 60")
    shop.execute(MORE.encode())
    assert refused(meet(meeting, first, second)) == constraint


def test_a_payment_keeps_its_order_when_that_gets_another_key(shop: psycopg.Connection) -> None:
    other = "00000000-0000-7000-8000-000000000089"
    shop.execute("UPDATE orders SET subtotal = 45, total_amount = 45")  # below what is paid
    shop.execute(f"UPDATE orders SET id = '{other}'".encode())
    assert count(shop, f"payments WHERE order_id = '{other}'".encode()) == 3


def test_payments_and_refunds_side_by_side_add_up(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    """Each sees its own payment alone, until it has the order's row."""
    running = meet(
        meeting,
        f"UPDATE payments SET captured_amount = 46 WHERE id = '{PAID}'",
        f"UPDATE payment_operations SET status = 'succeeded' WHERE id = '{CAPTURING}'",
    )
    running.result(timeout=10)
    assert shop.execute("SELECT payment_status FROM orders").fetchone() == ("paid",)
    running = meet(
        meeting,
        "UPDATE refunds SET amount = 40, status = 'succeeded' WHERE amount = 10",
        "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method) "
        f"VALUES ('{ORDER}', 1, 1, 'captured', now(), 'cash')",
    )
    running.result(timeout=10)
    assert shop.execute("SELECT payment_status FROM orders").fetchone() == ("partially_refunded",)


def use(coupon_order: str) -> str:
    return (
        "WITH placed AS (INSERT INTO orders (currency_code, subtotal, total_amount, customer_email, "
        f"idempotency_key) VALUES ('EUR', 0, 0, 'a@x', '{coupon_order}') RETURNING id) "
        "INSERT INTO coupon_usage (coupon_id, order_id, discount_amount) "
        "SELECT '00000000-0000-7000-8000-000000000051', id, 1 FROM placed"
    )


def test_the_last_use_of_a_coupon_is_taken_once(meeting: Meeting) -> None:
    assert refused(meet(meeting, use("one"), use("two"))) == "coupons_used_within_limit"


def test_a_coupon_without_limit_makes_nobody_wait(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    meeting.first.execute(use("one").encode())

    def work(connection: psycopg.Connection) -> None:
        connection.execute(use("two").encode())
        connection.commit()

    meeting.in_second(work).result(timeout=10)  # done, though the first has not committed
    meeting.first.rollback()
    assert count(shop, b"coupon_usage") == 2


def test_a_limit_set_while_a_coupon_is_used_counts_that_use(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    limit = "UPDATE coupons SET usage_limit = 5"
    meet(meeting, use("one"), limit).result(timeout=10)
    assert shop.execute("SELECT used_count FROM coupons").fetchone() == (2,)
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    meet(meeting, limit, use("two")).result(timeout=10)
    assert shop.execute("SELECT used_count FROM coupons").fetchone() == (3,)


def test_the_same_line_added_twice_at_once_is_one(meeting: Meeting) -> None:
    assert refused(meet(meeting, ADD_PLAIN, ADD_PLAIN)) == "idx_cart_items_product_variant"


def test_one_cart_a_user_however_many_begin_one(meeting: Meeting) -> None:
    begin = f"INSERT INTO carts (user_id) VALUES ('{BOB}')"
    assert refused(meet(meeting, begin, begin)) == "idx_carts_user_id"


def test_two_steps_of_an_order_cannot_both_be_taken_from_the_same_place(meeting: Meeting) -> None:
    running = meet(
        meeting,
        "UPDATE orders SET status = 'cancelled'",
        "UPDATE orders SET status = 'confirmed'",
    )
    assert refused(running) == "orders_status_step"


REFUND = f"INSERT INTO refunds (payment_id, amount) VALUES ('{PAID}', 20)"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (REFUND, REFUND),
        (REFUND, f"UPDATE payments SET captured_amount = 20 WHERE id = '{PAID}'"),
        (f"UPDATE payments SET captured_amount = 20 WHERE id = '{PAID}'", REFUND),
        (f"UPDATE products SET deleted_at = now() WHERE id = '{PLAIN}'", ADD_PLAIN),
        (
            f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'",
            f"INSERT INTO carts (user_id) VALUES ('{BOB}')",
        ),
        (use("one"), use("two")),
        (
            "UPDATE product_variants SET stock_quantity = 30 WHERE sku = 'SIZED-S'",
            "UPDATE product_variants SET stock_quantity = 40 WHERE sku = 'SIZED-M'",
        ),
        (
            f"UPDATE products SET deleted_at = now() WHERE id = '{SIZED}'",
            "UPDATE product_variants SET is_active = true, stock_quantity = 9",
        ),
        ("UPDATE orders SET status = 'cancelled'", "UPDATE orders SET status = 'confirmed'"),
    ],
)
def test_no_rule_is_broken_from_an_old_snapshot(meeting: Meeting, first: str, second: str) -> None:
    """At REPEATABLE READ a rule that only looks would look at what is no longer so."""
    running = at_an_old_snapshot(meeting, first, second)
    with pytest.raises((errors.SerializationFailure, errors.IntegrityError)):
        running.result(timeout=10)


def old_snapshot_is_refused(meeting: Meeting, first: str, second: str) -> None:
    running = at_an_old_snapshot(meeting, first, second)
    with pytest.raises(errors.InvalidTransactionState, match="needs READ COMMITTED"):
        running.result(timeout=10)


def test_a_total_lowered_from_before_a_second_payment_does_not_miss_it(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    """The payment leaves the order's row as it was, so nothing but the rule notices."""
    lower = "UPDATE orders SET subtotal = 45, total_amount = 45"
    old_snapshot_is_refused(
        meeting,
        "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method) "
        f"VALUES ('{ORDER}', 5, 5, 'captured', now(), 'cash')",
        lower,
    )
    meeting.second.rollback()
    shop.execute(lower.encode())
    assert shop.execute("SELECT payment_status FROM orders").fetchone() == ("paid",)


MORE_OF_PLAIN = f"UPDATE order_items SET quantity = 2, subtotal = 40 WHERE id = '{PLAIN_LINE}'"
LATE_LINE = (
    "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
    f"subtotal) VALUES ('{ORDER}', '{PLAIN}', 'Late', 'LATE', 1, 1, 1)"
)


@pytest.mark.parametrize("change", [MORE_OF_PLAIN, LATE_LINE])
def test_lines_changed_from_before_a_parcel_do_not_miss_it(
    meeting: Meeting, shop: psycopg.Connection, change: str
) -> None:
    shop.execute("UPDATE orders SET status = 'confirmed'")
    send = (
        "INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity) "
        f"VALUES ('{PARCEL}', '{SIZED_LINE}', 1)"
    )
    old_snapshot_is_refused(meeting, send, change)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_product_deleted_while_its_variant_is_sold_leaves_no_active_variant(
    meeting: Meeting, shop: psycopg.Connection, *, swapped: bool
) -> None:
    """They lock in opposite orders, so that one of them may be the victim of a deadlock."""
    statements = [
        "UPDATE product_variants SET stock_quantity = stock_quantity - 1 WHERE sku = 'SIZED-S'",
        f"UPDATE products SET deleted_at = now() WHERE id = '{SIZED}'",
    ]
    first, second = reversed(statements) if swapped else statements
    meet(meeting, first, second).result(timeout=10)
    assert count(shop, b"product_variants WHERE is_active") == 0
    assert count(shop, b"products WHERE has_variants AND stock_quantity <> 0") == 0


CHARGE = (
    "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method, "
    f"card_last_four) VALUES ('{ORDER}', 1, 1, 'captured', now(), 'card', '4242')"
)
ERASE = "SELECT erase_user('00000000-0000-7000-8000-000000000001', NULL, 'asked for it')"


@pytest.mark.parametrize(("first", "second"), [(CHARGE, ERASE), (ERASE, CHARGE)])
def test_no_card_stays_with_the_order_of_an_erased_user(
    meeting: Meeting, shop: psycopg.Connection, first: str, second: str
) -> None:
    meet(meeting, first, second).result(timeout=10)
    assert count(shop, b"payments WHERE card_last_four IS NOT NULL") == 0
    shop.execute("UPDATE payments SET card_last_four = '4242'")
    assert count(shop, b"payments WHERE card_last_four IS NOT NULL") == 0
