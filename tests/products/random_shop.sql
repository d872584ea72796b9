-- Few prices, moments and names, so that ties are many, and some of everything that is optional is missing.
SELECT setseed(0.5);
INSERT INTO categories (name, slug) SELECT 'C' || n, 'c' || n FROM generate_series(1, 9) AS n;
-- c1 has c2 and c3 below it, c2 has c4 to c6, c6 has c7, and c8 and c9 are roots.
UPDATE categories AS c SET parent_id = p.id
FROM (VALUES ('c2', 'c1'), ('c3', 'c1'), ('c4', 'c2'), ('c5', 'c2'), ('c6', 'c2'), ('c7', 'c6')) AS t (slug, above)
JOIN categories AS p ON p.slug = t.above
WHERE c.slug = t.slug;
INSERT INTO brands (name, slug) SELECT 'B' || n, 'b' || n FROM generate_series(1, 3) AS n;
INSERT INTO users (email, password_hash, first_name, last_name)
SELECT 'u' || n || '@example.com', '!', 'U', 'U' FROM generate_series(1, 5) AS n;
INSERT INTO products (category_id, brand_id, name, slug, sku, price, compare_at_price,
    stock_quantity, track_inventory, is_featured, tags, attributes, is_active, created_at, deleted_at)
SELECT c.id, b.id,
    (ARRAY['Shirt', 'shirt', 'Ärmel', 'Zip', 'apron'])[ceil(random() * 5)], 'p' || n, 's' || n, p.price,
    CASE WHEN random() < 0.3 THEN p.price + 1.5 END,
    floor(random() * 3), random() < 0.8, random() < 0.3,
    (ARRAY['{}', '{new}', '{new,sale}', '{sale}'])[ceil(random() * 4)]::text[],
    (ARRAY['{}', '{"color": "red"}', '{"color": ["red", "blue"], "size": 5}', '{"color": "blue", "eco": true}',
        '{"size": 5, "eco": false}', '{"size": "5"}'])[ceil(random() * 6)]::jsonb,
    random() < 0.9, now() - ceil(random() * 5) * interval '1 day',
    CASE WHEN random() < 0.1 THEN now() END
FROM (
    SELECT n, ceil(random() * 10) * 1.25 AS price,
        'c' || ceil(random() * 10) AS category, 'b' || ceil(random() * 4) AS brand
    FROM generate_series(1, 300) AS n
) AS p
LEFT JOIN categories AS c ON c.slug = p.category
LEFT JOIN brands AS b ON b.slug = p.brand;
INSERT INTO product_variants (product_id, name, sku, price, stock_quantity, is_active, option_values)
SELECT p.id, n, p.sku || '-' || n, p.price, floor(random() * 2), random() < 0.8 AND p.deleted_at IS NULL,
    jsonb_build_object('Size', (ARRAY['S', 'M', 'L'])[n], 'Colour', (ARRAY['red', 'blue'])[ceil(random() * 2)])
FROM products AS p, generate_series(1, 3) AS n WHERE right(p.slug, 1) IN ('1', '2', '3') AND random() < 0.7;
INSERT INTO product_images (product_id, url, is_primary)
SELECT id, 'https://images.example/' || slug, random() < 0.7 FROM products WHERE random() < 0.8;
INSERT INTO product_reviews (product_id, user_id, rating, is_approved)
SELECT p.id, u.id, ceil(random() * 5), random() < 0.7 FROM products AS p, users AS u
WHERE random() < 0.4;
INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)
SELECT 'EUR', 0, 0, 'a@example.com' FROM generate_series(1, 20);
INSERT INTO order_items (order_id, product_id, product_name, sku, quantity, unit_price, subtotal)
SELECT o.id, p.id, 'P', 'S', ceil(random() * 3), 0, 0 FROM orders AS o, products AS p WHERE random() < 0.02;
SELECT count_sales(90, 1000)
