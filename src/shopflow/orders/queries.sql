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
    'included_tax_amount', o.included_tax_amount,
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
            'discount_amount', oi.discount_amount,
            'tax_amount', oi.tax_amount,
            'tax_included', oi.tax_included,
            'fulfilled_quantity', oi.fulfilled_quantity,
            'returned_quantity', oi.returned_quantity,
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
    'returns', (
        SELECT coalesce(json_agg(json_build_object(
            'id', ret.id,
            'reason', ret.reason,
            'refund_amount', ret.refund_amount,
            'refunded_elsewhere', ret.refunded_elsewhere,
            'created_by', ret.created_by,
            'created_at', ret.created_at,
            'items', (
                SELECT coalesce(json_agg(json_build_object(
                    'order_item_id', ri.order_item_id,
                    'quantity', ri.quantity,
                    'restock', ri.restock
                ) ORDER BY ri.created_at, ri.id), '[]')
                FROM order_return_items AS ri
                WHERE ri.return_id = ret.id
            )
        ) ORDER BY ret.created_at, ret.id), '[]')
        FROM order_returns AS ret
        WHERE ret.order_id = o.id
    ),
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
    ),
    'notes', (
        SELECT coalesce(json_agg(json_build_object(
            'id', n.id,
            'note', n.note,
            'created_by', n.created_by,
            'created_at', n.created_at
        ) ORDER BY n.created_at, n.id), '[]')
        FROM order_notes AS n
        WHERE n.order_id = o.id
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
        'delivered_at', os.delivered_at,
        'items', (
            SELECT coalesce(json_agg(json_build_object(
                'order_item_id', si.order_item_id, 'quantity', si.quantity
            ) ORDER BY si.created_at, si.id), '[]')
            FROM order_shipment_items AS si
            WHERE si.shipment_id = os.id
        )
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

-- name: place_orders
-- Place the orders of several priced carts in one transaction, and say what became of each.
SELECT
    n, outcome, shortages, id, order_number, status, currency_code, total_amount, placed_at
FROM place_orders(%(batch)s::jsonb, %(patient)s);

-- name: find_free_carts
-- Which of these carts nobody is ordering just now.
WITH free AS MATERIALIZED (
    SELECT id FROM carts WHERE id = ANY(%(cart_ids)s) FOR KEY SHARE SKIP LOCKED
)

SELECT c.id, EXISTS (SELECT FROM free WHERE free.id = c.id) AS is_free
FROM carts AS c
WHERE c.id = ANY(%(cart_ids)s);

-- name: wait_for_carts
-- Wait until nobody is ordering these carts.
SELECT id, TRUE AS is_free FROM carts WHERE id = ANY(%(cart_ids)s) ORDER BY id FOR KEY SHARE;

-- name: get_placed_orders
-- The orders that were placed with these idempotency keys, and the requests they were placed by.
SELECT
    id, order_number, status, currency_code, total_amount, placed_at,
    idempotency_key, idempotency_fingerprint
FROM orders
WHERE idempotency_key = ANY(%(idempotency_keys)s);

-- name: read_quotes
-- What these carts are priced by, in the order of the requests, null for a cart that is not there;
-- with it the categories above the products in them and the tax rates of all their addresses.
-- One parameter that the planner cannot look into: a plan for its value would be no better, so
-- PostgreSQL plans once. Planning takes five times as long as the rest.
WITH RECURSIVE request AS MATERIALIZED (
    SELECT
        given.n,
        given.cart_id,
        given.shipping_method_id,
        given.country_code,
        given.state,
        given.every_method
    FROM ROWS FROM (
        jsonb_to_recordset(%(requests)s::jsonb) AS (
            cart_id uuid,
            shipping_method_id uuid,
            country_code text,
            state text,
            every_method boolean
        )
    ) WITH ORDINALITY
        AS given (cart_id, shipping_method_id, country_code, state, every_method, n)
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
                'methods', CASE WHEN r.every_method THEN (
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

-- name: hold_order
-- Lock an order, by its id or that of a shipment, and say who changes it and why: as
-- explain_change, the user first, which the deletion of a user takes before the orders.
WITH actor AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(actor)s::uuid FOR KEY SHARE
)

SELECT
    o.id,
    o.status,
    %(actor)s::uuid IS NULL OR EXISTS (SELECT FROM actor) AS actor_known,
    set_config('shopflow.actor', coalesce(%(actor)s::uuid::text, ''), TRUE) AS actor,
    set_config('shopflow.reason', coalesce(%(reason)s::text, ''), TRUE) AS reason
FROM orders AS o
WHERE
    o.id = coalesce(
        %(order_id)s::uuid,
        (SELECT s.order_id FROM order_shipments AS s WHERE s.id = %(shipment_id)s::uuid)
    )
    -- Always true; a condition is looked at before the row is locked.
    AND (SELECT count(*) FROM actor) >= 0
FOR NO KEY UPDATE OF o;

-- name: step_order
-- Take a held order a step further; a step that there is not is refused.
UPDATE orders SET status = %(status)s::text WHERE id = %(order_id)s AND status <> %(status)s::text;

-- name: read_sold_lines
-- The lines of a held order: what of them was sent and came back, and what they came to.
SELECT
    i.id, i.sku, i.quantity, i.fulfilled_quantity, i.returned_quantity,
    i.subtotal, i.discount_amount,
    CASE WHEN i.tax_included THEN 0.00 ELSE i.tax_amount END AS added_tax_amount
FROM order_items AS i
WHERE i.order_id = %(order_id)s
ORDER BY i.created_at, i.id;

-- name: get_shipment_by_key
-- The shipment of an order that was made with this idempotency key, and whether by the same request.
SELECT id, idempotency_fingerprint IS NOT DISTINCT FROM %(fingerprint)s::bytea AS same_request
FROM order_shipments
WHERE order_id = %(order_id)s AND idempotency_key = %(idempotency_key)s;

-- name: write_shipment
-- Send a parcel with these lines; triggers count what was sent.
WITH shipment AS (
    INSERT INTO order_shipments (
        order_id, carrier, tracking_number, estimated_delivery, status, shipped_at,
        idempotency_key, idempotency_fingerprint
    )
    VALUES (
        %(order_id)s, %(carrier)s, %(tracking_number)s::text, %(estimated_delivery)s::date,
        'shipped', now(), %(idempotency_key)s::text, %(fingerprint)s::bytea
    )
    RETURNING id
),

lines AS (
    INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity)
    SELECT shipment.id, line.order_item_id, line.quantity
    FROM
        shipment,
        jsonb_to_recordset(%(lines)s::jsonb) AS line (order_item_id uuid, quantity integer)
)

SELECT id FROM shipment;

-- name: get_shipment_status
-- Where the parcel of a held order is.
SELECT status FROM order_shipments WHERE id = %(shipment_id)s;

-- name: track_shipment
-- Change what is known of a parcel; what is not given stays.
UPDATE order_shipments
SET
    carrier = coalesce(%(carrier)s::text, carrier),
    tracking_number = coalesce(%(tracking_number)s::text, tracking_number),
    estimated_delivery = coalesce(%(estimated_delivery)s::date, estimated_delivery),
    status = coalesce(%(status)s::text, status),
    shipped_at = CASE
        WHEN %(status)s::text IS NULL THEN shipped_at ELSE coalesce(shipped_at, now())
    END
WHERE id = %(shipment_id)s;

-- name: end_shipment
-- Say how the way of a parcel ended: delivered, lost or returned.
UPDATE order_shipments
SET
    status = %(status)s::text,
    delivered_at = CASE
        WHEN %(status)s::text = 'delivered' THEN coalesce(%(at)s::timestamptz, now())
    END
WHERE id = %(shipment_id)s AND status IN ('pending', 'shipped', 'in_transit');

-- name: deliver_order
-- A shipped order is delivered once every piece was delivered, or came back.
UPDATE orders AS o
SET status = 'delivered'
WHERE
    o.id = %(order_id)s
    AND o.status = 'shipped'
    AND EXISTS (
        SELECT FROM order_shipments AS s WHERE s.order_id = o.id AND s.status = 'delivered'
    )
    AND NOT EXISTS (
        SELECT
        FROM order_items AS i
        WHERE
            i.order_id = o.id
            AND i.quantity - i.returned_quantity > (
                SELECT coalesce(sum(l.quantity), 0)
                FROM order_shipment_items AS l
                JOIN order_shipments AS s ON s.id = l.shipment_id
                WHERE l.order_item_id = i.id AND s.status = 'delivered'
            )
    );

-- name: get_return_by_key
-- The return of an order that was made with this idempotency key, and whether by the same request.
SELECT
    id, refund_amount,
    idempotency_fingerprint IS NOT DISTINCT FROM %(fingerprint)s::bytea AS same_request
FROM order_returns
WHERE order_id = %(order_id)s AND idempotency_key = %(idempotency_key)s;

-- name: write_return
-- Write down that goods of a held order come back; their lines follow.
INSERT INTO order_returns (
    order_id, reason, refund_amount, refunded_elsewhere, created_by, idempotency_key,
    idempotency_fingerprint
)
VALUES (
    %(order_id)s, %(reason)s::text, %(refund_amount)s, %(refunded_elsewhere)s, %(actor)s::uuid,
    %(idempotency_key)s::text, %(fingerprint)s::bytea
)
RETURNING id, refund_amount;

-- name: write_return_lines
-- Take back these lines; triggers count them and put into stock what is sold again.
INSERT INTO order_return_items (return_id, order_item_id, quantity, restock)
SELECT %(return_id)s::uuid, line.order_item_id, line.quantity, line.restock
FROM jsonb_to_recordset(%(lines)s::jsonb) AS line (
    order_item_id uuid, quantity integer, restock boolean
);

-- name: list_refunds_of_return
-- The refunds that were written with a return: their keys begin with its own.
SELECT po.id
FROM payments AS p
JOIN payment_operations AS po ON po.payment_id = p.id
WHERE
    p.order_id = %(order_id)s
    AND po.kind = 'refund'
    AND starts_with(po.idempotency_key, %(beginning)s::text)
ORDER BY po.created_at, po.id;

-- name: list_open_give_backs
-- The voids and refunds of a held order that have no outcome yet.
SELECT po.id
FROM payments AS p
JOIN payment_operations AS po ON po.payment_id = p.id
WHERE
    p.order_id = %(order_id)s
    AND po.kind IN ('void', 'refund')
    AND po.status IN ('pending', 'unknown')
ORDER BY po.created_at, po.id;

-- name: read_order_worth
-- What a held order came to, and what came back of it, by how it is given back.
SELECT
    o.total_amount,
    coalesce(sum(r.refund_amount) FILTER (WHERE NOT r.refunded_elsewhere), 0.00) AS returned_amount,
    coalesce(sum(r.refund_amount) FILTER (WHERE r.refunded_elsewhere), 0.00)
        AS returned_elsewhere_amount
FROM orders AS o
LEFT JOIN order_returns AS r ON r.order_id = o.id
WHERE o.id = %(order_id)s
GROUP BY o.id;

-- name: read_payments_to_settle
-- The payments of a held order, the newest first: what of each was or is being paid back, and what
-- of it is neither captured nor voided.
SELECT
    p.id, p.gateway, p.status, p.captured_amount,
    coalesce(
        (
            SELECT sum(r.amount)
            FROM refunds AS r
            WHERE r.payment_id = p.id AND r.status <> 'failed'
        ),
        0.00
    ) AS refunded_amount,
    p.amount - p.captured_amount - p.voided_amount AS rest,
    p.gateway IS NOT NULL AND s.live_amount > p.captured_amount + p.voided_amount AS busy
FROM payments AS p
CROSS JOIN LATERAL payment_state(p.id) AS s
WHERE p.order_id = %(order_id)s
ORDER BY p.created_at DESC, p.id DESC;

-- name: write_note
-- Note something about an order; no row when there is no such order. The author's row before the
-- order's, whose keys the note holds, as the deletion of a user takes them.
WITH author AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(actor)s::uuid FOR KEY SHARE
)

INSERT INTO order_notes (order_id, note, created_by)
SELECT id, %(note)s::text, %(actor)s::uuid
FROM orders
-- Always true; it has the author locked first.
WHERE id = %(order_id)s AND (SELECT count(*) FROM author) >= 0
RETURNING id;

-- name: count_unpaid_orders
-- How many orders lock_unpaid_orders would find, locked by others or not. Counted, as NOT EXISTS
-- would be planned as a join with all payments there are.
SELECT count(*) AS orders
FROM orders AS o
WHERE
    o.status = 'pending'
    AND o.payment_status = 'unpaid'
    AND o.total_amount > 0
    AND o.placed_at < now() - %(older_than)s::interval
    AND (
        SELECT count(*)
        FROM payments AS p
        WHERE
            p.order_id = o.id
            AND (
                p.status IN ('authorized', 'captured')
                OR (p.status = 'pending' AND p.created_at >= now() - %(grace)s::interval)
            )
    ) = 0;

-- name: lock_unpaid_orders
-- Lock the oldest orders that nobody has paid in time and nobody is paying; those that others hold
-- are left to them. FOR UPDATE: a payment being written holds its order's key.
SELECT o.id
FROM orders AS o
WHERE
    o.status = 'pending'
    AND o.payment_status = 'unpaid'
    AND o.total_amount > 0
    AND o.placed_at < now() - %(older_than)s::interval
    AND (
        SELECT count(*)
        FROM payments AS p
        WHERE
            p.order_id = o.id
            AND (
                p.status IN ('authorized', 'captured')
                OR (p.status = 'pending' AND p.created_at >= now() - %(grace)s::interval)
            )
    ) = 0
ORDER BY o.placed_at, o.id
LIMIT %(batch)s
FOR UPDATE OF o SKIP LOCKED;

-- name: lock_what_orders_took
-- Hold what cancelling these orders gives back, in the order in which everybody locks it: variants,
-- products (the variants' own too, whose sum changes), coupons, each by id.
WITH item AS MATERIALIZED (
    SELECT product_id, variant_id FROM order_items WHERE order_id = ANY(%(orders)s::uuid[])
),

variant AS MATERIALIZED (
    SELECT pv.id
    FROM product_variants AS pv
    WHERE pv.id IN (SELECT variant_id FROM item)
    ORDER BY pv.id
    FOR NO KEY UPDATE
),

product AS MATERIALIZED (
    SELECT p.id
    FROM products AS p
    WHERE p.id IN (SELECT product_id FROM item) AND (SELECT count(*) FROM variant) >= 0
    ORDER BY p.id
    FOR NO KEY UPDATE
),

coupon AS MATERIALIZED (
    SELECT c.id
    FROM coupons AS c
    WHERE
        c.id IN (SELECT coupon_id FROM coupon_usage WHERE order_id = ANY(%(orders)s::uuid[]))
        AND (SELECT count(*) FROM product) >= 0
        AND c.usage_limit IS NOT NULL
    ORDER BY c.id
    FOR NO KEY UPDATE
)

SELECT count(*) AS coupons FROM coupon;

-- name: cancel_unpaid_orders
-- Cancel the locked orders, but for those whose payment was begun before they were locked: a
-- statement of its own, to see it.
UPDATE orders AS o
SET status = 'cancelled'
WHERE
    o.id = ANY(%(orders)s::uuid[])
    AND o.status = 'pending'
    AND o.payment_status = 'unpaid'
    AND o.total_amount > 0
    AND (
        SELECT count(*)
        FROM payments AS p
        WHERE
            p.order_id = o.id
            AND (
                p.status IN ('authorized', 'captured')
                OR (p.status = 'pending' AND p.created_at >= now() - %(grace)s::interval)
            )
    ) = 0;

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
