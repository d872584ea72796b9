"""Shipments of before their lines were kept: what the migration makes of them."""

from shopflow.migrations import env, runner
from shopflow.settings import Settings

BEFORE = "20261124100360"
# An order in each state of fulfilment, of two pieces; all but the first two have two shipments.
OLD = """
INSERT INTO products (id, name, slug, sku, price) VALUES (uuidv7(), 'P', 'p', 'p', 1);
INSERT INTO orders (order_number, fulfillment_status, currency_code, subtotal, total_amount, customer_email)
SELECT s || n, s, 'EUR', 2, 2, 'a@x'
FROM (VALUES ('unfulfilled', 1), ('fulfilled', 0), ('partially_fulfilled', 1), ('fulfilled', 1),
    ('partially_returned', 1), ('returned', 1)) AS given (s, n);
INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, subtotal)
SELECT o.id, p.id, 'P', 'p', 2, 1, 2 FROM orders AS o, products AS p;
INSERT INTO order_shipments (order_id, carrier, created_at)
SELECT id, 'C' || n, now() + n * interval '1 day' FROM orders, generate_series(1, 2) AS n
WHERE order_number NOT IN ('unfulfilled1', 'fulfilled0');
"""
FOUND = """
SELECT o.order_number, o.fulfillment_status, i.fulfilled_quantity, i.returned_quantity,
    (SELECT string_agg(s.carrier, ',') FROM order_shipment_items AS l
     JOIN order_shipments AS s ON s.id = l.shipment_id WHERE l.order_item_id = i.id)
FROM orders AS o JOIN order_items AS i ON i.order_id = o.id ORDER BY o.id
"""


def test_what_was_sent_whole_has_its_lines_and_the_rest_says_so(empty_settings: Settings) -> None:
    runner.up(empty_settings, target=BEFORE)
    with env.connection(empty_settings, application_name="test") as connection:
        connection.execute(OLD.encode())
    runner.up(empty_settings)
    with env.connection(empty_settings, application_name="test") as connection:
        found = connection.execute(FOUND.encode()).fetchall()
    assert found == [
        ("unfulfilled1", "unfulfilled", 0, 0, None),
        # Of no parcel nobody knows what was in it, nor of a part which.
        ("fulfilled0", "unfulfilled", 0, 0, None),
        ("partially_fulfilled1", "unfulfilled", 0, 0, None),
        ("fulfilled1", "fulfilled", 2, 0, "C1"),
        ("partially_returned1", "fulfilled", 2, 0, "C1"),
        ("returned1", "returned", 2, 2, "C1"),
    ]
