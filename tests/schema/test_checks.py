"""Every CHECK, unique index and guarding trigger is broken once, from plain SQL."""

import psycopg
import pytest
from psycopg import errors

USER = "00000000-0000-7000-8000-000000000001"
BOB = "00000000-0000-7000-8000-000000000002"
ROOT = "00000000-0000-7000-8000-0000000000c1"
PLAIN = "00000000-0000-7000-8000-0000000000a1"
SIZED = "00000000-0000-7000-8000-0000000000a2"
SMALL = "00000000-0000-7000-8000-0000000000e1"
CART = "00000000-0000-7000-8000-000000000061"
ORDER = "00000000-0000-7000-8000-000000000081"
PAID = "00000000-0000-7000-8000-0000000000aa"
UNPAID = "00000000-0000-7000-8000-0000000000ab"

# The constraint, and statements the last of which breaks it.
CHECKS: list[tuple[str, str]] = [
    ("users_role_check", "UPDATE users SET role = 'root'"),
    ("users_email_format", "UPDATE users SET email = 'ann at example'"),
    ("users_email_format", "UPDATE users SET email = ''"),
    ("user_addresses_address_type_check", "UPDATE user_addresses SET address_type = 'home'"),
    ("user_addresses_country_code_check", "UPDATE user_addresses SET country_code = 'gb'"),
    (
        "user_sessions_refresh_token_hash_check",
        "UPDATE user_sessions SET refresh_token_hash = 'token'",
    ),
    ("user_sessions_expires_at_check", "UPDATE user_sessions SET expires_at = created_at"),
    ("password_resets_token_hash_check", "UPDATE password_resets SET token_hash = 'token'"),
    ("password_resets_expires_at_check", "UPDATE password_resets SET expires_at = created_at"),
    ("categories_name_check", "UPDATE categories SET name = ' '"),
    ("categories_slug_format", "UPDATE categories SET slug = 'two words'"),
    ("brands_name_check", "UPDATE brands SET name = ''"),
    ("brands_slug_format", "UPDATE brands SET slug = 'a/b'"),
    ("products_name_check", "UPDATE products SET name = ''"),
    ("products_slug_format", "UPDATE products SET slug = 'what?'"),
    ("products_sku_check", "UPDATE products SET sku = ' '"),
    ("products_price_positive", "UPDATE products SET price = -0.01"),
    ("products_price_positive", "UPDATE products SET price = 'NaN'"),
    ("products_compare_price", "UPDATE products SET compare_at_price = price"),
    ("products_compare_price", "UPDATE products SET compare_at_price = 'NaN'"),
    (
        "products_stock_non_negative",
        f"UPDATE products SET stock_quantity = -1 WHERE id = '{PLAIN}'",
    ),
    ("products_attributes_check", "UPDATE products SET attributes = '[]'"),
    ("product_variants_name_check", "UPDATE product_variants SET name = ''"),
    ("product_variants_sku_check", "UPDATE product_variants SET sku = ''"),
    ("product_variants_price_positive", "UPDATE product_variants SET price = -1"),
    ("product_variants_compare_price", "UPDATE product_variants SET compare_at_price = price"),
    ("product_variants_stock_non_negative", "UPDATE product_variants SET stock_quantity = -1"),
    ("product_variants_option_values_check", "UPDATE product_variants SET option_values = '1'"),
    ("product_images_url_check", "UPDATE product_images SET url = ' '"),
    ("reviews_rating_check", "UPDATE product_reviews SET rating = 6"),
    ("reviews_rating_check", "UPDATE product_reviews SET rating = 0"),
    ("product_stats_rating_check", "UPDATE product_stats SET rating_count = 6"),
    ("coupons_code_check", "UPDATE coupons SET code = 'TEN PERCENT'"),
    ("coupons_discount_type_check", "UPDATE coupons SET discount_type = 'gift'"),
    ("coupons_discount_value_positive", "UPDATE coupons SET discount_value = -1"),
    ("coupons_percentage_check", "UPDATE coupons SET discount_value = 100.01"),
    ("coupons_min_order_positive", "UPDATE coupons SET min_order = -1"),
    ("coupons_max_discount_positive", "UPDATE coupons SET max_discount = -1"),
    ("coupons_usage_limit_positive", "UPDATE coupons SET used_count = 0, usage_limit = 0"),
    ("coupons_per_user_limit_positive", "UPDATE coupons SET per_user_limit = 0"),
    ("coupons_used_within_limit", "UPDATE coupons SET used_count = 3"),
    ("coupons_dates_check", "UPDATE coupons SET starts_at = now(), expires_at = now()"),
    ("carts_owner_check", "UPDATE carts SET user_id = NULL, session_id = NULL"),
    ("carts_session_id_check", "UPDATE carts SET session_id = ''"),
    ("cart_items_quantity_positive", "UPDATE cart_items SET quantity = 0"),
    ("cart_items_unit_price_positive", "UPDATE cart_items SET unit_price = -1"),
    (
        "orders_idempotency_fingerprint_check",
        "UPDATE orders SET idempotency_fingerprint = 'not a hash'",
    ),
    (
        "orders_idempotency_fingerprint_check",
        "UPDATE orders SET idempotency_key = NULL, idempotency_fingerprint = sha256('x')",
    ),
    # The machine of steps would refuse it first.
    (
        "orders_status_check",
        "ALTER TABLE orders DISABLE TRIGGER orders_status_step; UPDATE orders SET status = 'lost'",
    ),
    ("orders_payment_status_check", "UPDATE orders SET payment_status = 'maybe'"),
    ("orders_fulfillment_status_check", "UPDATE orders SET fulfillment_status = 'maybe'"),
    ("orders_currency_code_check", "UPDATE orders SET currency_code = 'eur'"),
    ("orders_subtotal_positive", "UPDATE orders SET subtotal = -1, total_amount = -1"),
    ("orders_tax_amount_positive", "UPDATE orders SET tax_amount = -1, total_amount = 49"),
    (
        "orders_shipping_amount_positive",
        "UPDATE orders SET shipping_amount = -1, total_amount = 49",
    ),
    (
        "orders_discount_amount_positive",
        "UPDATE orders SET discount_amount = -1, total_amount = 51",
    ),
    ("orders_total_amount_positive", "UPDATE orders SET discount_amount = 51, total_amount = -1"),
    ("orders_total_amount_check", "UPDATE orders SET total_amount = 49.99"),
    ("order_items_quantity_positive", "UPDATE order_items SET quantity = 0, subtotal = 0"),
    ("order_items_unit_price_positive", "UPDATE order_items SET unit_price = -1, subtotal = -1"),
    ("order_items_subtotal_check", "UPDATE order_items SET quantity = 2"),
    ("order_addresses_address_type_check", "UPDATE order_addresses SET address_type = 'home'"),
    ("order_addresses_country_code_check", "UPDATE order_addresses SET country_code = 'G1'"),
    ("order_shipments_status_check", "UPDATE order_shipments SET status = 'gone'"),
    ("order_shipments_delivered_check", "UPDATE order_shipments SET status = 'delivered'"),
    ("payments_status_check", f"UPDATE payments SET status = 'maybe' WHERE id = '{UNPAID}'"),
    ("payments_amount_positive", f"UPDATE payments SET amount = 'NaN' WHERE id = '{UNPAID}'"),
    ("payments_captured_amount_check", "UPDATE payments SET amount = 39.99"),
    ("payments_captured_check", f"UPDATE payments SET captured_amount = 1 WHERE id = '{UNPAID}'"),
    ("payments_captured_check", f"UPDATE payments SET status = 'captured' WHERE id = '{UNPAID}'"),
    ("payments_card_last_four_check", "UPDATE payments SET card_last_four = '12x4'"),
    ("refunds_amount_positive", "UPDATE refunds SET amount = 0"),
    ("refunds_status_check", "UPDATE refunds SET status = 'maybe'"),
    (
        "order_status_history_status_check",
        f"INSERT INTO order_status_history (order_id, status) VALUES ('{ORDER}', 'lost')",
    ),
    ("coupon_usage_discount_amount_positive", "UPDATE coupon_usage SET discount_amount = -1"),
    ("shipping_zones_name_check", "UPDATE shipping_zones SET name = ''"),
    ("shipping_zones_countries_check", "UPDATE shipping_zones SET countries = '{}'"),
    ("shipping_zones_countries_check", "UPDATE shipping_zones SET countries = '{GB,NULL}'"),
    ("shipping_zones_countries_check", "UPDATE shipping_zones SET countries = '{Britain}'"),
    ("shipping_zones_countries_check", "UPDATE shipping_zones SET countries = ARRAY['GB,IE']"),
    ("shipping_zones_countries_check", "UPDATE shipping_zones SET countries = '{{GB,IE},{DE,FR}}'"),
    ("shipping_methods_name_check", "UPDATE shipping_methods SET name = ''"),
    ("shipping_methods_price_positive", "UPDATE shipping_methods SET price = -1"),
    ("shipping_methods_free_above_positive", "UPDATE shipping_methods SET free_above = -1"),
    ("shipping_methods_estimated_days_positive", "UPDATE shipping_methods SET estimated_days = -1"),
    (
        "outbox_events_event_type_check",
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type) "
        f"VALUES ('order', '{ORDER}', 'placed')",
    ),
    (
        "outbox_events_payload_check",
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload) "
        f"VALUES ('order', '{ORDER}', 'order.placed', '[]')",
    ),
    ("event_consumers_name_check", "UPDATE event_consumers SET name = 'two words'"),
    (
        "event_consumers_kind_check",
        "UPDATE event_consumers SET kind = 'fax', url = NULL, secret = NULL",
    ),
    ("event_consumers_event_types_check", "UPDATE event_consumers SET event_types = '{}'"),
    ("event_consumers_event_types_check", "UPDATE event_consumers SET event_types = '{order}'"),
    ("event_consumers_event_types_check", "UPDATE event_consumers SET event_types = '{*,NULL}'"),
    (
        "event_consumers_event_types_check",
        "UPDATE event_consumers SET event_types = ARRAY['order.placed,order.paid']",
    ),
    ("event_consumers_url_check", "UPDATE event_consumers SET url = 'ftp://hook.example'"),
    ("event_consumers_url_check", "UPDATE event_consumers SET url = 'https://ann:pw@hook.example'"),
    ("event_consumers_url_check", "UPDATE event_consumers SET url = 'https:///path'"),
    ("event_consumers_secret_check", "UPDATE event_consumers SET secret = 'whsec_short'"),
    ("event_consumers_webhook_check", "UPDATE event_consumers SET url = NULL"),
    ("event_consumers_webhook_check", "UPDATE event_consumers SET kind = 'python'"),
    (
        "event_consumers_previous_secret_check",
        "UPDATE event_consumers SET previous_secret = secret",
    ),
    (
        "event_deliveries_state_check",
        "UPDATE event_deliveries SET state = 'lost', finished_at = now()",
    ),
    ("event_deliveries_attempts_check", "UPDATE event_deliveries SET attempts = -1"),
    ("event_deliveries_lease_check", "UPDATE event_deliveries SET lease = uuidv7()"),
    (
        "event_deliveries_lease_check",
        "UPDATE event_deliveries SET lease = uuidv7(), leased_until = now(), state = 'dead', "
        "finished_at = now()",
    ),
    ("event_deliveries_finished_at_check", "UPDATE event_deliveries SET state = 'delivered'"),
    ("event_deliveries_finished_at_check", "UPDATE event_deliveries SET finished_at = now()"),
    ("worker_jobs_lease_check", "UPDATE worker_jobs SET leased_until = now()"),
]

UNIQUES: list[tuple[str, str]] = [
    ("users_email_key", f"UPDATE users SET email = 'ANN@Example.com' WHERE id = '{BOB}'"),
    (
        "user_addresses_default_key",
        "INSERT INTO user_addresses (user_id, address_type, is_default, first_name, last_name, "
        "address_line_1, city, postal_code, country_code) "
        f"VALUES ('{USER}', 'shipping', true, 'A', 'A', '1', 'York', 'Y', 'GB')",
    ),
    (
        "user_sessions_refresh_token_hash_key",
        "INSERT INTO user_sessions (user_id, refresh_token_hash, expires_at) "
        f"VALUES ('{BOB}', sha256('session'), now() + interval '1 day')",
    ),
    (
        "password_resets_token_hash_key",
        "INSERT INTO password_resets (user_id, token_hash, expires_at) "
        f"VALUES ('{BOB}', sha256('reset'), now() + interval '1 day')",
    ),
    ("idx_categories_slug", "INSERT INTO categories (name, slug) VALUES ('Clothing', 'CLOTHING')"),
    ("brands_slug_key", "INSERT INTO brands (name, slug) VALUES ('Acme', 'Acme')"),
    ("idx_products_slug", f"UPDATE products SET slug = 'Plain-Shirt' WHERE id = '{SIZED}'"),
    ("idx_products_sku", f"UPDATE products SET sku = 'plain' WHERE id = '{SIZED}'"),
    (
        "product_variants_sku_key",
        "UPDATE product_variants SET sku = 'sized-s' WHERE sku = 'SIZED-M'",
    ),
    (
        "product_variants_option_values_key",
        """UPDATE product_variants SET option_values = '{"Size": "S"}' WHERE sku = 'SIZED-M'""",
    ),
    (
        "product_variants_product_id_id_key",
        # The primary key says the same of one id: it is broken where that one is not looked at.
        "ALTER TABLE product_variants DROP CONSTRAINT product_variants_pkey CASCADE; "
        "INSERT INTO product_variants (id, product_id, name, sku, price, option_values) "
        f"""VALUES ('{SMALL}', '{SIZED}', 'L', 'SIZED-L', 1, '{{"Size": "L"}}')""",
    ),
    (
        "product_images_primary_key",
        f"INSERT INTO product_images (product_id, url, is_primary) VALUES ('{SIZED}', 'u', true)",
    ),
    (
        "product_reviews_product_id_user_id_key",
        f"INSERT INTO product_reviews (product_id, user_id, rating) VALUES ('{PLAIN}', '{USER}', 1)",
    ),
    (
        "coupons_code_key",
        "INSERT INTO coupons (code, discount_type, discount_value) VALUES ('ten', 'percentage', 5)",
    ),
    ("idx_carts_user_id", f"INSERT INTO carts (user_id) VALUES ('{USER}')"),
    ("idx_carts_session_id", "INSERT INTO carts (session_id) VALUES ('guest-1')"),
    (
        "idx_cart_items_product_variant",
        "INSERT INTO cart_items (cart_id, product_id, quantity, unit_price) "
        f"VALUES ('{CART}', '{PLAIN}', 1, 20)",
    ),
    (
        "idx_orders_order_number",
        "INSERT INTO orders (order_number, currency_code, subtotal, total_amount, customer_email) "
        "VALUES ('ORDER-1', 'EUR', 0, 0, 'a@x')",
    ),
    (
        "orders_idempotency_key_key",
        "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email, idempotency_key) "
        "VALUES ('EUR', 0, 0, 'a@x', 'key-1')",
    ),
    (
        "order_addresses_order_id_address_type_key",
        "INSERT INTO order_addresses (order_id, address_type, first_name, last_name, "
        "address_line_1, city, postal_code, country_code) "
        f"VALUES ('{ORDER}', 'shipping', 'A', 'A', '1', 'York', 'Y', 'GB')",
    ),
    (
        "coupon_usage_coupon_id_order_id_key",
        "INSERT INTO coupon_usage (coupon_id, order_id, discount_amount) "
        f"VALUES ('00000000-0000-7000-8000-000000000051', '{ORDER}', 1)",
    ),
    (
        "event_consumers_name_key",
        "INSERT INTO event_consumers (name, kind) VALUES ('hook.example', 'python')",
    ),
]

TRIGGERS: list[tuple[str, str]] = [
    ("categories_no_cycle", "UPDATE categories SET parent_id = id"),
    (
        "categories_no_cycle",
        "UPDATE categories SET parent_id = '00000000-0000-7000-8000-0000000000c2' "
        f"WHERE id = '{ROOT}'",
    ),
    (
        "categories_no_cycle",
        "INSERT INTO categories (id, parent_id, name, slug) VALUES "
        "('00000000-0000-7000-8000-0000000000c8', '00000000-0000-7000-8000-0000000000c9', 'a', 'a'), "
        "('00000000-0000-7000-8000-0000000000c9', '00000000-0000-7000-8000-0000000000c8', 'b', 'b')",
    ),
    (
        "products_stock_is_variant_sum",
        f"UPDATE products SET stock_quantity = 8 WHERE id = '{SIZED}'",
    ),
    (
        "products_stock_is_variant_sum",
        f"UPDATE products SET has_variants = false WHERE id = '{SIZED}'",
    ),
    (
        "products_stock_is_variant_sum",
        f"UPDATE products SET has_variants = true WHERE id = '{PLAIN}'",
    ),
    (
        "products_stock_is_variant_sum",
        "INSERT INTO products (name, slug, sku, price, has_variants) VALUES ('x', 'x', 'x', 1, true)",
    ),
    (
        "product_variants_product_not_deleted",
        "UPDATE products SET deleted_at = now(); UPDATE product_variants SET is_active = true",
    ),
    (
        "product_variants_product_not_deleted",
        f"UPDATE products SET deleted_at = now() WHERE id = '{PLAIN}'; "
        "INSERT INTO product_variants (product_id, name, sku, price) "
        f"VALUES ('{PLAIN}', 'One', 'PLAIN-1', 20)",
    ),
    (
        "cart_items_variant_required",
        "INSERT INTO cart_items (cart_id, product_id, quantity, unit_price) "
        f"VALUES ('{CART}', '{SIZED}', 1, 30)",
    ),
    (
        "cart_items_product_not_deleted",
        f"UPDATE products SET deleted_at = now() WHERE id = '{PLAIN}'; "
        "INSERT INTO cart_items (cart_id, product_id, quantity, unit_price) "
        f"VALUES ('{CART}', '{PLAIN}', 1, 20)",
    ),
    (
        "carts_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        f"INSERT INTO carts (user_id) VALUES ('{BOB}')",
    ),
    (
        "user_sessions_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        "INSERT INTO user_sessions (user_id, refresh_token_hash, expires_at) "
        f"VALUES ('{BOB}', sha256('x'), now() + interval '1 day')",
    ),
    (
        "password_resets_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        "INSERT INTO password_resets (user_id, token_hash, expires_at) "
        f"VALUES ('{BOB}', sha256('x'), now() + interval '1 day')",
    ),
    (
        "orders_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        f"UPDATE orders SET user_id = '{BOB}'",
    ),
    ("orders_status_step", "UPDATE orders SET status = 'shipped'"),
    (
        "orders_status_step",
        "INSERT INTO orders (status, currency_code, subtotal, total_amount, customer_email) "
        "VALUES ('confirmed', 'EUR', 0, 0, 'a@x')",
    ),
    ("order_status_history_append_only", "UPDATE order_status_history SET notes = 'never was'"),
    ("order_status_history_append_only", "DELETE FROM order_status_history"),
    ("order_status_history_append_only", "TRUNCATE order_status_history"),
    ("order_status_history_append_only", f"UPDATE order_status_history SET created_by = '{BOB}'"),
    (
        "order_status_history_append_only",
        f"UPDATE orders SET status = 'confirmed'; "
        "ALTER TABLE order_status_history DISABLE TRIGGER order_status_history_append_only; "
        f"UPDATE order_status_history SET created_by = '{USER}'; "
        "ALTER TABLE order_status_history ENABLE TRIGGER order_status_history_append_only; "
        f"UPDATE order_status_history SET created_by = '{BOB}'",
    ),
    ("deleted_user_orders_append_only", "DELETE FROM deleted_user_orders"),
    ("deleted_user_orders_append_only", "UPDATE deleted_user_orders SET user_id = order_id"),
    ("deleted_user_orders_append_only", "TRUNCATE deleted_user_orders"),
    ("refunds_within_captured", "UPDATE refunds SET amount = 40.01"),
    (
        "refunds_within_captured",
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{PAID}', 30.01)",
    ),
    ("refunds_within_captured", f"UPDATE payments SET captured_amount = 9.99 WHERE id = '{PAID}'"),
    (
        "refunds_payment_captured",
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{UNPAID}', 1)",
    ),
    ("outbox_events_unchanged", "UPDATE outbox_events SET payload = '{}'"),
]


@pytest.mark.parametrize(("constraint", "statement"), CHECKS + UNIQUES + TRIGGERS)
def test_is_refused_by_name(kept_shop: psycopg.Connection, constraint: str, statement: str) -> None:
    kind = errors.UniqueViolation if (constraint, statement) in UNIQUES else errors.CheckViolation
    with pytest.raises(kind) as refused, kept_shop.transaction(force_rollback=True):
        kept_shop.execute(statement.encode())
    assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE categories SET parent_id = NULL; UPDATE categories SET parent_id = '{ROOT}' "
        f"WHERE id <> '{ROOT}'",
        "UPDATE products SET deleted_at = now()",
        "UPDATE users SET deleted_at = now()",
        "UPDATE coupons SET usage_limit = NULL; UPDATE coupons SET usage_limit = 1",
    ],
)
def test_what_an_old_snapshot_could_get_wrong_wants_read_committed(
    kept_shop: psycopg.Connection, statement: str
) -> None:
    for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
        with (
            pytest.raises(errors.InvalidTransactionState, match="needs READ COMMITTED"),
            kept_shop.transaction(force_rollback=True),
        ):
            kept_shop.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}; {statement}".encode())
    with kept_shop.transaction(force_rollback=True):
        kept_shop.execute(statement.encode())


def test_what_runs_as_the_owner_looks_nowhere_else(kept_shop: psycopg.Connection) -> None:
    """A function without a search path of its own would find the caller's temporary tables."""
    found = kept_shop.execute(
        "SELECT proname, proconfig FROM pg_proc "
        "WHERE pronamespace = current_schema()::regnamespace AND prosecdef"
    ).fetchall()
    assert len(found) >= 12
    assert [
        name for name, config in found if config != ["search_path=shopflow, public, pg_temp"]
    ] == []


def test_every_check_and_unique_index_is_broken_here(kept_shop: psycopg.Connection) -> None:
    live = kept_shop.execute(
        """
        SELECT conname FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND contype = 'c'
        UNION
        SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_class AS t ON t.oid = i.indrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique
            AND NOT i.indisprimary AND t.relname !~ '^(alembic|migration)_'
        """
    ).fetchall()
    assert {name for (name,) in live} == {name for name, _ in CHECKS + UNIQUES}


def test_every_refusal_by_a_trigger_is_provoked_here(kept_shop: psycopg.Connection) -> None:
    live = kept_shop.execute(
        """
        SELECT DISTINCT (regexp_matches(prosrc, 'CONSTRAINT = ''([a-z_]+)''', 'g'))[1]
        FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
        UNION
        SELECT DISTINCT tgrelid::regclass || '_user_not_deleted'
        FROM pg_trigger WHERE tgfoid = 'refuse_deleted_user'::regproc
        """
    ).fetchall()
    assert {name for (name,) in live} == {name for name, _ in TRIGGERS}
