-- Large enough that the planner has a choice; categories and brands are as few as in a real shop.
INSERT INTO categories (name, slug) SELECT 'C' || n, 'c' || n FROM generate_series(1, 50) AS n;
INSERT INTO brands (name, slug) SELECT 'B' || n, 'b' || n FROM generate_series(1, 200) AS n;
INSERT INTO users (email, password_hash, first_name, last_name)
SELECT 'u' || n || '@example.com', '!', 'U', 'U' FROM generate_series(1, 5000) AS n;
INSERT INTO products (category_id, brand_id, name, slug, sku, price, stock_quantity, created_at)
SELECT c.id, b.id, 'P' || n, 'p' || n, 's' || n, n * 7919 % 100000 / 100.0, n % 10,
    now() - n * interval '1 minute'
FROM generate_series(1, 20000) AS n
JOIN categories AS c ON c.slug = 'c' || n % 50 + 1
JOIN brands AS b ON b.slug = 'b' || n % 200 + 1;
INSERT INTO product_images (product_id, url, is_primary)
SELECT id, 'https://images.example/' || n, n = 1 FROM products, generate_series(1, 2) AS n;
INSERT INTO product_variants (product_id, name, sku, price, stock_quantity, option_values)
SELECT p.id, 'V', p.sku || '-' || n, p.price, 5, jsonb_build_object('Size', n)
FROM products AS p, generate_series(1, 2) AS n WHERE p.stock_quantity < 5;
INSERT INTO product_reviews (product_id, user_id, rating, is_approved)
SELECT p.id, u.id, 1 + n % 5, true
FROM generate_series(1, 50000) AS n
JOIN products AS p ON p.slug = 'p' || n % 19997 + 1
JOIN users AS u ON u.email = 'u' || n / 10 % 5000 + 1 || '@example.com'
ON CONFLICT DO NOTHING;
INSERT INTO carts (user_id) SELECT id FROM users;
INSERT INTO carts (session_id) SELECT 'guest-' || n FROM generate_series(1, 5000) AS n;
INSERT INTO cart_items (cart_id, product_id, variant_id, quantity, unit_price)
SELECT c.id, p.id, (SELECT v.id FROM product_variants AS v WHERE v.product_id = p.id LIMIT 1), 1, 1
FROM (SELECT id, row_number() OVER () AS n FROM carts) AS c
JOIN generate_series(0, 2) AS line ON true
JOIN products AS p ON p.slug = 'p' || (c.n * 2 + line) % 20000 + 1;
INSERT INTO orders (user_id, currency_code, subtotal, total_amount, customer_email, idempotency_key)
SELECT u.id, 'EUR', 1, 1, u.email, 'key-' || u.email || n FROM users AS u, generate_series(1, 4) AS n;
INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, subtotal)
SELECT o.id, p.id, 'P', 's', 1, 1, 1
FROM (SELECT id, row_number() OVER () AS n FROM orders) AS o
JOIN generate_series(1, 2) AS line ON true
JOIN products AS p ON p.slug = 'p' || (o.n + line) % 20000 + 1;
INSERT INTO order_addresses (order_id, address_type, first_name, last_name, address_line_1, city,
    postal_code, country_code)
SELECT o.id, kind, 'A', 'B', 'C', 'D', 'E', 'DE'
FROM orders AS o, unnest(ARRAY['shipping', 'billing']) AS kind;
INSERT INTO order_shipments (order_id, carrier) SELECT id, 'DHL' FROM orders;
ALTER TABLE payments DISABLE TRIGGER USER;
INSERT INTO payments (order_id, amount, captured_amount, status, payment_method, captured_at)
SELECT id, 1, 1, 'captured', 'card', now() FROM orders;
ALTER TABLE payments ENABLE TRIGGER USER;
ALTER TABLE refunds DISABLE TRIGGER USER;
INSERT INTO refunds (payment_id, amount) SELECT id, 0.5 FROM payments;
ALTER TABLE refunds ENABLE TRIGGER USER;
-- Pending, which changes nothing; their trigger would look through the table for each.
ALTER TABLE payment_operations DISABLE TRIGGER USER;
INSERT INTO payment_operations (payment_id, refund_id, kind, amount, idempotency_key)
SELECT payment_id, id, 'refund', amount, 'refund-' || id FROM refunds;
ALTER TABLE payment_operations ENABLE TRIGGER USER;
INSERT INTO shipping_zones (name, countries)
SELECT 'Z' || n, '{DE}' FROM generate_series(1, 10) AS n;
INSERT INTO shipping_methods (zone_id, name, carrier, price) SELECT id, 'M', 'DHL', 4.90 FROM shipping_zones;
INSERT INTO tax_rates (country_code, name, rate) VALUES ('DE', 'VAT', 0.19);
INSERT INTO coupons (code, discount_type, discount_value)
SELECT 'C' || n, 'percentage', 10 FROM generate_series(1, 5000) AS n;
UPDATE carts SET coupon_id = (SELECT id FROM coupons ORDER BY id LIMIT 1) WHERE user_id IS NOT NULL;
INSERT INTO coupon_products (coupon_id, product_id)
SELECT c.id, p.id FROM coupons AS c JOIN products AS p ON right(p.slug, 3) = right(c.code, 3);
INSERT INTO coupon_categories (coupon_id, category_id)
SELECT c.id, g.id FROM coupons AS c, categories AS g WHERE right(g.slug, 1) = right(c.code, 1);
INSERT INTO coupon_usage (coupon_id, user_id, order_id, discount_amount)
SELECT c.id, o.user_id, o.id, 1
FROM (SELECT id, user_id, row_number() OVER () AS n FROM orders) AS o
JOIN coupons AS c ON c.code = 'C' || o.n % 5000 + 1;
-- The newest orders are pending; the others are sent and partly back again.
UPDATE orders AS o
SET status = CASE WHEN n.n > 2000 THEN 'confirmed' ELSE 'pending' END,
    placed_at = now() - n.n * interval '1 minute'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) AS n
WHERE o.id = n.id;
INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity)
SELECT s.id, i.id, 1
FROM order_shipments AS s
JOIN orders AS o ON o.id = s.order_id
JOIN order_items AS i ON i.order_id = o.id
WHERE o.status = 'confirmed';
INSERT INTO order_returns (order_id, refund_amount) SELECT id, 1 FROM orders;
INSERT INTO order_return_items (return_id, order_item_id, quantity, restock)
SELECT r.id, i.id, 1, false
FROM order_returns AS r JOIN order_items AS i ON i.order_id = r.order_id
WHERE i.fulfilled_quantity = 1;
INSERT INTO order_notes (order_id, note) SELECT id, 'n' FROM orders;
-- All delivered but for the last orders' of one consumer, whose endpoint is away.
INSERT INTO event_consumers (name, kind) SELECT 'c' || n, 'python' FROM generate_series(1, 2) AS n;
INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type)
SELECT 'order', id, 'order.confirmed' FROM orders, generate_series(1, 2);
UPDATE event_deliveries SET state = 'delivered', finished_at = now()
WHERE position < (SELECT max(position) - 1000 FROM outbox_events)
    OR consumer_id = (SELECT id FROM event_consumers WHERE name = 'c2');
