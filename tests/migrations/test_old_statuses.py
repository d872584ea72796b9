"""Orders of before their statuses were derived: what the migrations make of them, and who waits."""

import psycopg

from shopflow.migrations import env, runner
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

DERIVED = "20261124100450"
CORRECTED = "20261124100452"
# Forty orders of 10 that are paid, of which only half say so; and as many unpaid ones.
OLD = """
ALTER TABLE orders DISABLE TRIGGER USER;
ALTER TABLE payments DISABLE TRIGGER USER;
INSERT INTO orders (order_number, payment_status, currency_code, subtotal, total_amount, customer_email)
SELECT 'O' || n, CASE n % 2 WHEN 0 THEN 'paid' ELSE 'unpaid' END, 'EUR', 10, 10, 'a@x'
FROM generate_series(1, 80) AS n;
INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method)
SELECT id, 10, 10, 'captured', now(), 'cash' FROM orders WHERE substr(order_number, 2)::int <= 40;
ALTER TABLE orders ENABLE TRIGGER USER;
ALTER TABLE payments ENABLE TRIGGER USER;
"""


def test_only_what_differs_is_written_and_others_do_not_wait(empty_settings: Settings) -> None:
    runner.up(empty_settings, target=DERIVED)
    with (
        env.connection(empty_settings, application_name="test") as connection,
        psycopg.connect(conninfo(empty_settings)) as other,
    ):
        connection.execute(OLD.encode())
        # Right already, and held by a checkout or a payment that takes its time.
        other.execute("SELECT FROM orders WHERE order_number IN ('O2', 'O41') FOR UPDATE")
        versions = dict(
            connection.execute("SELECT order_number, xmin::text FROM orders").fetchall()
        )
        runner.up(empty_settings, target=CORRECTED)
        found = connection.execute(
            "SELECT order_number, payment_status, xmin::text FROM orders"
        ).fetchall()
        other.rollback()
    for number, status, version in found:
        assert status == ("paid" if int(number[1:]) <= 40 else "unpaid")
        n = int(number[1:])
        right = (n % 2 == 0) == (n <= 40)
        assert (version == versions[number]) == right
