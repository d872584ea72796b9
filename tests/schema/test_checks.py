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
TEN = "00000000-0000-7000-8000-000000000051"
ORDER = "00000000-0000-7000-8000-000000000081"
PAID = "00000000-0000-7000-8000-0000000000aa"
UNPAID = "00000000-0000-7000-8000-0000000000ab"
GATEWAY_PAYMENT = "00000000-0000-7000-8000-0000000000bb"
AUTHORIZED = "00000000-0000-7000-8000-0000000000bc"
CAPTURING = "00000000-0000-7000-8000-0000000000bd"
REFUNDING = "00000000-0000-7000-8000-0000000000be"


def operation(values: str) -> str:
    return (
        "INSERT INTO payment_operations (payment_id, kind, amount, status, error_code, "
        f"idempotency_key) VALUES ('{GATEWAY_PAYMENT}', {values})"
    )


def gateway_payment(values: str) -> str:
    return (
        "INSERT INTO payments (order_id, gateway, payment_method, amount, status, voided_amount, "
        f"authorized_at) VALUES ('{ORDER}', 'sandbox', 'card', {values})"
    )


def another_use(user: str | None) -> str:
    """The statement that places an order of this user, or of a guest, with the coupon TEN."""
    user_id = f"'{user}'::uuid" if user else "NULL::uuid"
    return (
        "WITH placed AS (INSERT INTO orders (user_id, currency_code, subtotal, total_amount, "
        f"customer_email) VALUES ({user_id}, 'EUR', 0, 0, 'a@x') RETURNING id) "
        "INSERT INTO coupon_usage (coupon_id, user_id, order_id, discount_amount) "
        f"SELECT '{TEN}', {user_id}, id, 1 FROM placed"
    )


PLAIN_LINE = "00000000-0000-7000-8000-000000000091"
SIZED_LINE = "00000000-0000-7000-8000-000000000092"
PARCEL = "00000000-0000-7000-8000-0000000000a9"
RETURN = "00000000-0000-7000-8000-0000000000b9"
OTHER_ORDER = "00000000-0000-7000-8000-000000000082"
OTHER_LINE = "00000000-0000-7000-8000-000000000093"

CONFIRM = "UPDATE orders SET status = 'confirmed'; "
SEND = "INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity) VALUES "
TAKE_BACK = "INSERT INTO order_return_items (return_id, order_item_id, quantity, restock) VALUES "
# A second order, of one plain shirt.
ANOTHER_ORDER = (
    "INSERT INTO orders (id, currency_code, subtotal, total_amount, customer_email) "
    f"VALUES ('{OTHER_ORDER}', 'EUR', 20, 20, 'a@x'); "
    "INSERT INTO order_items (id, order_id, product_id, product_name, sku, quantity, unit_price, "
    f"subtotal) VALUES ('{OTHER_LINE}', '{OTHER_ORDER}', '{PLAIN}', 'p', 's', 1, 20, 20); "
)

BULK = "00000000-0000-7000-8000-0000000000d1"
STOCK_BULK = (
    "INSERT INTO bulk_changes (id, kind, description) "
    "VALUES ('00000000-0000-7000-8000-0000000000d2', 'stock', 'Counted'); "
)
STOCK_LINE = (
    f"{STOCK_BULK}INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, "
    f"old_stock, new_stock) VALUES ('00000000-0000-7000-8000-0000000000d2', 1, 'stock', '{PLAIN}', "
)


def price_line(columns: str, values: str) -> str:
    return (
        "INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, old_price, "
        f"{columns}) VALUES ('{BULK}', 2, 'price', '{PLAIN}', 20, {values})"
    )


# The constraint, and statements the last of which breaks it.
CHECKS: list[tuple[str, str]] = [
    (
        "bulk_changes_kind_check",
        "INSERT INTO bulk_changes (kind, description) VALUES ('name', 'x')",
    ),
    ("bulk_changes_description_check", "UPDATE bulk_changes SET description = ' '"),
    (
        "bulk_changes_rule_check",
        "INSERT INTO bulk_changes (kind, description, rule) VALUES ('price', 'x', '[]')",
    ),
    (
        "bulk_changes_status_check",
        "ALTER TABLE bulk_changes DISABLE TRIGGER bulk_changes_steps; "
        "UPDATE bulk_changes SET status = 'failed'",
    ),
    ("bulk_changes_starts_at_check", "UPDATE bulk_changes SET status = 'scheduled'"),
    ("bulk_changes_ends_at_check", "UPDATE bulk_changes SET ends_at = now()"),
    ("bulk_changes_ends_at_check", "UPDATE bulk_changes SET starts_at = now(), ends_at = now()"),
    (
        "bulk_changes_stock_at_once",
        f"{STOCK_BULK}UPDATE bulk_changes SET starts_at = now() WHERE kind = 'stock'",
    ),
    ("bulk_change_lines_values_check", price_line("new_price", "NULL")),
    ("bulk_change_lines_values_check", price_line("new_price, new_stock", "1, 1")),
    ("bulk_change_lines_values_check", f"{STOCK_LINE}1, NULL)"),
    (
        "bulk_change_lines_values_check",
        f"{STOCK_LINE}1, 2); UPDATE bulk_change_lines SET found_price = 1 WHERE kind = 'stock'",
    ),
    ("bulk_change_lines_differs_check", price_line("new_price", "20")),
    ("bulk_change_lines_new_price_check", price_line("new_price", "-0.01")),
    ("bulk_change_lines_new_price_check", price_line("new_price", "'NaN'")),
    ("bulk_change_lines_new_compare_check", price_line("new_price, new_compare_at_price", "5, 5")),
    (
        "bulk_change_lines_new_compare_check",
        price_line("new_price, new_compare_at_price", "5, 'NaN'"),
    ),
    ("bulk_change_lines_new_stock_check", f"{STOCK_LINE}1, -1)"),
    (
        "bulk_change_lines_status_check",
        "ALTER TABLE bulk_change_lines DISABLE TRIGGER bulk_change_lines_steps; "
        "UPDATE bulk_change_lines SET status = 'lost'",
    ),
    (
        "price_changes_differs_check",
        f"INSERT INTO price_changes (product_id, old_price, new_price) VALUES ('{PLAIN}', 20, 20)",
    ),
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
    (
        "email_verifications_token_hash_check",
        "UPDATE email_verifications SET token_hash = 'token'",
    ),
    ("email_verifications_email_format", "UPDATE email_verifications SET email = 'ann at example'"),
    (
        "email_verifications_expires_at_check",
        "UPDATE email_verifications SET expires_at = created_at",
    ),
    ("rate_limits_key_hash_check", "UPDATE rate_limits SET key_hash = 'ann@example.com'"),
    (
        "erasure_log_reason_check",
        "INSERT INTO erasure_log (user_id, reason) VALUES (uuidv7(), ' ')",
    ),
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
    (
        "product_reviews_rejected_check",
        "UPDATE product_reviews SET is_approved = true, rejection_reason = 'Rude'",
    ),
    (
        "product_reviews_rejected_check",
        "UPDATE product_reviews SET is_approved = false, rejection_reason = ' '",
    ),
    ("product_stats_rating_check", "UPDATE product_stats SET rating_count = 6"),
    ("product_stats_sold_count_check", "UPDATE product_stats SET sold_count = -1"),
    ("category_paths_depth_check", "UPDATE category_paths SET depth = -1"),
    (
        "stock_movements_change_check",
        f"INSERT INTO stock_movements (product_id, change, reason) VALUES ('{PLAIN}', 0, 'sale')",
    ),
    (
        "stock_movements_reason_check",
        f"INSERT INTO stock_movements (product_id, change, reason) VALUES ('{PLAIN}', 1, 'gift')",
    ),
    ("orders_included_tax_amount_positive", "UPDATE orders SET included_tax_amount = -0.01"),
    ("orders_included_tax_amount_positive", "UPDATE orders SET included_tax_amount = 'NaN'"),
    ("order_items_discount_amount_check", "UPDATE order_items SET discount_amount = -0.01"),
    (
        "order_items_discount_amount_check",
        "UPDATE order_items SET discount_amount = subtotal + 0.01",
    ),
    ("order_items_tax_amount_positive", "UPDATE order_items SET tax_amount = -0.01"),
    ("order_items_tax_amount_positive", "UPDATE order_items SET tax_amount = 'NaN'"),
    (
        "order_items_tax_included_check",
        "UPDATE order_items SET tax_included = true, tax_amount = subtotal - discount_amount + 0.01",
    ),
    (
        "order_items_fulfilled_quantity_check",
        "UPDATE order_items SET fulfilled_quantity = quantity + 1",
    ),
    ("order_items_fulfilled_quantity_check", "UPDATE order_items SET fulfilled_quantity = -1"),
    ("order_items_returned_quantity_check", "UPDATE order_items SET returned_quantity = 1"),
    ("order_shipment_items_quantity_positive", "UPDATE order_shipment_items SET quantity = 0"),
    ("order_return_items_quantity_positive", "UPDATE order_return_items SET quantity = 0"),
    (
        "order_items_fulfilled_quantity_check",
        f"{CONFIRM}UPDATE order_shipment_items SET quantity = 2",
    ),
    ("order_items_returned_quantity_check", "UPDATE order_return_items SET quantity = 2"),
    (
        "order_items_returned_quantity_check",
        f"{CONFIRM}DELETE FROM order_shipment_items",
    ),
    ("order_items_returned_quantity_check", f"{CONFIRM}DELETE FROM order_shipments"),
    ("order_items_returned_quantity_check", f"{CONFIRM}TRUNCATE order_shipment_items"),
    ("order_returns_refund_amount_positive", "UPDATE order_returns SET refund_amount = -0.01"),
    ("order_returns_refund_amount_positive", "UPDATE order_returns SET refund_amount = 'NaN'"),
    (
        "order_returns_idempotency_fingerprint_check",
        "UPDATE order_returns SET idempotency_fingerprint = 'not a hash'",
    ),
    (
        "order_returns_idempotency_fingerprint_check",
        "UPDATE order_returns SET idempotency_key = NULL, idempotency_fingerprint = sha256('x')",
    ),
    (
        "order_shipments_idempotency_fingerprint_check",
        "UPDATE order_shipments SET idempotency_fingerprint = 'not a hash'",
    ),
    (
        "order_shipments_idempotency_fingerprint_check",
        "UPDATE order_shipments SET idempotency_key = NULL, idempotency_fingerprint = sha256('x')",
    ),
    (
        "order_notes_note_check",
        f"INSERT INTO order_notes (order_id, note) VALUES ('{ORDER}', E' \\n')",
    ),
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
    ("payments_gateway_check", f"UPDATE payments SET gateway = 'Big Bank' WHERE id = '{UNPAID}'"),
    ("payments_gateway_reference_check", "UPDATE payments SET gateway_reference = 'x'"),
    ("payments_gateway_reference_check", "UPDATE payments SET gateway_reference = ''"),
    ("payments_authorized_check", gateway_payment("1, 'authorized', 0, NULL")),
    ("payments_voided_amount_check", "UPDATE payments SET voided_amount = -1"),
    ("payments_voided_amount_check", "UPDATE payments SET voided_amount = 'NaN'"),
    ("payments_voided_amount_check", "UPDATE payments SET voided_amount = 10.01"),
    ("refunds_amount_positive", "UPDATE refunds SET amount = 0"),
    ("refunds_status_check", "UPDATE refunds SET status = 'maybe'"),
    # The guards of what an operation is for would refuse most of these first.
    *(
        (
            name,
            "ALTER TABLE payment_operations DISABLE TRIGGER payment_operations_kept; "
            f"UPDATE payment_operations SET {change} WHERE id = '{CAPTURING}'",
        )
        for name, change in (
            ("payment_operations_kind_check", "kind = 'steal'"),
            ("payment_operations_status_check", "status = 'maybe', error_code = 'x'"),
            ("payment_operations_amount_positive", "amount = -1"),
            ("payment_operations_amount_positive", "amount = 'NaN'"),
            ("payment_operations_refund_check", "kind = 'refund'"),
            ("payment_operations_error_code_check", "error_code = 'x'"),
            ("payment_operations_error_code_check", "status = 'unknown'"),
            ("payment_operations_then_capture_check", "then_capture = true"),
            ("payment_operations_closes_order_check", "closes_order = true"),
            ("payment_operations_attempts_positive", "attempts = -1"),
            ("payment_operations_idempotency_key_check", "idempotency_key = ''"),
        )
    ),
    ("gateway_events_kind_check", "UPDATE gateway_events SET kind = 'steal'"),
    ("gateway_events_status_check", "UPDATE gateway_events SET status = 'pending'"),
    ("gateway_events_amount_positive", "UPDATE gateway_events SET amount = 'NaN'"),
    ("gateway_events_error_code_check", "UPDATE gateway_events SET error_code = 'x'"),
    ("gateway_events_card_last_four_check", "UPDATE gateway_events SET card_last_four = '42x2'"),
    (
        "gateway_events_problem_check",
        "UPDATE gateway_events SET applied_at = now(), problem = 'it waits'",
    ),
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
    ("tax_rates_country_code_check", "UPDATE tax_rates SET country_code = 'gb'"),
    ("tax_rates_state_check", "UPDATE tax_rates SET state = ' '"),
    ("tax_rates_name_check", "UPDATE tax_rates SET name = ''"),
    ("tax_rates_rate_check", "UPDATE tax_rates SET rate = -0.0001"),
    ("tax_rates_rate_check", "UPDATE tax_rates SET rate = 1"),
    ("tax_rates_rate_check", "UPDATE tax_rates SET rate = 'NaN'"),
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
    ("search_settings_one_row", "INSERT INTO search_settings (is_only_row) VALUES (false)"),
    ("search_settings_language_check", "UPDATE search_settings SET language = 'no language'"),
    (
        "search_settings_previous_language_check",
        "UPDATE search_settings SET previous_language = language",
    ),
    ("search_words_word_check", "INSERT INTO search_words (word, lexeme) VALUES ('', '')"),
    ("search_words_products_check", "UPDATE search_words SET products = 0"),
    ("search_synonyms_different", "UPDATE search_synonyms SET synonym = word"),
    ("search_synonyms_word_check", "UPDATE search_synonyms SET word = 'Jumper'"),
    ("search_synonyms_synonym_check", "UPDATE search_synonyms SET synonym = ' sweater'"),
    ("search_synonyms_lexemes_check", "UPDATE search_synonyms SET word = 'the'"),
    ("product_search_popularity_check", "UPDATE product_search SET popularity = -1"),
]

UNIQUES: list[tuple[str, str]] = [
    (
        "bulk_changes_id_kind_key",
        "ALTER TABLE bulk_change_lines DROP CONSTRAINT bulk_change_lines_bulk_change_id_fkey; "
        "ALTER TABLE price_changes DROP CONSTRAINT price_changes_bulk_change_id_fkey; "
        "ALTER TABLE bulk_changes DROP CONSTRAINT bulk_changes_pkey; "
        f"INSERT INTO bulk_changes (id, kind, description) VALUES ('{BULK}', 'price', 'x')",
    ),
    (
        "bulk_change_lines_product_id_key",
        "INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, variant_id, "
        f"old_price, new_price) VALUES ('{BULK}', 2, 'price', '{SIZED}', '{SMALL}', 20, 5)",
    ),
    (
        "bulk_change_lines_product_id_key",
        f"{price_line('new_price', '5')}; "
        + price_line("new_price", "6").replace(", 2, 'price'", ", 3, 'price'"),
    ),
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
    (
        "user_sessions_live_token_key",
        "INSERT INTO user_sessions (user_id, family_id, refresh_token_hash, expires_at) "
        "SELECT user_id, family_id, sha256('x'), expires_at FROM user_sessions",
    ),
    (
        "password_resets_unused_key",
        "INSERT INTO password_resets (user_id, token_hash, expires_at) "
        f"VALUES ('{USER}', sha256('x'), now() + interval '1 day')",
    ),
    (
        "email_verifications_token_hash_key",
        "INSERT INTO email_verifications (user_id, email, token_hash, expires_at) "
        f"VALUES ('{BOB}', 'b@x', sha256('verification'), now() + interval '1 day')",
    ),
    (
        "email_verifications_unused_key",
        "INSERT INTO email_verifications (user_id, email, token_hash, expires_at) "
        f"VALUES ('{USER}', 'a@x', sha256('x'), now() + interval '1 day')",
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
        "payments_gateway_reference_key",
        gateway_payment("0, 'pending', 0, NULL")
        + "; UPDATE payments SET gateway_reference = 'auth_1' WHERE gateway = 'sandbox'",
    ),
    (
        "payment_operations_idempotency_key_key",
        operation("'capture', 1, 'pending', NULL, 'pay-2'"),
    ),
    (
        "payment_operations_refund_id_key",
        "INSERT INTO payment_operations (payment_id, refund_id, kind, amount, idempotency_key) "
        "SELECT payment_id, refund_id, kind, amount, 'again' FROM payment_operations "
        f"WHERE id = '{REFUNDING}'",
    ),
    (
        "payment_operations_authorize_key",
        operation("'authorize', 10, 'failed', 'x', 'again'"),
    ),
    (
        "payment_operations_reference_key",
        operation("'capture', 1, 'pending', NULL, 'again'")
        + "; UPDATE payment_operations SET gateway_reference = 'cap_1' WHERE kind = 'capture'",
    ),
    (
        "order_shipments_order_id_idempotency_key_key",
        "INSERT INTO order_shipments (order_id, carrier, idempotency_key) "
        f"VALUES ('{ORDER}', 'DHL', 'parcel-1')",
    ),
    (
        "order_returns_order_id_idempotency_key_key",
        "INSERT INTO order_returns (order_id, refund_amount, idempotency_key) "
        f"VALUES ('{ORDER}', 0, 'back-1')",
    ),
    (
        "order_shipment_items_shipment_id_order_item_id_key",
        f"{CONFIRM}{SEND}('{PARCEL}', '{PLAIN_LINE}', 1)",
    ),
    (
        "order_return_items_return_id_order_item_id_restock_key",
        f"{TAKE_BACK}('{RETURN}', '{PLAIN_LINE}', 1, false)",
    ),
    (
        "coupon_usage_coupon_id_order_id_key",
        "INSERT INTO coupon_usage (coupon_id, order_id, discount_amount) "
        f"VALUES ('{TEN}', '{ORDER}', 1)",
    ),
    (
        "tax_rates_country_code_state_category_id_key",
        "INSERT INTO tax_rates (country_code, name, rate) "
        "VALUES ('GB', 'One', 0.1), ('GB', 'Another', 0.1)",
    ),
    (
        "event_consumers_name_key",
        "INSERT INTO event_consumers (name, kind) VALUES ('hook.example', 'python')",
    ),
]

TRIGGERS: list[tuple[str, str]] = [
    (
        "bulk_changes_steps",
        "INSERT INTO bulk_changes (kind, description, status) VALUES ('price', 'x', 'done')",
    ),
    ("bulk_changes_steps", "UPDATE bulk_changes SET status = 'done'"),
    ("bulk_changes_steps", "UPDATE bulk_changes SET rule = NULL"),
    (
        "bulk_changes_steps",
        "UPDATE bulk_changes SET status = 'running'; UPDATE bulk_changes SET starts_at = now()",
    ),
    (
        "bulk_changes_steps",
        "UPDATE bulk_changes SET status = 'cancelled'; UPDATE bulk_changes SET status = 'draft'",
    ),
    (
        "bulk_changes_no_overlap",
        "UPDATE bulk_changes SET status = 'scheduled', starts_at = now(); "
        "INSERT INTO bulk_changes (id, kind, description) "
        "VALUES ('00000000-0000-7000-8000-0000000000d3', 'price', 'x'); "
        "INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, variant_id, "
        f"old_price, new_price) VALUES ('00000000-0000-7000-8000-0000000000d3', 1, 'price', "
        f"'{SIZED}', '{SMALL}', 20, 5); "
        "UPDATE bulk_changes SET status = 'scheduled', starts_at = now() WHERE status = 'draft'",
    ),
    ("bulk_change_lines_steps", "UPDATE bulk_change_lines SET new_price = 1"),
    ("bulk_change_lines_steps", "UPDATE bulk_change_lines SET status = 'undone'"),
    (
        "bulk_change_lines_steps",
        "UPDATE bulk_change_lines SET status = 'conflict'; "
        "UPDATE bulk_change_lines SET status = 'pending'",
    ),
    ("bulk_change_lines_steps", price_line("new_price, status", "5, 'applied'")),
    (
        "bulk_change_lines_in_draft",
        f"UPDATE bulk_changes SET status = 'running'; {price_line('new_price', '5')}",
    ),
    ("price_changes_append_only", "UPDATE price_changes SET new_price = 1"),
    ("price_changes_append_only", "UPDATE price_changes SET bulk_change_id = NULL"),
    ("price_changes_append_only", f"UPDATE price_changes SET changed_by = '{USER}'"),
    ("price_changes_append_only", "DELETE FROM price_changes"),
    ("price_changes_append_only", "TRUNCATE price_changes"),
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
        "email_verifications_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        "INSERT INTO email_verifications (user_id, email, token_hash, expires_at) "
        f"VALUES ('{BOB}', 'b@x', sha256('x'), now() + interval '1 day')",
    ),
    (
        "user_addresses_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        f"UPDATE user_addresses SET user_id = '{BOB}'",
    ),
    (
        "orders_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        f"UPDATE orders SET user_id = '{BOB}'",
    ),
    (
        "product_reviews_user_not_deleted",
        f"UPDATE users SET deleted_at = now() WHERE id = '{BOB}'; "
        f"INSERT INTO product_reviews (product_id, user_id, rating) VALUES ('{PLAIN}', '{BOB}', 1)",
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
    *(
        (
            "stock_movements_of_the_variant",
            f"INSERT INTO stock_movements (product_id, change, reason) VALUES {rows}",
        )
        for rows in (
            f"('{SIZED}', 3, 'return')",
            # Also what would change nothing.
            f"('{SIZED}', 3, 'return'), ('{SIZED}', -3, 'correction')",
            f"('{PLAIN}', 1, 'return'), ('{SIZED}', 3, 'return'), ('{SIZED}', -3, 'correction')",
        )
    ),
    ("stock_movements_append_only", "UPDATE stock_movements SET change = 5"),
    ("stock_movements_append_only", "UPDATE stock_movements SET order_id = NULL"),
    ("stock_movements_append_only", "DELETE FROM stock_movements"),
    ("stock_movements_append_only", "TRUNCATE stock_movements"),
    ("stock_movements_append_only", "TRUNCATE product_variants CASCADE"),
    ("erasure_log_append_only", "DELETE FROM erasure_log"),
    ("erasure_log_append_only", "UPDATE erasure_log SET reason = 'never was'"),
    ("erasure_log_append_only", "TRUNCATE erasure_log"),
    # The order is pending.
    ("order_shipment_items_order_status", f"{SEND}('{PARCEL}', '{SIZED_LINE}', 1)"),
    (
        "order_shipment_items_order_status",
        f"UPDATE orders SET status = 'cancelled'; {SEND}('{PARCEL}', '{SIZED_LINE}', 1)",
    ),
    (
        "order_shipment_items_order_status",
        "DELETE FROM order_return_items; UPDATE orders SET status = 'cancelled'; "
        "DELETE FROM order_shipment_items",
    ),
    (
        "order_shipment_items_order_status",
        "DELETE FROM order_return_items; UPDATE orders SET status = 'cancelled'; "
        "TRUNCATE order_shipment_items",
    ),
    (
        "order_shipment_items_same_order",
        f"{ANOTHER_ORDER}{CONFIRM}{SEND}('{PARCEL}', '{OTHER_LINE}', 1)",
    ),
    (
        "order_shipment_items_same_order",
        f"{ANOTHER_ORDER}{CONFIRM}DELETE FROM order_return_items; "
        f"UPDATE order_shipment_items SET order_item_id = '{OTHER_LINE}'",
    ),
    (
        "order_return_items_same_order",
        f"{ANOTHER_ORDER}{TAKE_BACK}('{RETURN}', '{OTHER_LINE}', 1, true)",
    ),
    ("order_return_items_no_truncate", "TRUNCATE order_return_items"),
    ("order_return_items_no_truncate", "TRUNCATE order_returns CASCADE"),
    (
        "order_items_quantities_counted",
        f"UPDATE order_items SET fulfilled_quantity = 1 WHERE id = '{SIZED_LINE}'",
    ),
    (
        "order_items_quantities_counted",
        f"UPDATE order_items SET returned_quantity = 0 WHERE id = '{PLAIN_LINE}'",
    ),
    (
        "order_items_quantities_counted",
        "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
        f"subtotal, fulfilled_quantity) VALUES ('{ORDER}', '{PLAIN}', 'p', 's', 1, 1, 1, 1)",
    ),
    ("orders_fulfillment_status_derived", "UPDATE orders SET fulfillment_status = 'fulfilled'"),
    (
        "orders_fulfillment_status_derived",
        "INSERT INTO orders (fulfillment_status, currency_code, subtotal, total_amount, "
        "customer_email) VALUES ('returned', 'EUR', 0, 0, 'a@x')",
    ),
    *(
        (
            "order_parts_keep_their_order",
            f"{ANOTHER_ORDER}UPDATE {table} SET order_id = '{OTHER_ORDER}'",
        )
        for table in ("order_items", "order_shipments", "order_returns")
    ),
    ("refunds_within_captured", "UPDATE refunds SET amount = 40.01"),
    ("refunds_within_captured", "UPDATE refunds SET amount = 40.01 WHERE amount = 10"),
    (
        "refunds_within_captured",
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{PAID}', 30.01)",
    ),
    ("refunds_within_captured", f"UPDATE payments SET captured_amount = 9.99 WHERE id = '{PAID}'"),
    (
        "refunds_payment_captured",
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{UNPAID}', 1)",
    ),
    (
        "coupon_usage_user_required",
        f"UPDATE coupons SET first_order_only = true; {another_use(None)}",
    ),
    (
        "coupon_usage_user_required",
        f"UPDATE coupons SET per_user_limit = 2; {another_use(None)}",
    ),
    (
        "coupon_usage_within_user_limit",
        f"UPDATE coupons SET per_user_limit = 1; {another_use(USER)}",
    ),
    (
        "coupon_usage_within_user_limit",
        f"{another_use(BOB)}; UPDATE coupons SET per_user_limit = 1; "
        f"UPDATE coupon_usage SET user_id = '{USER}'",
    ),
    (
        "coupon_usage_first_order_only",
        f"UPDATE coupons SET first_order_only = true; {another_use(USER)}",
    ),
    (
        "refunds_payment_captured",
        f"INSERT INTO refunds (payment_id, amount) VALUES ('{GATEWAY_PAYMENT}', 1)",
    ),
    ("refunds_match_operation", "UPDATE refunds SET status = 'succeeded' WHERE amount = 1"),
    ("refunds_match_operation", "UPDATE refunds SET amount = 2 WHERE amount = 1"),
    ("payment_operations_kept", "DELETE FROM payment_operations"),
    ("payment_operations_kept", "TRUNCATE payment_operations"),
    ("payment_operations_kept", "TRUNCATE payments CASCADE"),
    (
        "payment_operations_kept",
        f"UPDATE payment_operations SET amount = 3 WHERE id = '{CAPTURING}'",
    ),
    (
        "payment_operations_kept",
        f"UPDATE payment_operations SET idempotency_key = 'x' WHERE id = '{CAPTURING}'",
    ),
    (
        "payment_operations_kept",
        f"UPDATE payment_operations SET payment_id = '{PAID}' WHERE id = '{CAPTURING}'",
    ),
    (
        "payment_operations_step",
        f"UPDATE payment_operations SET status = 'pending' WHERE id = '{AUTHORIZED}'",
    ),
    (
        "payment_operations_step",
        f"UPDATE payment_operations SET status = 'declined', error_code = 'x' WHERE id = '{CAPTURING}'; "
        f"UPDATE payment_operations SET status = 'succeeded', error_code = NULL WHERE id = '{CAPTURING}'",
    ),
    # 10 authorized, of which 4 are being captured.
    ("payment_operations_within_amount", operation("'capture', 6.01, 'pending', NULL, 'x'")),
    ("payment_operations_within_amount", operation("'capture', 6.01, 'unknown', 'x', 'x'")),
    ("payment_operations_within_amount", operation("'capture', 6.01, 'succeeded', NULL, 'x'")),
    ("payment_operations_within_amount", operation("'void', 6.01, 'pending', NULL, 'x'")),
    (
        "payment_operations_within_amount",
        # Given up, its amount was free for another; then it had happened after all.
        f"UPDATE payment_operations SET status = 'failed', error_code = 'x' WHERE id = '{CAPTURING}'; "
        + operation("'capture', 7, 'pending', NULL, 'x'")
        + f"; UPDATE payment_operations SET status = 'succeeded', error_code = NULL WHERE id = '{CAPTURING}'",
    ),
    (
        "payment_operations_within_amount",
        gateway_payment("0, 'pending', 0, NULL")
        + "; INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
        "SELECT id, 'authorize', 2, 'x' FROM payments WHERE amount = 0",
    ),
    (
        "payment_operations_authorized",
        "INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
        f"VALUES ('{PAID}', 'capture', 1, 'x')",
    ),
    (
        "payment_operations_authorized",
        gateway_payment("0, 'pending', 0, NULL")
        + "; INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key) "
        "SELECT id, 'capture', 1, 'x' FROM payments WHERE amount = 0",
    ),
    (
        "payment_operations_of_refund",
        "WITH r AS (INSERT INTO refunds (payment_id, amount) "
        f"VALUES ('{PAID}', 2) RETURNING id) "
        "INSERT INTO payment_operations (payment_id, refund_id, kind, amount, idempotency_key) "
        f"SELECT '{PAID}', id, 'refund', 3, 'x' FROM r",
    ),
    (
        "payment_operations_of_refund",
        "UPDATE refunds SET status = 'failed' WHERE amount = 10; "
        "INSERT INTO payment_operations (payment_id, refund_id, kind, amount, idempotency_key) "
        "SELECT payment_id, id, 'refund', amount, 'x' FROM refunds WHERE amount = 10",
    ),
    ("payments_match_operations", gateway_payment("1, 'authorized', 0, now()")),
    ("payments_match_operations", gateway_payment("1, 'pending', 1, NULL")),
    (
        "payments_match_operations",
        "UPDATE payments SET status = 'captured', captured_amount = 4, captured_at = now() "
        f"WHERE id = '{GATEWAY_PAYMENT}'",
    ),
    # Recorded as it was, and then said to be a gateway's.
    (
        "payments_match_operations",
        "UPDATE orders SET subtotal = 99, total_amount = 99; "
        "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method) "
        f"VALUES ('{ORDER}', 7, 7, 'captured', now(), 'cash'); "
        "UPDATE payments SET gateway = 'sandbox' WHERE amount = 7",
    ),
    *(
        (
            "payments_kept_for_operations",
            f"{ANOTHER_ORDER}UPDATE payments SET {change} WHERE id = '{GATEWAY_PAYMENT}'",
        )
        for change in (
            "amount = 1000",
            "amount = 10.01",
            "amount = 5",
            "gateway = 'other'",
            f"order_id = '{OTHER_ORDER}'",
        )
    ),
    *(
        (
            "payments_gateway_reference_kept",
            f"UPDATE payments SET {change} WHERE id = '{GATEWAY_PAYMENT}'",
        )
        for change in (
            "gateway_reference = 'auth_2'",
            "gateway_reference = NULL",
            "gateway = NULL, gateway_reference = NULL",
        )
    ),
    # A refund at hand is an operation too.
    ("payments_kept_for_operations", f"UPDATE payments SET gateway = 'manual' WHERE id = '{PAID}'"),
    # 50, of which 40 are captured and 10 under way.
    ("payments_within_total", gateway_payment("0.01, 'pending', 0, NULL")),
    (
        "payments_within_total",
        gateway_payment("0, 'pending', 0, NULL")
        + "; UPDATE payments SET amount = 0.01 WHERE amount = 0",
    ),
    ("payments_within_total", f"UPDATE payments SET gateway = 'sandbox' WHERE id = '{UNPAID}'"),
    (
        "payments_within_total",
        ANOTHER_ORDER + gateway_payment("20.01, 'pending', 0, NULL").replace(ORDER, OTHER_ORDER),
    ),
    (
        "payments_within_total",
        ANOTHER_ORDER
        + gateway_payment("20, 'pending', 0, NULL").replace(ORDER, OTHER_ORDER)
        + f"; UPDATE payments SET order_id = '{ORDER}' WHERE amount = 20",
    ),
    (
        "payments_order_not_cancelled",
        "UPDATE orders SET status = 'cancelled'; " + gateway_payment("0, 'pending', 0, NULL"),
    ),
    (
        "payments_order_not_cancelled",
        ANOTHER_ORDER
        + gateway_payment("0, 'pending', 0, NULL")
        + f"; UPDATE orders SET status = 'cancelled' WHERE id = '{OTHER_ORDER}'; "
        f"UPDATE payments SET order_id = '{OTHER_ORDER}' WHERE amount = 0",
    ),
    (
        "payments_order_not_cancelled",
        "UPDATE orders SET status = 'cancelled'; "
        f"UPDATE payments SET gateway = 'sandbox' WHERE id = '{UNPAID}'",
    ),
    ("orders_payment_status_derived", "UPDATE orders SET payment_status = 'paid'"),
    (
        "orders_payment_status_derived",
        "INSERT INTO orders (payment_status, currency_code, subtotal, total_amount, customer_email) "
        "VALUES ('paid', 'EUR', 0, 0, 'a@x')",
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
        f"SELECT erase_user('{USER}', NULL, 'asked for it')",
        "UPDATE coupons SET usage_limit = NULL; UPDATE coupons SET usage_limit = 1",
        f"UPDATE coupons SET per_user_limit = 1; {another_use(BOB)}",
        f"{CONFIRM}{SEND}('{PARCEL}', '{SIZED_LINE}', 1)",
        "UPDATE order_return_items SET restock = true",
        operation("'capture', 1, 'pending', NULL, 'x'"),
        f"UPDATE payments SET captured_amount = 41 WHERE id = '{PAID}'",
        f"UPDATE payments SET amount = 51 WHERE id = '{UNPAID}'",
        "UPDATE orders SET subtotal = 40, total_amount = 40",
        f"UPDATE order_items SET quantity = 2, subtotal = 60 WHERE id = '{SIZED_LINE}'",
        "INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, "
        f"subtotal) VALUES ('{ORDER}', '{PLAIN}', 'p', 's', 1, 1, 1)",
        f"DELETE FROM order_items WHERE id = '{SIZED_LINE}'",
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
