-- name: nothing_is_oversold
-- No stock is below zero.
SELECT 'product', id, stock_quantity FROM products WHERE stock_quantity < 0
UNION ALL
SELECT 'variant', id, stock_quantity FROM product_variants WHERE stock_quantity < 0;

-- name: a_stock_is_the_sum_of_its_movements
-- Of a product without variants by its own movements, of a variant by its own.
SELECT 'product', p.id, p.stock_quantity, coalesce(sum(m.change), 0) AS moved
FROM products AS p
LEFT JOIN stock_movements AS m ON m.product_id = p.id AND m.variant_id IS NULL
WHERE NOT p.has_variants
GROUP BY p.id
HAVING p.stock_quantity <> coalesce(sum(m.change), 0)
UNION ALL
SELECT 'variant', v.id, v.stock_quantity, coalesce(sum(m.change), 0)
FROM product_variants AS v
LEFT JOIN stock_movements AS m ON m.variant_id = v.id
GROUP BY v.id
HAVING v.stock_quantity <> coalesce(sum(m.change), 0);

-- name: a_product_has_what_its_variants_have
-- Of the active ones.
SELECT p.id, p.stock_quantity, sum(v.stock_quantity) FILTER (WHERE v.is_active)
FROM products AS p
JOIN product_variants AS v ON v.product_id = p.id
GROUP BY p.id
HAVING p.stock_quantity <> coalesce(sum(v.stock_quantity) FILTER (WHERE v.is_active), 0);

-- name: an_order_took_what_it_has_lines_for
-- Pieces taken by sales, against the lines; every product of these tests is counted.
SELECT coalesce(i.order_id, m.order_id), coalesce(i.stock, m.stock), i.quantity, m.taken
FROM (
    SELECT order_id, coalesce(variant_id, product_id) AS stock, sum(quantity) AS quantity
    FROM order_items GROUP BY 1, 2
) AS i
FULL JOIN (
    SELECT order_id, coalesce(variant_id, product_id) AS stock, -sum(change) AS taken
    FROM stock_movements WHERE reason = 'sale' GROUP BY 1, 2
) AS m ON m.order_id = i.order_id AND m.stock = i.stock
WHERE i.quantity IS DISTINCT FROM m.taken;

-- name: an_order_gave_back_what_was_cancelled
-- All that was not sent of an order that was ever cancelled, once; nothing of any other.
SELECT coalesce(i.order_id, m.order_id), coalesce(i.stock, m.stock), i.unsent, m.given_back
FROM (
    SELECT i.order_id, coalesce(i.variant_id, i.product_id) AS stock,
        sum(i.quantity - i.fulfilled_quantity) AS unsent
    FROM order_items AS i
    WHERE EXISTS (
        SELECT FROM order_status_history AS h
        WHERE h.order_id = i.order_id AND h.status = 'cancelled'
    )
    GROUP BY 1, 2
    HAVING sum(i.quantity - i.fulfilled_quantity) > 0
) AS i
FULL JOIN (
    SELECT order_id, coalesce(variant_id, product_id) AS stock, sum(change) AS given_back
    FROM stock_movements WHERE reason = 'cancellation' GROUP BY 1, 2
) AS m ON m.order_id = i.order_id AND m.stock = i.stock
WHERE i.unsent IS DISTINCT FROM m.given_back;

-- name: what_came_back_and_is_sold_again_is_in_stock
-- Movements of returns that name their order, against the lines of the returns.
SELECT coalesce(r.order_id, m.order_id), coalesce(r.stock, m.stock), r.quantity, m.put_back
FROM (
    SELECT i.order_id, coalesce(i.variant_id, i.product_id) AS stock, sum(r.quantity) AS quantity
    FROM order_return_items AS r
    JOIN order_items AS i ON i.id = r.order_item_id
    WHERE r.restock
    GROUP BY 1, 2
) AS r
FULL JOIN (
    SELECT order_id, coalesce(variant_id, product_id) AS stock, sum(change) AS put_back
    FROM stock_movements WHERE reason = 'return' AND order_id IS NOT NULL GROUP BY 1, 2
) AS m ON m.order_id = r.order_id AND m.stock = r.stock
WHERE r.quantity IS DISTINCT FROM m.put_back;

-- name: a_line_counts_what_was_sent_and_came_back
-- Never more sent than bought, nor more back than sent.
SELECT i.id, i.quantity, i.fulfilled_quantity, i.returned_quantity
FROM order_items AS i
WHERE i.fulfilled_quantity IS DISTINCT FROM (
        SELECT coalesce(sum(s.quantity), 0) FROM order_shipment_items AS s WHERE s.order_item_id = i.id
    )
    OR i.returned_quantity IS DISTINCT FROM (
        SELECT coalesce(sum(r.quantity), 0) FROM order_return_items AS r WHERE r.order_item_id = i.id
    )
    OR i.fulfilled_quantity > i.quantity
    OR i.returned_quantity > i.fulfilled_quantity;

-- name: a_limited_coupon_counts_its_uses
-- And they stay within the limit.
SELECT c.code, c.usage_limit, c.used_count, count(u.id)
FROM coupons AS c
LEFT JOIN coupon_usage AS u ON u.coupon_id = c.id
WHERE c.usage_limit IS NOT NULL
GROUP BY c.id
HAVING c.used_count <> count(u.id) OR count(u.id) > c.usage_limit;

-- name: a_user_stays_within_a_coupons_limit
-- Of uses, and of first orders.
SELECT c.code, u.user_id, count(*)
FROM coupon_usage AS u
JOIN coupons AS c ON c.id = u.coupon_id
WHERE u.user_id IS NOT NULL
GROUP BY c.id, u.user_id
HAVING count(*) > c.per_user_limit OR (c.first_order_only AND count(*) > 1);

-- name: an_order_with_a_coupon_is_one_use_of_it
-- Until it is cancelled, which gives the use back for good.
SELECT o.id, o.coupon_code, o.status, count(u.id)
FROM orders AS o
LEFT JOIN coupon_usage AS u ON u.order_id = o.id
LEFT JOIN coupons AS c ON c.id = u.coupon_id
GROUP BY o.id
HAVING count(u.id) <> CASE
        WHEN o.coupon_code IS NULL OR EXISTS (
            SELECT FROM order_status_history AS h WHERE h.order_id = o.id AND h.status = 'cancelled'
        ) THEN 0 ELSE 1
    END
    OR bool_or(c.code <> o.coupon_code);

-- name: an_order_adds_up
-- Its lines to its amounts, to the cent; tax on shipping is the only part that no line has.
SELECT o.id, o.subtotal, o.discount_amount, o.tax_amount, o.included_tax_amount, o.total_amount,
    sum(i.subtotal), sum(i.discount_amount), sum(i.tax_amount)
FROM orders AS o
LEFT JOIN order_items AS i ON i.order_id = o.id
GROUP BY o.id
HAVING count(i.id) = 0
    OR bool_or(i.subtotal <> i.quantity * i.unit_price)
    OR o.subtotal <> sum(i.subtotal)
    OR o.discount_amount <> sum(i.discount_amount)
    OR o.tax_amount + o.included_tax_amount < sum(i.tax_amount)
    OR (o.shipping_amount = 0 AND o.tax_amount + o.included_tax_amount <> sum(i.tax_amount))
    OR o.total_amount <> o.subtotal + o.tax_amount + o.shipping_amount - o.discount_amount
    OR o.total_amount < 0;

-- name: a_payment_is_what_its_operations_came_to
-- Captured and voided, and never more than was asked for.
SELECT p.id, p.status, p.amount, p.captured_amount, p.voided_amount, s.captured, s.voided, s.live
FROM payments AS p
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(o.amount) FILTER (WHERE o.kind = 'capture' AND o.status = 'succeeded'), 0) AS captured,
        coalesce(sum(o.amount) FILTER (WHERE o.kind = 'void' AND o.status = 'succeeded'), 0) AS voided,
        coalesce(sum(o.amount) FILTER (
            WHERE o.kind IN ('capture', 'void') AND o.status IN ('pending', 'unknown', 'succeeded')
        ), 0) AS live
    FROM payment_operations AS o WHERE o.payment_id = p.id
) AS s
WHERE p.gateway IS NOT NULL
    AND ((p.captured_amount, p.voided_amount) <> (s.captured, s.voided) OR s.live > p.amount);

-- name: no_more_is_given_back_than_was_taken
-- Refunds that are made or under way, against what was captured.
SELECT p.id, p.captured_amount, sum(r.amount)
FROM payments AS p
JOIN refunds AS r ON r.payment_id = p.id AND r.status <> 'failed'
GROUP BY p.id
HAVING sum(r.amount) > p.captured_amount;

-- name: a_refund_is_what_its_operation_says
-- One operation each, of the same amount.
SELECT r.id, r.status, r.amount, o.status, o.amount
FROM refunds AS r
LEFT JOIN payment_operations AS o ON o.refund_id = r.id
WHERE o.id IS NULL OR o.amount <> r.amount OR r.status <> CASE o.status
    WHEN 'succeeded' THEN 'succeeded' WHEN 'declined' THEN 'failed' WHEN 'failed' THEN 'failed'
    ELSE 'pending'
END;

-- name: an_order_is_not_paid_twice
-- What was taken and not given back is at most the total.
SELECT o.id, o.total_amount, paid.taken, paid.given
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(p.captured_amount), 0) AS taken,
        coalesce(sum((
            SELECT sum(r.amount) FROM refunds AS r WHERE r.payment_id = p.id AND r.status = 'succeeded'
        )), 0) AS given
    FROM payments AS p WHERE p.order_id = o.id
) AS paid
WHERE paid.taken - paid.given > o.total_amount;

-- name: the_payment_status_is_that_of_the_payments
-- As the documentation says it.
SELECT o.id, o.payment_status, money.*
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE p.status = 'captured') AS captures,
        count(*) FILTER (WHERE p.status = 'authorized') AS authorizations,
        coalesce(sum(p.captured_amount), 0) AS taken,
        coalesce(sum((
            SELECT sum(r.amount) FROM refunds AS r WHERE r.payment_id = p.id AND r.status = 'succeeded'
        )), 0) AS given
    FROM payments AS p WHERE p.order_id = o.id
) AS money
WHERE o.payment_status <> CASE
    WHEN money.captures = 0 AND money.authorizations = 0 THEN 'unpaid'
    WHEN money.captures = 0 THEN 'authorized'
    WHEN money.given = 0 AND money.taken < o.total_amount THEN 'partially_paid'
    WHEN money.given = 0 THEN 'paid'
    WHEN money.given < money.taken THEN 'partially_refunded'
    ELSE 'refunded'
END;

-- name: the_fulfillment_status_is_that_of_the_parcels
-- As the documentation says it.
SELECT o.id, o.fulfillment_status, goods.*
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT sum(quantity) AS bought, sum(fulfilled_quantity) AS sent, sum(returned_quantity) AS back
    FROM order_items AS i WHERE i.order_id = o.id
) AS goods
WHERE o.fulfillment_status <> CASE
    WHEN goods.sent = 0 THEN 'unfulfilled'
    WHEN goods.back = goods.bought THEN 'returned'
    WHEN goods.back > 0 THEN 'partially_returned'
    WHEN goods.sent = goods.bought THEN 'fulfilled'
    ELSE 'partially_fulfilled'
END;

-- name: nothing_is_sent_of_an_order_that_nobody_confirmed
-- A shipped order was sent in full, and none was sent that is pending.
SELECT o.id, o.status, sum(i.quantity), sum(i.fulfilled_quantity)
FROM orders AS o
JOIN order_items AS i ON i.order_id = o.id
GROUP BY o.id
HAVING (o.status IN ('shipped', 'delivered') AND sum(i.fulfilled_quantity) <> sum(i.quantity))
    OR (o.status IN ('pending', 'confirmed') AND sum(i.fulfilled_quantity) > 0);

-- name: a_key_is_one_order
-- Whoever repeats it gets the same.
SELECT idempotency_key, count(*) FROM orders GROUP BY 1 HAVING count(*) > 1;

-- name: the_history_is_complete_and_legal
-- It begins with pending, takes the documented steps alone, and ends where the order is.
WITH steps (before, after) AS (
    VALUES ('pending', 'confirmed'), ('pending', 'cancelled'), ('confirmed', 'processing'),
        ('confirmed', 'cancelled'), ('confirmed', 'refunded'), ('processing', 'shipped'),
        ('processing', 'cancelled'), ('processing', 'refunded'), ('shipped', 'delivered'),
        ('shipped', 'refunded'), ('delivered', 'refunded'), ('cancelled', 'refunded')
),

way AS (
    SELECT order_id, status,
        lag(status) OVER turn AS before,
        lead(status) OVER turn AS after
    FROM order_status_history
    WINDOW turn AS (PARTITION BY order_id ORDER BY created_at, id)
)

SELECT o.id, o.status, way.before, way.status
FROM orders AS o
LEFT JOIN way ON way.order_id = o.id
WHERE way.status IS NULL
    OR (way.before IS NULL AND way.status <> 'pending')
    OR (way.before IS NOT NULL AND (way.before, way.status) NOT IN (SELECT before, after FROM steps))
    OR (way.after IS NULL AND way.status <> o.status);

-- name: every_step_is_one_event_in_order
-- The events of an order's statuses, one after the other, are its history.
SELECT o.id, h.way, e.way
FROM orders AS o
LEFT JOIN (
    SELECT order_id, string_agg(status, ' ' ORDER BY created_at, id) AS way
    FROM order_status_history GROUP BY 1
) AS h ON h.order_id = o.id
LEFT JOIN (
    SELECT aggregate_id,
        string_agg(replace(substr(event_type, 7), 'placed', 'pending'), ' ' ORDER BY position) AS way
    FROM outbox_events
    WHERE event_type LIKE 'order.%' AND event_type NOT LIKE '%\_status\_changed'
    GROUP BY 1
) AS e ON e.aggregate_id = o.id
WHERE h.way IS DISTINCT FROM e.way;

-- name: every_change_of_a_derived_status_is_one_event_in_order
-- Each says what was before, which is what the one before it said, and the last is what is now.
WITH told AS (
    SELECT aggregate_id, event_type, payload,
        lag(payload) OVER turn AS before,
        lead(payload) OVER turn AS after
    FROM outbox_events
    WHERE event_type LIKE 'order.%\_status\_changed'
    WINDOW turn AS (PARTITION BY aggregate_id, event_type ORDER BY position)
)

SELECT t.aggregate_id, t.event_type, t.payload, t.before
FROM told AS t
JOIN orders AS o ON o.id = t.aggregate_id
WHERE (t.event_type = 'order.payment_status_changed' AND (
        t.payload ->> 'previous' <> coalesce(t.before ->> 'payment_status', 'unpaid')
        OR (t.after IS NULL AND t.payload ->> 'payment_status' <> o.payment_status)
    ))
    OR (t.event_type = 'order.fulfillment_status_changed' AND (
        t.payload ->> 'previous' <> coalesce(t.before ->> 'fulfillment_status', 'unfulfilled')
        OR (t.after IS NULL AND t.payload ->> 'fulfillment_status' <> o.fulfillment_status)
    ))
UNION ALL
SELECT o.id, 'nothing told', to_jsonb(o.payment_status), to_jsonb(o.fulfillment_status)
FROM orders AS o
WHERE (o.payment_status <> 'unpaid' AND NOT EXISTS (
        SELECT FROM told AS t
        WHERE t.aggregate_id = o.id AND t.event_type = 'order.payment_status_changed'
    ))
    OR (o.fulfillment_status <> 'unfulfilled' AND NOT EXISTS (
        SELECT FROM told AS t
        WHERE t.aggregate_id = o.id AND t.event_type = 'order.fulfillment_status_changed'
    ));

-- name: every_payment_refund_and_parcel_is_told_as_it_is
-- The last event of each says its status.
SELECT kind, id, status, told
FROM (
    SELECT 'payment' AS kind, id, status FROM payments
    UNION ALL SELECT 'refund', id, status FROM refunds
    UNION ALL SELECT 'shipment', id, status FROM order_shipments
) AS thing
LEFT JOIN LATERAL (
    SELECT e.payload ->> 'status' AS told
    FROM outbox_events AS e
    WHERE e.event_type LIKE thing.kind || '.%' AND e.payload ->> (thing.kind || '_id') = thing.id::text
    ORDER BY e.position DESC LIMIT 1
) AS last ON true
WHERE told IS DISTINCT FROM status;

-- name: every_event_is_delivered_once
-- To each consumer that was there from the start and wants everything.
SELECT c.name, e.event_type, e.position, d.state
FROM event_consumers AS c
CROSS JOIN outbox_events AS e
LEFT JOIN event_deliveries AS d ON d.consumer_id = c.id AND d.event_id = e.id
WHERE c.is_active AND (d.state IS DISTINCT FROM 'delivered' OR d.lease IS NOT NULL);

-- name: nothing_of_a_deleted_user_is_left
-- Neither cart, nor session, nor token, nor orders; of an erased one no address either.
SELECT u.id, kind
FROM users AS u
CROSS JOIN LATERAL (
    SELECT 'cart' AS kind FROM carts WHERE user_id = u.id
    UNION ALL SELECT 'session' FROM user_sessions WHERE user_id = u.id
    UNION ALL SELECT 'reset' FROM password_resets WHERE user_id = u.id
    UNION ALL SELECT 'verification' FROM email_verifications WHERE user_id = u.id
    UNION ALL SELECT 'order' FROM orders WHERE user_id = u.id
    UNION ALL SELECT 'address' FROM user_addresses WHERE user_id = u.id AND u.email LIKE 'erased-%'
    UNION ALL SELECT 'review' FROM product_reviews WHERE user_id = u.id AND u.email LIKE 'erased-%'
    UNION ALL SELECT 'use' FROM coupon_usage WHERE user_id = u.id AND u.email LIKE 'erased-%'
    UNION ALL SELECT 'name' FROM deleted_user_orders AS d
        JOIN orders AS o ON o.id = d.order_id AND o.customer_email <> 'erased@erased.invalid'
        WHERE d.user_id = u.id AND u.email LIKE 'erased-%'
    UNION ALL SELECT 'street' FROM deleted_user_orders AS d
        JOIN order_addresses AS a ON a.order_id = d.order_id AND a.address_line_1 <> ''
        WHERE d.user_id = u.id AND u.email LIKE 'erased-%'
    UNION ALL SELECT 'card' FROM deleted_user_orders AS d
        JOIN payments AS p ON p.order_id = d.order_id AND p.card_last_four IS NOT NULL
        WHERE d.user_id = u.id AND u.email LIKE 'erased-%'
) AS left_over
WHERE u.deleted_at IS NOT NULL;

-- name: nothing_of_a_deleted_product_is_for_sale
-- Neither in a cart nor an active variant.
SELECT p.id, kind
FROM products AS p
CROSS JOIN LATERAL (
    SELECT 'line' AS kind FROM cart_items WHERE product_id = p.id
    UNION ALL SELECT 'variant' FROM product_variants WHERE product_id = p.id AND is_active
) AS left_over
WHERE p.deleted_at IS NOT NULL;

-- name: ratings_are_those_of_the_approved_reviews
-- And a user has reviewed a product once.
SELECT p.id, s.rating_sum, s.rating_count, sum(r.rating), count(r.rating)
FROM products AS p
LEFT JOIN product_stats AS s ON s.product_id = p.id
LEFT JOIN product_reviews AS r ON r.product_id = p.id AND r.is_approved
GROUP BY p.id, s.rating_sum, s.rating_count
HAVING (coalesce(s.rating_sum, 0), coalesce(s.rating_count, 0)) <> (coalesce(sum(r.rating), 0), count(r.rating))
UNION ALL
SELECT product_id, count(*), 0, 0, 0 FROM product_reviews
WHERE user_id IS NOT NULL GROUP BY product_id, user_id HAVING count(*) > 1;

-- name: a_session_has_one_token_in_force
-- However many refreshed it at once.
SELECT family_id, count(*) FROM user_sessions WHERE rotated_at IS NULL GROUP BY 1 HAVING count(*) > 1;

-- name: a_user_has_one_default_address_of_a_type
-- However many were made the default at once.
SELECT user_id, address_type, count(*) FROM user_addresses
WHERE is_default GROUP BY 1, 2 HAVING count(*) > 1;

-- name: no_lock_is_left_behind
-- No other session is in a transaction or holds a lock; the pools' idle ones may be there.
SELECT a.pid, a.state, a.query, l.locktype
FROM pg_stat_activity AS a
LEFT JOIN pg_locks AS l ON l.pid = a.pid
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND a.backend_type = 'client backend'
    AND (l.pid IS NOT NULL OR a.xact_start IS NOT NULL);
