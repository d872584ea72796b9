-- name: get_order
-- §4.4: an order with everything about it, by id or, when that is null, by number.
SELECT json_build_object(
    'id', o.id,
    'user_id', o.user_id,
    'order_number', o.order_number,
    'status', o.status,
    'payment_status', o.payment_status,
    'fulfillment_status', o.fulfillment_status,
    'currency_code', o.currency_code,
    'subtotal', o.subtotal,
    'tax_amount', o.tax_amount,
    'shipping_amount', o.shipping_amount,
    'discount_amount', o.discount_amount,
    'total_amount', o.total_amount,
    'customer_email', o.customer_email,
    'coupon_code', o.coupon_code,
    'idempotency_key', o.idempotency_key,
    'placed_at', o.placed_at,
    'created_at', o.created_at,
    'updated_at', o.updated_at,
    'customer', (
        SELECT json_build_object(
            'id', u.id, 'email', u.email, 'first_name', u.first_name, 'last_name', u.last_name
        )
        FROM users AS u
        WHERE u.id = o.user_id
    ),
    'items', (
        SELECT coalesce(json_agg(json_build_object(
            'id', oi.id,
            'product_id', oi.product_id,
            'variant_id', oi.variant_id,
            'product_name', oi.product_name,
            'variant_name', oi.variant_name,
            'sku', oi.sku,
            'quantity', oi.quantity,
            'unit_price', oi.unit_price,
            'subtotal', oi.subtotal,
            'image_url', oi.image_url
        ) ORDER BY oi.created_at, oi.id), '[]')
        FROM order_items AS oi
        WHERE oi.order_id = o.id
    ),
    'addresses', (
        SELECT coalesce(json_agg(json_build_object(
            'id', oa.id,
            'type', oa.address_type,
            'first_name', oa.first_name,
            'last_name', oa.last_name,
            'address_line_1', oa.address_line_1,
            'address_line_2', oa.address_line_2,
            'city', oa.city,
            'state', oa.state,
            'postal_code', oa.postal_code,
            'country_code', oa.country_code
        ) ORDER BY oa.address_type DESC), '[]')
        FROM order_addresses AS oa
        WHERE oa.order_id = o.id
    ),
    'shipment', shipment.list -> -1,
    'shipments', coalesce(shipment.list, '[]'),
    'payment', payment.list -> -1,
    'payments', coalesce(payment.list, '[]'),
    'refunds', (
        SELECT coalesce(json_agg(json_build_object(
            'id', r.id,
            'payment_id', r.payment_id,
            'amount', r.amount,
            'status', r.status,
            'reason', r.reason,
            'created_at', r.created_at
        ) ORDER BY r.created_at, r.id), '[]')
        FROM payments AS pay
        JOIN refunds AS r ON r.payment_id = pay.id
        WHERE pay.order_id = o.id
    ),
    'status_history', (
        SELECT coalesce(json_agg(json_build_object(
            'status', osh.status,
            'notes', osh.notes,
            'created_by', osh.created_by,
            'created_at', osh.created_at
        ) ORDER BY osh.created_at, osh.id), '[]')
        FROM order_status_history AS osh
        WHERE osh.order_id = o.id
    )
)
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'id', os.id,
        'carrier', os.carrier,
        'tracking_number', os.tracking_number,
        'status', os.status,
        'estimated_delivery', os.estimated_delivery,
        'shipped_at', os.shipped_at,
        'delivered_at', os.delivered_at
    ) ORDER BY os.created_at, os.id) AS list
    FROM order_shipments AS os
    WHERE os.order_id = o.id
) AS shipment
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'id', pay.id,
        'method', pay.payment_method,
        'status', pay.status,
        'amount', pay.amount,
        'captured_amount', pay.captured_amount,
        'captured_at', pay.captured_at,
        'card_brand', pay.card_brand,
        'card_last_four', pay.card_last_four
    ) ORDER BY pay.created_at, pay.id) AS list
    FROM payments AS pay
    WHERE pay.order_id = o.id
) AS payment
WHERE o.id = coalesce(
    %(id)s::uuid,
    (SELECT n.id FROM orders AS n WHERE n.order_number = %(order_number)s::text)
);

-- name: lock_cart
-- Hold the cart until the end: of two checkouts of it the second then finds it empty. Its user
-- first, as the order needs it later and the deletion of a user takes that row before the cart.
WITH owner AS MATERIALIZED (
    SELECT u.id
    FROM carts AS c
    JOIN users AS u ON u.id = c.user_id
    WHERE c.id = %(cart_id)s
    FOR KEY SHARE OF u
)

SELECT c.id
FROM carts AS c
-- Always true; a condition is looked at before the row is locked.
WHERE c.id = %(cart_id)s AND (SELECT count(*) FROM owner) >= 0
FOR UPDATE OF c;

-- name: lock_stock
-- Hold the rows whose stock the cart takes, in the order in which everybody locks them: variants
-- by id, then products without variants by id. The trigger takes the variants' products after.
WITH variant AS MATERIALIZED (
    SELECT pv.id
    FROM cart_items AS ci
    JOIN products AS p ON p.id = ci.product_id
    JOIN product_variants AS pv ON pv.id = ci.variant_id
    WHERE ci.cart_id = %(cart_id)s AND p.track_inventory
    ORDER BY pv.id
    FOR NO KEY UPDATE OF pv
),

product AS MATERIALIZED (
    SELECT p.id
    FROM cart_items AS ci
    JOIN products AS p ON p.id = ci.product_id
    WHERE ci.cart_id = %(cart_id)s AND ci.variant_id IS NULL AND p.track_inventory
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
)

SELECT id FROM variant UNION ALL SELECT id FROM product;

-- name: read_checkout
-- What the checkout decides on: a statement of its own, to see what the locks waited for.
SELECT json_build_object(
    'cart_id', c.id,
    'user_id', c.user_id,
    'user_email', (SELECT u.email FROM users AS u WHERE u.id = c.user_id),
    'shipping', (
        SELECT json_build_object('price', m.price, 'free_above', m.free_above)
        FROM shipping_methods AS m
        WHERE
            m.id = %(shipping_method_id)s::uuid
            AND m.is_active
            AND m.zone_id = shipping_zone_of(%(country_code)s::text, %(state)s::text)
    ),
    'lines', (
        SELECT coalesce(json_agg(json_build_object(
            'product_id', ci.product_id,
            'variant_id', ci.variant_id,
            'product_name', p.name,
            'variant_name', pv.name,
            'sku', coalesce(pv.sku, p.sku),
            'quantity', ci.quantity,
            'unit_price', coalesce(pv.price, p.price),
            'image_url', (
                SELECT pi.url
                FROM product_images AS pi
                WHERE pi.product_id = p.id AND (pi.variant_id = pv.id OR pi.is_primary)
                ORDER BY (pi.variant_id = pv.id) DESC NULLS LAST, pi.sort_order, pi.id
                LIMIT 1
            ),
            'track_inventory', p.track_inventory,
            'available', CASE
                WHEN NOT p.is_active OR p.deleted_at IS NOT NULL THEN 0
                WHEN p.has_variants AND pv.is_active IS NOT TRUE THEN 0
                WHEN p.track_inventory THEN coalesce(pv.stock_quantity, p.stock_quantity)
            END
        ) ORDER BY ci.created_at, ci.id), '[]')
        FROM cart_items AS ci
        JOIN products AS p ON p.id = ci.product_id
        LEFT JOIN product_variants AS pv ON pv.id = ci.variant_id
        WHERE ci.cart_id = c.id
    )
)
FROM carts AS c
WHERE c.id = %(cart_id)s;

-- name: explain_change
-- Who changes the status of an order and why, for its history; until the transaction's end. No row
-- when there is no such user. The history needs that row, and the deletion of a user takes it
-- before the orders: so it is held before any order is touched.
WITH actor AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(actor)s::uuid FOR KEY SHARE
)

SELECT
    set_config('shopflow.actor', coalesce(%(actor)s::uuid::text, ''), TRUE),
    set_config('shopflow.reason', coalesce(%(reason)s::text, ''), TRUE)
WHERE %(actor)s::uuid IS NULL OR EXISTS (SELECT FROM actor);

-- name: write_order
-- Take the stock, write the order with its lines and addresses, empty the cart.
WITH line AS MATERIALIZED (
    SELECT
        product_id, variant_id, product_name, variant_name, sku, quantity, unit_price, subtotal,
        image_url, track_inventory
    FROM jsonb_to_recordset(%(lines)s::jsonb) AS given (
        product_id uuid,
        variant_id uuid,
        product_name text,
        variant_name text,
        sku text,
        quantity integer,
        unit_price numeric,
        subtotal numeric,
        image_url text,
        track_inventory boolean
    )
),

product_stock AS (
    UPDATE products AS p
    SET stock_quantity = p.stock_quantity - line.quantity
    FROM line
    WHERE p.id = line.product_id AND line.variant_id IS NULL AND line.track_inventory
),

variant_stock AS (
    UPDATE product_variants AS pv
    SET stock_quantity = pv.stock_quantity - line.quantity
    FROM line
    WHERE pv.id = line.variant_id AND line.track_inventory
),

placed AS (
    INSERT INTO orders (
        user_id, customer_email, currency_code, idempotency_key, idempotency_fingerprint,
        subtotal, discount_amount, shipping_amount, tax_amount, total_amount
    )
    VALUES (
        %(user_id)s, %(customer_email)s, %(currency_code)s, %(idempotency_key)s, %(fingerprint)s,
        %(subtotal)s, %(discount_amount)s, %(shipping_amount)s, %(tax_amount)s, %(total_amount)s
    )
    RETURNING id, order_number, status, currency_code, total_amount, placed_at
),

items AS (
    INSERT INTO order_items (
        order_id, product_id, variant_id, product_name, variant_name, sku,
        quantity, unit_price, subtotal, image_url
    )
    SELECT
        placed.id, line.product_id, line.variant_id, line.product_name, line.variant_name, line.sku,
        line.quantity, line.unit_price, line.subtotal, line.image_url
    FROM placed, line
),

addresses AS (
    INSERT INTO order_addresses (
        order_id, address_type, first_name, last_name,
        address_line_1, address_line_2, city, state, postal_code, country_code
    )
    SELECT
        placed.id, a.address_type, a.first_name, a.last_name,
        a.address_line_1, a.address_line_2, a.city, a.state, a.postal_code, a.country_code
    FROM
        placed,
        jsonb_to_recordset(%(addresses)s::jsonb) AS a (
            address_type text,
            first_name text,
            last_name text,
            address_line_1 text,
            address_line_2 text,
            city text,
            state text,
            postal_code text,
            country_code text
        )
),

emptied AS (
    DELETE FROM cart_items WHERE cart_id = %(cart_id)s
)

SELECT id, order_number, status, currency_code, total_amount, placed_at FROM placed;

-- name: get_placed_order
-- The order that was placed with this idempotency key, and whether by the same request.
SELECT
    id, order_number, status, currency_code, total_amount, placed_at,
    idempotency_fingerprint IS NOT DISTINCT FROM %(fingerprint)s::bytea AS same_request
FROM orders
WHERE idempotency_key = %(idempotency_key)s;

-- name: capture_payment
-- Pay an order in full, once: the second of two finds it paid and touches nothing.
WITH paid AS (
    UPDATE orders
    SET status = 'confirmed', payment_status = 'paid'
    WHERE
        id = %(order_id)s
        AND status = 'pending'
        AND payment_status = 'unpaid'
        AND total_amount = %(amount)s
    RETURNING id
)

INSERT INTO payments (
    order_id, amount, captured_amount, status, captured_at, payment_method, card_brand, card_last_four
)
SELECT
    id, %(amount)s, %(amount)s, 'captured', now(),
    %(method)s::text, %(card_brand)s::text, %(card_last_four)s::text
FROM paid
RETURNING id;

-- name: get_payable
-- What a payment of this order is checked against.
SELECT status, payment_status, total_amount FROM orders WHERE id = %(order_id)s;

-- name: read_quotes
-- What these carts are priced by, in the order of the requests, null for a cart that is not there;
-- with it the categories above the products in them and the tax rates of all their addresses.
WITH RECURSIVE request AS MATERIALIZED (
    SELECT given.n, given.cart_id, given.shipping_method_id, given.country_code, given.state
    FROM ROWS FROM (
        jsonb_to_recordset(%(requests)s::jsonb)
        AS (cart_id uuid, shipping_method_id uuid, country_code text, state text)
    ) WITH ORDINALITY AS given (cart_id, shipping_method_id, country_code, state, n)
),

line AS MATERIALIZED (
    SELECT
        r.n, l.place, l.product_id, l.variant_id, l.category_id, l.sku, l.product_name,
        l.variant_name, l.quantity, l.unit_price, l.cart_price, l.available
    FROM request AS r
    -- The window keeps it a look-up for each cart, however many the planner expects.
    CROSS JOIN LATERAL (
        SELECT
            row_number() OVER (ORDER BY ci.created_at, ci.id) AS place,
            ci.product_id,
            ci.variant_id,
            p.category_id,
            coalesce(pv.sku, p.sku) AS sku,
            p.name AS product_name,
            pv.name AS variant_name,
            ci.quantity,
            coalesce(pv.price, p.price) AS unit_price,
            ci.unit_price AS cart_price,
            CASE
                WHEN NOT p.is_active OR p.deleted_at IS NOT NULL THEN 0
                WHEN p.has_variants AND pv.is_active IS NOT TRUE THEN 0
                WHEN p.track_inventory THEN coalesce(pv.stock_quantity, p.stock_quantity)
            END AS available
        FROM cart_items AS ci
        JOIN products AS p ON p.id = ci.product_id
        LEFT JOIN product_variants AS pv ON pv.id = ci.variant_id
        WHERE ci.cart_id = r.cart_id
    ) AS l
),

above AS (
    SELECT c.id, c.parent_id
    FROM categories AS c
    WHERE c.id IN (SELECT line.category_id FROM line)
    UNION
    SELECT c.id, c.parent_id FROM above AS a JOIN categories AS c ON c.id = a.parent_id
)

SELECT json_build_object(
    -- Not now(): a transaction may have waited since it began.
    'now', statement_timestamp(),
    'parents', (
        SELECT coalesce(json_object_agg(a.id, a.parent_id), '{}')
        FROM above AS a
        WHERE a.parent_id IS NOT NULL
    ),
    'tax_rates', (
        SELECT coalesce(json_agg(json_build_object(
            'country_code', t.country_code,
            'state', t.state,
            'category_id', t.category_id,
            'name', t.name,
            'rate', t.rate,
            'is_inclusive', t.is_inclusive
        )), '[]')
        FROM tax_rates AS t
        WHERE EXISTS (
            SELECT FROM request AS r
            WHERE r.country_code = t.country_code AND (t.state IS NULL OR r.state = t.state)
        )
    ),
    'carts', (
        SELECT coalesce(json_agg((
            SELECT json_build_object(
                'user_id', c.user_id,
                'user_email', (SELECT u.email FROM users AS u WHERE u.id = c.user_id),
                'coupon', (
                    SELECT json_build_object(
                        'id', cp.id,
                        'code', cp.code,
                        'discount_type', cp.discount_type,
                        'discount_value', cp.discount_value,
                        'min_order', cp.min_order,
                        'max_discount', cp.max_discount,
                        'usage_limit', cp.usage_limit,
                        'per_user_limit', cp.per_user_limit,
                        'used_count', cp.used_count,
                        'is_active', cp.is_active,
                        'first_order_only', cp.first_order_only,
                        'starts_at', cp.starts_at,
                        'expires_at', cp.expires_at,
                        'scope', CASE WHEN cp.is_restricted THEN json_build_object(
                            'product_ids', (
                                SELECT coalesce(json_agg(of.product_id), '[]')
                                FROM coupon_products AS of
                                WHERE
                                    of.coupon_id = cp.id
                                    AND of.product_id IN (
                                        SELECT ci.product_id
                                        FROM cart_items AS ci
                                        WHERE ci.cart_id = c.id
                                    )
                            ),
                            'category_ids', (
                                SELECT coalesce(json_agg(of.category_id), '[]')
                                FROM coupon_categories AS of
                                WHERE of.coupon_id = cp.id
                            )
                        ) END
                    )
                    FROM coupons AS cp
                    WHERE cp.id = c.coupon_id
                ),
                'coupon_uses', (
                    SELECT count(*)
                    FROM coupon_usage AS cu
                    WHERE cu.user_id = c.user_id AND cu.coupon_id = c.coupon_id
                ),
                'has_ordered', c.coupon_id IS NOT NULL AND EXISTS (
                    SELECT FROM orders AS o
                    WHERE o.user_id = c.user_id AND o.status <> 'cancelled'
                ),
                'shipping', (
                    SELECT json_build_object('price', m.price, 'free_above', m.free_above)
                    FROM shipping_methods AS m
                    WHERE
                        m.id = r.shipping_method_id
                        AND m.is_active
                        AND m.zone_id = shipping_zone_of(r.country_code, r.state)
                ),
                'methods', CASE WHEN %(every_method)s::boolean THEN (
                    SELECT coalesce(json_agg(json_build_object(
                        'id', m.id,
                        'name', m.name,
                        'carrier', m.carrier,
                        'estimated_days', m.estimated_days,
                        'price', m.price,
                        'free_above', m.free_above
                    )), '[]')
                    FROM shipping_methods AS m
                    WHERE
                        m.is_active
                        AND m.zone_id = shipping_zone_of(r.country_code, r.state)
                ) ELSE '[]' END,
                'lines', (
                    SELECT coalesce(json_agg(json_build_object(
                        'product_id', l.product_id,
                        'variant_id', l.variant_id,
                        'category_id', l.category_id,
                        'sku', l.sku,
                        'product_name', l.product_name,
                        'variant_name', l.variant_name,
                        'quantity', l.quantity,
                        'unit_price', l.unit_price,
                        'cart_price', l.cart_price,
                        'available', l.available
                    ) ORDER BY l.place), '[]')
                    FROM line AS l
                    WHERE l.n = r.n
                )
            )
            FROM carts AS c
            WHERE c.id = r.cart_id
        ) ORDER BY r.n), '[]')
        FROM request AS r
    )
);

-- name: set_tax_rate
-- The rate of a country, state and category, in place of another for the same.
INSERT INTO tax_rates AS t (country_code, state, category_id, name, rate, is_inclusive)
VALUES (
    %(country_code)s, %(state)s, %(category_id)s, %(name)s, %(rate)s, %(is_inclusive)s
)
ON CONFLICT (country_code, state, category_id) DO UPDATE
SET name = excluded.name, rate = excluded.rate, is_inclusive = excluded.is_inclusive
RETURNING t.id;

-- name: list_tax_rates
-- The rates of a country, or all of them.
SELECT id, country_code, state, category_id, name, rate, is_inclusive
FROM tax_rates
WHERE country_code = coalesce(%(country_code)s::text, country_code)
ORDER BY country_code, state NULLS FIRST, category_id NULLS FIRST;

-- name: remove_tax_rate
-- A rate goes; orders keep what they were charged.
DELETE FROM tax_rates WHERE id = %(id)s;
