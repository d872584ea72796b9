"""Every stock is the sum of its movements, from whichever side and by whichever client."""

import psycopg
import pytest
from psycopg import errors

PLAIN = "00000000-0000-7000-8000-0000000000a1"
SIZED = "00000000-0000-7000-8000-0000000000a2"
SMALL = "00000000-0000-7000-8000-0000000000e1"
ORDER = "00000000-0000-7000-8000-000000000081"
OUT_OF_STEP = """
    SELECT p.id FROM products AS p
    WHERE NOT p.has_variants AND p.stock_quantity <> coalesce((
        SELECT sum(m.change) FROM stock_movements AS m
        WHERE m.product_id = p.id AND m.variant_id IS NULL
    ), 0)
    UNION ALL
    SELECT v.id FROM product_variants AS v
    WHERE v.stock_quantity <> coalesce((
        SELECT sum(m.change) FROM stock_movements AS m WHERE m.variant_id = v.id
    ), 0)
"""
PIECE_SOLD = f"""
    INSERT INTO stock_movements (product_id, variant_id, change, reason, order_id)
    VALUES ('{SIZED}', '{SMALL}', -1, 'sale', '{ORDER}')
"""


def stock(shop: psycopg.Connection, product: str) -> int:
    row = shop.execute("SELECT stock_quantity FROM products WHERE id = %s", [product]).fetchone()
    assert row is not None
    return int(row[0])


def last(shop: psycopg.Connection) -> tuple[int, str]:
    row = shop.execute(
        "SELECT change, reason FROM stock_movements ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def in_step(shop: psycopg.Connection) -> bool:
    return shop.execute(OUT_OF_STEP).fetchall() == []


def test_a_stock_that_is_changed_writes_a_movement(shop: psycopg.Connection) -> None:
    shop.execute(f"UPDATE products SET stock_quantity = 25 WHERE id = '{PLAIN}'".encode())
    assert last(shop) == (16, "correction")
    with shop.transaction():
        shop.execute("SET LOCAL shopflow.stock_reason = 'import'")
        shop.execute("UPDATE product_variants SET stock_quantity = stock_quantity + 2")
    assert last(shop) == (2, "import")
    assert in_step(shop)


def test_a_movement_that_is_written_changes_the_stock(shop: psycopg.Connection) -> None:
    before = stock(shop, PLAIN), stock(shop, SIZED)
    shop.execute(
        f"INSERT INTO stock_movements (product_id, variant_id, change, reason) VALUES"
        f" ('{PLAIN}', NULL, 5, 'return'), ('{PLAIN}', NULL, -1, 'correction'),"
        f" ('{SIZED}', '{SMALL}', 3, 'return')".encode()
    )
    assert (stock(shop, PLAIN), stock(shop, SIZED)) == (before[0] + 4, before[1] + 3)
    assert in_step(shop)


def test_no_movement_takes_more_than_there_is(shop: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as refused:
        shop.execute(
            f"INSERT INTO stock_movements (product_id, change, reason) VALUES ('{PLAIN}', -99, 'sale')".encode()
        )
    assert refused.value.diag.constraint_name == "products_stock_non_negative"


def test_a_product_that_gets_variants_has_no_stock_of_its_own_any_more(
    shop: psycopg.Connection,
) -> None:
    shop.execute(
        f"INSERT INTO product_variants (product_id, name, sku, price, stock_quantity)"
        f" VALUES ('{PLAIN}', 'One', 'PLAIN-ONE', 20, 4)".encode()
    )
    assert stock(shop, PLAIN) == 4
    own = "SELECT sum(change) FROM stock_movements WHERE product_id = %s AND variant_id IS NULL"
    assert shop.execute(own.encode(), [PLAIN]).fetchall() == [(0,)]
    assert in_step(shop)


@pytest.mark.parametrize("setting", ["on", ""])
def test_nobody_takes_stock_and_movements_out_of_step(
    shop: psycopg.Connection, setting: str
) -> None:
    """The setting is the triggers' own: from outside it does nothing."""
    with shop.transaction():
        shop.execute("SELECT set_config('shopflow.stock_in_step', %s, true)", [setting])
        shop.execute("UPDATE product_variants SET stock_quantity = stock_quantity + 1")
        shop.execute("SELECT set_config('shopflow.stock_in_step', %s, true)", [setting])
        shop.execute(PIECE_SOLD.encode())
        shop.execute("SELECT set_config('shopflow.stock_in_step', %s, true)", [setting])
        shop.execute(f"UPDATE orders SET status = 'cancelled' WHERE id = '{ORDER}'".encode())
    assert last(shop) == (1, "cancellation")
    assert in_step(shop)


def test_a_cancelled_order_gives_back_what_it_took_and_its_coupon(
    shop: psycopg.Connection,
) -> None:
    shop.execute(PIECE_SOLD.encode())
    before = stock(shop, PLAIN), stock(shop, SIZED)
    # Bought more of in the books alone: never more comes back than was taken.
    shop.execute("UPDATE order_items SET quantity = 400, subtotal = 400 * unit_price")
    shop.execute(f"UPDATE orders SET status = 'cancelled' WHERE id = '{ORDER}'".encode())
    assert (stock(shop, PLAIN), stock(shop, SIZED)) == (before[0] + 1, before[1] + 1)
    assert shop.execute("SELECT FROM coupon_usage").rowcount == 0
    assert in_step(shop)


def test_cancelling_looks_again_and_so_needs_read_committed(shop: psycopg.Connection) -> None:
    with (
        pytest.raises(errors.InvalidTransactionState, match="needs READ COMMITTED"),
        shop.transaction(),
    ):
        shop.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
            f" UPDATE orders SET status = 'cancelled' WHERE id = '{ORDER}'".encode()
        )
