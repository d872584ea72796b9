"""What was sent and came back, from plain SQL: counted, derived, put into stock; and when two meet."""

from concurrent.futures import Future

import psycopg
import pytest

from tests.schema.conftest import Meeting
from tests.schema.test_checks import ORDER, PARCEL, PLAIN, PLAIN_LINE, SIZED, SIZED_LINE, SMALL
from tests.schema.test_meetings import meet, refused
from tests.schema.test_soft_delete import count

BACK = "00000000-0000-7000-8000-0000000000b9"
SECOND_PARCEL = "00000000-0000-7000-8000-0000000000a7"
SECOND_RETURN = "00000000-0000-7000-8000-0000000000b7"
# Three sized shirts were bought, and took stock; nothing was sent.
ORDERED = f"""
DELETE FROM order_return_items;
ALTER TABLE orders DISABLE TRIGGER USER;
UPDATE orders SET status = 'confirmed', subtotal = 110, total_amount = 110;
DELETE FROM order_shipment_items;
ALTER TABLE orders ENABLE TRIGGER USER;
UPDATE orders SET fulfillment_status = 'unfulfilled';
UPDATE order_items SET quantity = 3, subtotal = 90 WHERE id = '{SIZED_LINE}';
INSERT INTO stock_movements (product_id, variant_id, change, reason, order_id)
VALUES ('{SIZED}', '{SMALL}', -3, 'sale', '{ORDER}');
INSERT INTO order_shipments (id, order_id, carrier) VALUES ('{SECOND_PARCEL}', '{ORDER}', 'UPS');
INSERT INTO order_returns (id, order_id, refund_amount) VALUES ('{SECOND_RETURN}', '{ORDER}', 0);
"""


@pytest.fixture
def shop(shop: psycopg.Connection) -> psycopg.Connection:
    shop.execute(ORDERED.encode())
    return shop


def send(quantity: int, parcel: str = PARCEL, line: str = SIZED_LINE) -> str:
    return (
        "INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity) "
        f"VALUES ('{parcel}', '{line}', {quantity})"
    )


def take_back(quantity: int, *, restock: bool = False, back: str = BACK) -> str:
    return (
        "INSERT INTO order_return_items (return_id, order_item_id, quantity, restock) "
        f"VALUES ('{back}', '{SIZED_LINE}', {quantity}, {restock})"
    )


def one(shop: psycopg.Connection, statement: str) -> tuple[object, ...]:
    row = shop.execute(statement.encode()).fetchone()
    assert row is not None
    return tuple(row)


def counted(shop: psycopg.Connection) -> tuple[object, ...]:
    """How many of the three were sent and came back, and what the order says of it."""
    return one(
        shop,
        "SELECT fulfilled_quantity, returned_quantity, fulfillment_status FROM order_items "
        f"JOIN orders ON orders.id = order_id WHERE order_items.id = '{SIZED_LINE}'",
    )


def in_stock(shop: psycopg.Connection) -> object:
    (variant,) = one(shop, f"SELECT stock_quantity FROM product_variants WHERE id = '{SMALL}'")
    (moved,) = one(shop, f"SELECT sum(change) FROM stock_movements WHERE variant_id = '{SMALL}'")
    assert variant == moved
    return variant


def test_the_shop_begins_unsent(shop: psycopg.Connection) -> None:
    assert counted(shop) == (0, 0, "unfulfilled")
    assert in_stock(shop) == 0


def test_what_is_sent_and_comes_back_is_counted_whoever_writes(shop: psycopg.Connection) -> None:
    shop.execute(send(1).encode())
    assert counted(shop) == (1, 0, "partially_fulfilled")
    shop.execute(send(2, SECOND_PARCEL).encode())
    assert counted(shop) == (3, 0, "partially_fulfilled")
    shop.execute(send(1, line=PLAIN_LINE).encode())
    assert counted(shop) == (3, 0, "fulfilled")
    shop.execute(take_back(2).encode())
    assert counted(shop) == (3, 2, "partially_returned")
    shop.execute("UPDATE order_return_items SET quantity = 3")
    shop.execute(
        "INSERT INTO order_return_items (return_id, order_item_id, quantity, restock) "
        f"VALUES ('{BACK}', '{PLAIN_LINE}', 1, false)".encode()
    )
    assert counted(shop) == (3, 3, "returned")
    shop.execute("DELETE FROM order_returns")
    assert counted(shop) == (3, 0, "fulfilled")
    shop.execute(f"DELETE FROM order_shipments WHERE id = '{SECOND_PARCEL}'".encode())
    assert counted(shop) == (1, 0, "partially_fulfilled")
    shop.execute(
        f"UPDATE order_shipment_items SET quantity = 3 WHERE shipment_id = '{PARCEL}' "
        f"AND order_item_id = '{SIZED_LINE}'".encode()
    )
    assert counted(shop) == (3, 0, "fulfilled")
    shop.execute("TRUNCATE order_shipment_items")
    assert counted(shop) == (0, 0, "unfulfilled")


def test_a_line_moves_to_another_parcel_when_the_order_is_long_delivered(
    shop: psycopg.Connection,
) -> None:
    shop.execute((send(3) + "; " + send(1, line=PLAIN_LINE)).encode())
    for status in ("processing", "shipped", "delivered"):
        shop.execute(f"UPDATE orders SET status = '{status}'".encode())
    shop.execute(f"UPDATE order_shipment_items SET shipment_id = '{SECOND_PARCEL}'".encode())
    assert counted(shop) == (3, 0, "fulfilled")


def test_lines_that_come_and_go_change_what_the_order_says(shop: psycopg.Connection) -> None:
    shop.execute((send(3) + "; " + send(1, line=PLAIN_LINE)).encode())
    shop.execute(
        "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
        f"subtotal) VALUES ('{ORDER}', '{PLAIN}', 'Late', 'LATE', 1, 1, 1)".encode()
    )
    assert counted(shop) == (3, 0, "partially_fulfilled")
    shop.execute("DELETE FROM order_items WHERE sku = 'LATE'")
    assert counted(shop) == (3, 0, "fulfilled")
    shop.execute(
        f"UPDATE order_items SET quantity = 4, subtotal = 120 WHERE id = '{SIZED_LINE}'".encode()
    )
    assert counted(shop) == (3, 0, "partially_fulfilled")


def test_many_lines_in_one_statement(shop: psycopg.Connection) -> None:
    shop.execute(
        "INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity) "
        f"SELECT '{PARCEL}', id, quantity FROM order_items".encode()
    )
    assert counted(shop) == (3, 0, "fulfilled")


def test_one_line_after_very_many_reads_one_order(shop: psycopg.Connection) -> None:
    """No session keeps the plan of its first, large statement."""
    shop.execute("CREATE TEMP TABLE made (id uuid)")
    shop.execute(
        "WITH o AS (INSERT INTO orders (currency_code, subtotal, total_amount, customer_email) "
        "SELECT 'EUR', 1, 1, 'a@x' FROM generate_series(1, 3000) RETURNING id) "
        "INSERT INTO made SELECT id FROM o"
    )
    shop.execute("ANALYZE orders")
    line = (
        "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
        f"subtotal) SELECT id, '{PLAIN}', 'p', 's', 1, 1, 1 FROM made"
    )
    shop.execute(line.encode())
    read = "SELECT pg_stat_get_xact_tuples_returned('orders'::regclass)"
    with shop.transaction():
        (before,) = one(shop, read)
        shop.execute(f"{line} LIMIT 1".encode())
        (after,) = one(shop, read)
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after - before < 100


def test_a_lost_or_returned_parcel_was_sent_all_the_same(shop: psycopg.Connection) -> None:
    shop.execute(send(3).encode())
    for status in ("lost", "returned"):
        shop.execute(f"UPDATE order_shipments SET status = '{status}'".encode())
        assert counted(shop) == (3, 0, "partially_fulfilled")


def test_only_what_is_sold_again_goes_into_stock_and_a_correction_follows(
    shop: psycopg.Connection,
) -> None:
    shop.execute(send(3).encode())
    shop.execute(take_back(1).encode())
    assert in_stock(shop) == 0
    shop.execute(take_back(2, restock=True).encode())
    assert in_stock(shop) == 2
    assert one(
        shop, "SELECT change, order_id::text FROM stock_movements WHERE reason = 'return'"
    ) == (
        2,
        ORDER,
    )
    shop.execute("UPDATE order_return_items SET quantity = 1 WHERE restock")
    assert in_stock(shop) == 1
    shop.execute("DELETE FROM order_return_items WHERE NOT restock")
    shop.execute("UPDATE order_return_items SET restock = NOT restock")
    assert in_stock(shop) == 0
    shop.execute("UPDATE order_return_items SET restock = NOT restock")
    shop.execute("UPDATE order_items SET id = uuidv7()")
    assert in_stock(shop) == 1
    shop.execute("DELETE FROM order_returns")
    assert in_stock(shop) == 0


def test_what_took_no_stock_gives_none_back(shop: psycopg.Connection) -> None:
    """The shop's own movement is of the plain shirt; these are of a line that has none."""
    shop.execute(
        "INSERT INTO order_items (id, order_id, product_id, variant_id, product_name, sku, quantity, "
        "unit_price, subtotal) SELECT '00000000-0000-7000-8000-000000000095', "
        f"'{ORDER}', product_id, id, 'Gift', 'GIFT', 1, 0, 0 FROM product_variants "
        "WHERE sku = 'SIZED-M'".encode()
    )
    shop.execute(send(1, line="00000000-0000-7000-8000-000000000095").encode())
    before = count(shop, b"stock_movements")
    shop.execute(
        take_back(1, restock=True)
        .replace(SIZED_LINE, "00000000-0000-7000-8000-000000000095")
        .encode()
    )
    assert count(shop, b"stock_movements") == before


def test_a_partly_sent_order_that_is_cancelled_gives_back_the_rest(
    shop: psycopg.Connection,
) -> None:
    shop.execute(send(1).encode())
    shop.execute("UPDATE orders SET status = 'cancelled'")
    assert in_stock(shop) == 2
    shop.execute(take_back(1, restock=True).encode())
    assert in_stock(shop) == 3


def result(running: Future[object]) -> None:
    running.result(timeout=10)


def test_the_last_pieces_are_sent_once(meeting: Meeting, shop: psycopg.Connection) -> None:
    running = meet(meeting, send(2), send(2, SECOND_PARCEL))
    assert refused(running) == "order_items_fulfilled_quantity_check"
    assert counted(shop) == (2, 0, "partially_fulfilled")


def test_parcels_sent_side_by_side_add_up(meeting: Meeting, shop: psycopg.Connection) -> None:
    result(meet(meeting, send(2), send(1, SECOND_PARCEL)))
    assert counted(shop) == (3, 0, "partially_fulfilled")


def test_the_last_pieces_come_back_once(meeting: Meeting, shop: psycopg.Connection) -> None:
    shop.execute(send(3).encode())
    running = meet(
        meeting,
        take_back(2, restock=True),
        take_back(2, restock=True, back=SECOND_RETURN),
    )
    assert refused(running) == "order_items_returned_quantity_check"
    assert counted(shop) == (3, 2, "partially_returned")
    assert in_stock(shop) == 2


def test_a_parcel_unpacked_while_its_goods_come_back_stays(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute(send(3).encode())
    running = meet(meeting, take_back(1), "DELETE FROM order_shipment_items")
    assert refused(running) == "order_items_returned_quantity_check"


def test_what_is_cancelled_meanwhile_is_not_sent(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    running = meet(meeting, "UPDATE orders SET status = 'cancelled'", send(3))
    assert refused(running) == "order_shipment_items_order_status"
    assert in_stock(shop) == 3


def test_what_is_sent_meanwhile_is_not_given_back(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    result(meet(meeting, send(3), "UPDATE orders SET status = 'cancelled'"))
    assert in_stock(shop) == 0
    assert counted(shop) == (3, 0, "partially_fulfilled")


def test_a_line_added_while_the_rest_is_sent_is_seen(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute(send(1, line=PLAIN_LINE).encode())
    add = (
        "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
        f"subtotal) VALUES ('{ORDER}', '{PLAIN}', 'Late', 'LATE', 1, 1, 1)"
    )
    result(meet(meeting, add, send(3)))
    assert counted(shop) == (3, 0, "partially_fulfilled")
