-- A shop with one row in every table, and keys that a reader can tell apart.
INSERT INTO users (id, email, password_hash, first_name, last_name)
VALUES ('00000000-0000-7000-8000-000000000001', 'ann@example.com', '!', 'Ann', 'Archer'),
       ('00000000-0000-7000-8000-000000000002', 'bob@example.com', '!', 'Bob', 'Baker');
INSERT INTO user_addresses (id, user_id, address_type, is_default, first_name, last_name,
    address_line_1, city, postal_code, country_code)
VALUES ('00000000-0000-7000-8000-000000000011', '00000000-0000-7000-8000-000000000001', 'shipping',
    true, 'Ann', 'Archer', '1 High Street', 'York', 'YO1', 'GB');
INSERT INTO user_sessions (id, user_id, refresh_token_hash, expires_at)
VALUES ('00000000-0000-7000-8000-000000000021', '00000000-0000-7000-8000-000000000001',
    sha256('session'), now() + interval '1 day');
INSERT INTO password_resets (id, user_id, token_hash, expires_at)
VALUES ('00000000-0000-7000-8000-000000000031', '00000000-0000-7000-8000-000000000001',
    sha256('reset'), now() + interval '1 hour');
INSERT INTO email_verifications (id, user_id, email, token_hash, expires_at)
VALUES ('00000000-0000-7000-8000-000000000032', '00000000-0000-7000-8000-000000000001', 'ann@example.com',
    sha256('verification'), now() + interval '1 day');
INSERT INTO rate_limits (key_hash, theoretical_arrival) VALUES (sha256('a key'), now());
INSERT INTO erasure_log (id, user_id, reason)
VALUES ('00000000-0000-7000-8000-000000000033', '00000000-0000-7000-8000-000000000003', 'asked for it');
INSERT INTO restore_canaries (id) VALUES ('00000000-0000-7000-8000-000000000034');
INSERT INTO categories (id, parent_id, name, slug)
VALUES ('00000000-0000-7000-8000-0000000000c1', NULL, 'Clothing', 'clothing'),
       ('00000000-0000-7000-8000-0000000000c2', '00000000-0000-7000-8000-0000000000c1', 'Shirts', 'shirts');
INSERT INTO brands (id, name, slug) VALUES ('00000000-0000-7000-8000-0000000000b1', 'Acme', 'acme');
INSERT INTO products (id, category_id, brand_id, name, slug, sku, price, stock_quantity)
VALUES ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000c2',
        '00000000-0000-7000-8000-0000000000b1', 'Plain shirt', 'plain-shirt', 'PLAIN', 20.00, 10),
       ('00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-0000000000c2',
        '00000000-0000-7000-8000-0000000000b1', 'Sized shirt', 'sized-shirt', 'SIZED', 30.00, 0);
INSERT INTO product_variants (id, product_id, name, sku, price, stock_quantity, option_values)
VALUES ('00000000-0000-7000-8000-0000000000e1', '00000000-0000-7000-8000-0000000000a2', 'S', 'SIZED-S',
        30.00, 3, '{"Size": "S"}'),
       ('00000000-0000-7000-8000-0000000000e2', '00000000-0000-7000-8000-0000000000a2', 'M', 'SIZED-M',
        32.00, 4, '{"Size": "M"}');
INSERT INTO product_images (id, product_id, variant_id, url, is_primary)
VALUES ('00000000-0000-7000-8000-0000000000f1', '00000000-0000-7000-8000-0000000000a2',
    '00000000-0000-7000-8000-0000000000e1', 'https://images.example/sized.jpg', true);
INSERT INTO product_reviews (id, product_id, user_id, rating, is_approved, moderated_by, moderated_at)
VALUES ('00000000-0000-7000-8000-000000000041', '00000000-0000-7000-8000-0000000000a1',
    '00000000-0000-7000-8000-000000000001', 5, true, '00000000-0000-7000-8000-000000000002', now());
INSERT INTO coupons (id, code, discount_type, discount_value, usage_limit)
VALUES ('00000000-0000-7000-8000-000000000051', 'TEN', 'percentage', 10, 2);
INSERT INTO carts (id, user_id, coupon_id)
VALUES ('00000000-0000-7000-8000-000000000061', '00000000-0000-7000-8000-000000000001',
    '00000000-0000-7000-8000-000000000051');
INSERT INTO carts (id, session_id) VALUES ('00000000-0000-7000-8000-000000000062', 'guest-1');
INSERT INTO cart_items (id, cart_id, product_id, variant_id, quantity, unit_price)
VALUES ('00000000-0000-7000-8000-000000000071', '00000000-0000-7000-8000-000000000061',
        '00000000-0000-7000-8000-0000000000a1', NULL, 1, 20.00),
       ('00000000-0000-7000-8000-000000000072', '00000000-0000-7000-8000-000000000061',
        '00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-0000000000e1', 1, 30.00);
INSERT INTO orders (id, user_id, order_number, currency_code, subtotal, total_amount, customer_email,
    idempotency_key)
VALUES ('00000000-0000-7000-8000-000000000081', '00000000-0000-7000-8000-000000000001', 'ORDER-1', 'EUR',
    50.00, 50.00, 'ann@example.com', 'key-1');
INSERT INTO order_items (id, order_id, product_id, variant_id, product_name, sku, quantity, unit_price,
    subtotal)
VALUES ('00000000-0000-7000-8000-000000000091', '00000000-0000-7000-8000-000000000081',
        '00000000-0000-7000-8000-0000000000a1', NULL, 'Plain shirt', 'PLAIN', 1, 20.00, 20.00),
       ('00000000-0000-7000-8000-000000000092', '00000000-0000-7000-8000-000000000081',
        '00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-0000000000e1', 'Sized shirt',
        'SIZED-S', 1, 30.00, 30.00);
INSERT INTO order_addresses (id, order_id, address_type, first_name, last_name, address_line_1, city,
    postal_code, country_code)
VALUES ('00000000-0000-7000-8000-0000000000a8', '00000000-0000-7000-8000-000000000081', 'shipping', 'Ann',
    'Archer', '1 High Street', 'York', 'YO1', 'GB');
INSERT INTO order_shipments (id, order_id, carrier)
VALUES ('00000000-0000-7000-8000-0000000000a9', '00000000-0000-7000-8000-000000000081', 'DHL');
INSERT INTO payments (id, order_id, amount, captured_amount, status, payment_method, captured_at)
VALUES ('00000000-0000-7000-8000-0000000000aa', '00000000-0000-7000-8000-000000000081', 50.00, 40.00,
        'captured', 'card', now()),
       ('00000000-0000-7000-8000-0000000000ab', '00000000-0000-7000-8000-000000000081', 50.00, 0,
        'pending', 'card', NULL);
INSERT INTO refunds (id, payment_id, amount)
VALUES ('00000000-0000-7000-8000-0000000000ac', '00000000-0000-7000-8000-0000000000aa', 10.00);
INSERT INTO stock_movements (id, product_id, change, reason, order_id)
VALUES ('00000000-0000-7000-8000-0000000000ae', '00000000-0000-7000-8000-0000000000a1', -1, 'sale',
    '00000000-0000-7000-8000-000000000081');
INSERT INTO coupon_usage (id, coupon_id, user_id, order_id, discount_amount)
VALUES ('00000000-0000-7000-8000-0000000000ad', '00000000-0000-7000-8000-000000000051',
    '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000081', 5.00);
INSERT INTO shipping_zones (id, name, countries)
VALUES ('00000000-0000-7000-8000-0000000000d1', 'Britain', '{GB}');
INSERT INTO shipping_methods (id, zone_id, name, carrier, price)
VALUES ('00000000-0000-7000-8000-0000000000d2', '00000000-0000-7000-8000-0000000000d1', 'Standard', 'DHL',
    4.90);
INSERT INTO tax_rates (id, country_code, category_id, name, rate, is_inclusive)
VALUES ('00000000-0000-7000-8000-0000000000d3', 'GB', '00000000-0000-7000-8000-0000000000c2', 'VAT 20 %',
    0.2, true);
INSERT INTO coupon_products (coupon_id, product_id)
VALUES ('00000000-0000-7000-8000-000000000051', '00000000-0000-7000-8000-0000000000a1');
INSERT INTO coupon_categories (coupon_id, category_id)
VALUES ('00000000-0000-7000-8000-000000000051', '00000000-0000-7000-8000-0000000000c2');
INSERT INTO payments (id, order_id, amount, status, payment_method, gateway)
VALUES ('00000000-0000-7000-8000-0000000000bb', '00000000-0000-7000-8000-000000000081', 10.00, 'pending',
        'card', 'sandbox');
INSERT INTO payment_operations (id, payment_id, kind, amount, status, idempotency_key, gateway_reference)
VALUES ('00000000-0000-7000-8000-0000000000bc', '00000000-0000-7000-8000-0000000000bb', 'authorize', 10.00,
        'succeeded', 'pay-1', 'auth_1'),
       ('00000000-0000-7000-8000-0000000000bd', '00000000-0000-7000-8000-0000000000bb', 'capture', 4.00,
        'pending', 'pay-2', NULL);
UPDATE payments SET gateway_reference = 'auth_1' WHERE id = '00000000-0000-7000-8000-0000000000bb';
INSERT INTO refunds (id, payment_id, amount)
VALUES ('00000000-0000-7000-8000-0000000000bf', '00000000-0000-7000-8000-0000000000aa', 1.00);
INSERT INTO payment_operations (id, payment_id, refund_id, kind, amount, idempotency_key)
VALUES ('00000000-0000-7000-8000-0000000000be', '00000000-0000-7000-8000-0000000000aa',
        '00000000-0000-7000-8000-0000000000bf', 'refund', 1.00, 'refund-1');
INSERT INTO gateway_events (gateway, event_id, kind, status, authorization_reference, gateway_reference,
    amount, occurred_at)
VALUES ('sandbox', 'event_1', 'authorize', 'succeeded', 'auth_1', 'auth_1', 10.00, now());
-- One line was sent and came back. The order is confirmed meanwhile, as it has to be for that.
ALTER TABLE orders DISABLE TRIGGER USER;
UPDATE orders SET status = 'confirmed';
INSERT INTO order_shipment_items (id, shipment_id, order_item_id, quantity)
VALUES ('00000000-0000-7000-8000-0000000000b8', '00000000-0000-7000-8000-0000000000a9',
    '00000000-0000-7000-8000-000000000091', 1);
INSERT INTO order_returns (id, order_id, refund_amount, idempotency_key, created_by)
VALUES ('00000000-0000-7000-8000-0000000000b9', '00000000-0000-7000-8000-000000000081', 20.00, 'back-1',
    '00000000-0000-7000-8000-000000000002');
INSERT INTO order_return_items (id, return_id, order_item_id, quantity, restock)
VALUES ('00000000-0000-7000-8000-0000000000ba', '00000000-0000-7000-8000-0000000000b9',
    '00000000-0000-7000-8000-000000000091', 1, false);
UPDATE order_shipments SET idempotency_key = 'parcel-1';
UPDATE orders SET status = 'pending';
ALTER TABLE orders ENABLE TRIGGER USER;
INSERT INTO order_notes (id, order_id, note, created_by)
VALUES ('00000000-0000-7000-8000-0000000000bb', '00000000-0000-7000-8000-000000000081', 'Called twice.',
    '00000000-0000-7000-8000-000000000002');
INSERT INTO event_consumers (id, name, kind, event_types, url, secret)
VALUES ('00000000-0000-7000-8000-0000000000ea', 'hook.example', 'webhook', '{order.*}',
    'https://hook.example/shop', 'whsec_' || encode(sha256('secret'), 'base64'));
INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type)
VALUES ('00000000-0000-7000-8000-0000000000eb', 'order', '00000000-0000-7000-8000-000000000081',
    'order.placed');
INSERT INTO worker_jobs (name) VALUES ('expire_events');
INSERT INTO bulk_changes (id, kind, description, rule, created_by)
VALUES ('00000000-0000-7000-8000-0000000000d1', 'price', 'Winter sale', '{}',
    '00000000-0000-7000-8000-000000000002');
INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, variant_id, old_price, new_price)
VALUES ('00000000-0000-7000-8000-0000000000d1', 1, 'price', '00000000-0000-7000-8000-0000000000a2',
    '00000000-0000-7000-8000-0000000000e1', 20.00, 18.00);
INSERT INTO price_changes (product_id, variant_id, old_price, new_price, bulk_change_id, changed_by)
VALUES ('00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-0000000000e1', 20.00, 18.00,
    '00000000-0000-7000-8000-0000000000d1', '00000000-0000-7000-8000-000000000002');
INSERT INTO search_synonyms (word, synonym) VALUES ('jumper', 'sweater');
INSERT INTO search_new_words (word) VALUES ('jersey');
