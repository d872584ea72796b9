"""Soft delete (§9) from plain SQL, and the hard deletes' foreign-key actions (§8.1)."""

import psycopg
import pytest
from psycopg import errors

from tests.schema.test_checks import BOB, CART, ORDER, PLAIN, ROOT, SIZED, SMALL, USER

GUEST = "00000000-0000-7000-8000-000000000062"


def count(shop: psycopg.Connection, query: bytes) -> int:
    row = shop.execute(b"SELECT count(*) FROM " + query).fetchone()
    assert row is not None
    return int(row[0])


def test_a_deleted_user_loses_carts_and_sessions_and_keeps_the_orders(
    shop: psycopg.Connection,
) -> None:
    shop.execute("UPDATE users SET deleted_at = now() WHERE email = 'ann@example.com'")
    assert count(shop, b"carts WHERE user_id IS NOT NULL") == 0
    assert count(shop, b"cart_items") == 0
    assert count(shop, b"user_sessions") == 0
    assert count(shop, b"password_resets") == 0
    assert count(shop, b"orders WHERE user_id IS NULL") == 1
    assert shop.execute(
        "SELECT order_id::text, user_id::text FROM deleted_user_orders"
    ).fetchall() == [(ORDER, USER)]
    assert count(shop, b"carts") == 1, "the guest's cart is not touched"


def test_a_deleted_users_address_can_register_again(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE users SET deleted_at = now() WHERE email = 'ann@example.com'")
    shop.execute(
        "INSERT INTO users (email, password_hash, first_name, last_name) "
        "VALUES ('Ann@example.com', '!', 'Ann', 'Again')"
    )
    with pytest.raises(errors.UniqueViolation):
        shop.execute("UPDATE users SET deleted_at = NULL WHERE last_name = 'Archer'")


def test_deleting_a_deleted_user_again_changes_nothing(shop: psycopg.Connection) -> None:
    for _ in range(2):
        shop.execute("UPDATE users SET deleted_at = now() WHERE email = 'ann@example.com'")
    assert count(shop, b"deleted_user_orders") == 1


def test_a_restored_user_can_be_deleted_again(shop: psycopg.Connection) -> None:
    for _ in range(2):
        shop.execute("UPDATE users SET deleted_at = NULL WHERE email = 'ann@example.com'")
        shop.execute(f"UPDATE orders SET user_id = '{USER}'".encode())
        shop.execute("UPDATE users SET deleted_at = now() WHERE email = 'ann@example.com'")
    assert count(shop, b"deleted_user_orders") == 2


def test_a_deleted_product_leaves_carts_and_stays_in_orders(shop: psycopg.Connection) -> None:
    shop.execute("UPDATE products SET deleted_at = now()")
    assert count(shop, b"cart_items") == 0
    assert count(shop, b"order_items JOIN products ON products.id = product_id") == 2
    assert count(shop, b"product_variants WHERE is_active") == 0


def test_a_deleted_products_slug_and_skus_are_free_again(shop: psycopg.Connection) -> None:
    shop.execute(f"UPDATE products SET deleted_at = now() WHERE id = '{SIZED}'".encode())
    shop.execute(
        """
        WITH product AS (
            INSERT INTO products (name, slug, sku, price)
            VALUES ('Sized', 'sized-shirt', 'SIZED', 30) RETURNING id
        )
        INSERT INTO product_variants (product_id, name, sku, price)
        SELECT id, 'S', 'SIZED-S', 30 FROM product
        """
    )


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (f"DELETE FROM products WHERE id = '{PLAIN}'", "order_items_product_id_fkey"),
        (f"DELETE FROM product_variants WHERE id = '{SMALL}'", "order_items_variant_id_fkey"),
        (f"DELETE FROM categories WHERE id = '{ROOT}'", "categories_parent_id_fkey"),
        (f"DELETE FROM orders WHERE id = '{ORDER}'", "payments_order_id_fkey"),
        ("DELETE FROM payments WHERE gateway = 'sandbox'", "payment_operations_payment_id_fkey"),
        (
            "ALTER TABLE payment_operations DISABLE TRIGGER payment_operations_kept; "
            "DELETE FROM payment_operations; DELETE FROM payments",
            "refunds_payment_id_fkey",
        ),
        ("DELETE FROM refunds", "payment_operations_refund_id_fkey"),
        ("DELETE FROM coupons", "coupon_usage_coupon_id_fkey"),
    ],
)
def test_what_is_referred_to_cannot_be_deleted(
    shop: psycopg.Connection, statement: str, constraint: str
) -> None:
    with pytest.raises(errors.RestrictViolation) as refused:
        shop.execute(statement.encode())
    assert refused.value.diag.constraint_name == constraint


def test_a_hard_deleted_user_takes_what_is_theirs_alone(shop: psycopg.Connection) -> None:
    with shop.transaction():
        shop.execute(f"SET LOCAL shopflow.actor = '{USER}'".encode())
        shop.execute("UPDATE orders SET status = 'confirmed'")
    shop.execute(f"DELETE FROM users WHERE id = '{USER}'".encode())
    for gone in (b"user_addresses", b"user_sessions", b"password_resets", b"cart_items"):
        assert count(shop, gone) == 0
    for unlinked in (b"orders", b"product_reviews", b"coupon_usage"):
        assert count(shop, unlinked + b" WHERE user_id IS NULL") == 1
    assert count(shop, b"order_status_history WHERE created_by IS NULL") == 2


def test_an_unpaid_order_goes_with_all_that_hangs_on_it(shop: psycopg.Connection) -> None:
    # What was asked of a gateway is kept; only the owner can insist.
    shop.execute("ALTER TABLE payment_operations DISABLE TRIGGER payment_operations_kept")
    shop.execute("DELETE FROM payment_operations")
    shop.execute("DELETE FROM refunds")
    shop.execute("DELETE FROM payments")
    shop.execute("DELETE FROM orders")
    for gone in (
        b"order_items",
        b"order_addresses",
        b"order_shipments",
        b"order_shipment_items",
        b"order_returns",
        b"order_return_items",
        b"order_notes",
        b"order_status_history",
        b"coupon_usage",
    ):
        assert count(shop, gone) == 0


def test_a_product_never_sold_can_be_purged(shop: psycopg.Connection) -> None:
    shop.execute("DELETE FROM order_items")
    shop.execute("DELETE FROM products")
    for gone in (
        b"product_variants",
        b"product_images",
        b"product_reviews",
        b"product_stats",
        b"cart_items",
    ):
        assert count(shop, gone) == 0


def test_what_a_row_only_mentions_is_set_to_null(shop: psycopg.Connection) -> None:
    shop.execute("DELETE FROM order_items")
    shop.execute("DELETE FROM coupon_usage")
    shop.execute("DELETE FROM coupons")
    shop.execute("DELETE FROM brands")
    shop.execute("DELETE FROM product_variants")
    shop.execute("DELETE FROM categories WHERE parent_id IS NOT NULL")
    assert count(shop, b"carts WHERE coupon_id IS NULL") == 2
    assert count(shop, b"products WHERE brand_id IS NULL AND category_id IS NULL") == 2
    assert count(shop, b"product_images WHERE variant_id IS NULL AND product_id IS NOT NULL") == 1
    assert count(shop, b"cart_items") == 1, "the variant's line is gone"


def test_keys_can_be_renumbered(shop: psycopg.Connection) -> None:
    for table in (
        *(b"users", b"orders", b"products", b"carts", b"payments", b"coupons", b"brands"),
        *(b"order_items", b"order_shipments", b"order_returns"),
    ):
        shop.execute(b"UPDATE " + table + b" SET id = uuidv7()")
    shop.execute("UPDATE shipping_zones SET id = uuidv7()")
    assert count(shop, b"order_status_history JOIN orders ON orders.id = order_id") == 1
    assert count(shop, b"refunds JOIN payments ON payments.id = payment_id") == 2
    assert count(shop, b"order_items WHERE (fulfilled_quantity, returned_quantity) = (1, 1)") == 1
    assert count(shop, b"orders WHERE fulfillment_status = 'partially_returned'") == 1
    assert (
        count(shop, b"users WHERE id IN ('" + BOB.encode() + b"', '" + USER.encode() + b"')") == 0
    )
    assert (
        count(shop, b"carts WHERE id IN ('" + CART.encode() + b"', '" + GUEST.encode() + b"')") == 0
    )
