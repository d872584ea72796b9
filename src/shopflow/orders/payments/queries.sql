-- name: record_payment
-- Record the payment of an order in full, once: the second of two finds it paid and writes nothing.
WITH payable AS MATERIALIZED (
    SELECT id
    FROM orders
    WHERE
        id = %(order_id)s
        AND status = 'pending'
        AND payment_status = 'unpaid'
        AND total_amount = %(amount)s
    FOR NO KEY UPDATE
),

payment AS (
    INSERT INTO payments (order_id, amount, gateway, payment_method, card_brand, card_last_four)
    SELECT
        id, %(amount)s, 'manual', %(method)s::text, %(card_brand)s::text, %(card_last_four)s::text
    FROM payable
    RETURNING id
)

INSERT INTO payment_operations (
    payment_id, kind, amount, status, idempotency_key, gateway_reference, attempts
)
SELECT id, 'capture', %(amount)s, 'succeeded', 'recorded-' || id, 'recorded-' || id, 1
FROM payment
RETURNING payment_id AS id;

-- name: get_payable
-- What a payment of this order is checked against.
SELECT status, payment_status, total_amount FROM orders WHERE id = %(order_id)s;

-- name: lock_order_to_pay
-- Hold an order until the end: its payments are written by one at a time.
SELECT id, status, total_amount FROM orders WHERE id = %(order_id)s FOR NO KEY UPDATE;

-- name: lock_order_of_payment
-- Hold the order of a payment until the end, as the payment is locked after it.
SELECT id, status, total_amount
FROM orders
WHERE id = (SELECT order_id FROM payments WHERE id = %(payment_id)s)
FOR NO KEY UPDATE;

-- name: lock_order_of_operation
-- Hold the order of a payment operation until the end, as payment and operation are locked after it.
SELECT o.id, o.status, o.total_amount
FROM orders AS o
WHERE
    o.id = (
        SELECT p.order_id
        FROM payment_operations AS po
        JOIN payments AS p ON p.id = po.payment_id
        WHERE po.id = %(operation_id)s
    )
FOR NO KEY UPDATE;

-- name: get_amount_due
-- What of the order's total is neither paid nor being paid.
SELECT
    %(total_amount)s::numeric - coalesce(sum(CASE
        WHEN gateway IS NULL THEN captured_amount
        WHEN status IN ('pending', 'authorized', 'captured') THEN amount - voided_amount
        ELSE 0
    END), 0) AS due
FROM payments
WHERE order_id = %(order_id)s;

-- name: lock_payment
-- Hold a payment until the end, with what of it may yet be captured, voided and refunded.
SELECT
    p.id, p.gateway, p.status, p.amount, p.payment_method,
    p.amount - s.captured_amount - s.voided_amount AS rest,
    p.amount - s.live_amount AS capturable,
    p.captured_amount - (
        SELECT coalesce(sum(r.amount), 0)
        FROM refunds AS r
        WHERE r.payment_id = p.id AND r.status <> 'failed'
    ) AS refundable
FROM payments AS p
CROSS JOIN LATERAL payment_state(p.id) AS s
WHERE p.id = %(payment_id)s
FOR NO KEY UPDATE OF p;

-- name: list_refundable_payments
-- The payments of an order of which something can be given back, the latest first.
SELECT p.id, p.captured_amount - coalesce(r.amount, 0) AS refundable
FROM payments AS p
CROSS JOIN LATERAL (
    SELECT sum(r.amount) AS amount FROM refunds AS r WHERE r.payment_id = p.id AND r.status <> 'failed'
) AS r
WHERE p.order_id = %(order_id)s AND p.captured_amount > coalesce(r.amount, 0)
ORDER BY p.created_at DESC, p.id DESC;

-- name: find_same_operation
-- The operation with this key, and what it was asked for.
SELECT
    po.id, po.idempotency_key, po.payment_id, p.order_id, po.kind, po.amount, p.gateway, r.reason,
    po.then_capture, po.closes_order
FROM payment_operations AS po
JOIN payments AS p ON p.id = po.payment_id
LEFT JOIN refunds AS r ON r.id = po.refund_id
WHERE po.idempotency_key = %(idempotency_key)s;

-- name: write_authorization
-- Write a payment and the intent to authorize it.
WITH payment AS (
    INSERT INTO payments (order_id, amount, gateway, payment_method)
    VALUES (%(order_id)s, %(amount)s, %(gateway)s, %(method)s)
    RETURNING id
)

INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key, then_capture)
SELECT id, 'authorize', %(amount)s, %(idempotency_key)s, %(then_capture)s
FROM payment
RETURNING id;

-- name: write_operation
-- Write the intent to capture or to void.
INSERT INTO payment_operations (payment_id, kind, amount, idempotency_key)
VALUES (%(payment_id)s, %(operation_kind)s, %(amount)s, %(idempotency_key)s)
RETURNING id;

-- name: write_refund
-- Write a refund and the intent to have the gateway make it.
WITH refund AS (
    INSERT INTO refunds (payment_id, amount, reason)
    VALUES (%(payment_id)s, %(amount)s, %(reason)s)
    RETURNING id, payment_id, amount
)

INSERT INTO payment_operations (payment_id, refund_id, kind, amount, idempotency_key, closes_order)
SELECT payment_id, id, 'refund', amount, %(idempotency_key)s, %(closes_order)s
FROM refund
RETURNING id;

-- name: claim_operation
-- Say that the gateway is being asked, unless the answer is there: recovery leaves it alone then.
UPDATE payment_operations
SET attempts = attempts + 1, attempted_at = now()
WHERE id = %(operation_id)s AND status IN ('pending', 'unknown')
RETURNING id;

-- name: claim_open_operation
-- Take an operation that nobody has been at since a point in time; two that look take two.
UPDATE payment_operations
SET attempts = attempts + 1, attempted_at = now()
WHERE id = (
    SELECT po.id
    FROM payment_operations AS po
    JOIN payments AS p ON p.id = po.payment_id
    WHERE
        po.status IN ('pending', 'unknown')
        AND po.attempted_at < %(before)s
        AND coalesce(p.gateway, 'manual') = ANY(%(gateways)s)
    ORDER BY po.attempted_at, po.id
    LIMIT 1
    FOR UPDATE OF po SKIP LOCKED
)
RETURNING id;

-- name: get_recovery_cutoff
-- The point in time, by the server's clock, this many seconds ago.
SELECT clock_timestamp() - make_interval(secs => %(older_than)s) AS before;

-- name: get_call
-- An operation as its gateway is asked for it.
SELECT
    po.id, po.payment_id, coalesce(p.gateway, 'manual') AS gateway, po.kind, po.amount, po.status,
    po.idempotency_key, o.currency_code, coalesce(p.gateway_reference, '') AS authorization,
    o.status AS order_status, po.attempted_at
FROM payment_operations AS po
JOIN payments AS p ON p.id = po.payment_id
JOIN orders AS o ON o.id = p.order_id
WHERE po.id = %(operation_id)s;

-- name: list_open_calls
-- The operations without an outcome that nobody has been at since a point in time.
SELECT
    po.id, po.payment_id, coalesce(p.gateway, 'manual') AS gateway, po.kind, po.amount, po.status,
    po.idempotency_key, o.currency_code, coalesce(p.gateway_reference, '') AS authorization,
    o.status AS order_status, po.attempted_at
FROM payment_operations AS po
JOIN payments AS p ON p.id = po.payment_id
JOIN orders AS o ON o.id = p.order_id
WHERE po.status IN ('pending', 'unknown') AND po.attempted_at < %(before)s
ORDER BY po.attempted_at, po.id;

-- name: lock_operation
-- Hold an operation until the end; its order and payment are held already.
SELECT
    po.id, po.payment_id, po.kind, po.amount, po.status, po.then_capture, po.closes_order,
    EXISTS (
        SELECT FROM payment_operations AS a
        WHERE a.payment_id = po.payment_id AND a.kind = 'authorize' AND a.then_capture
    ) AS captured_at_once
FROM payment_operations AS po
WHERE po.id = %(operation_id)s
FOR NO KEY UPDATE OF po;

-- name: settle_operation
-- Write down what became of an operation; the database does the rest to payment, refund and order.
UPDATE payment_operations
SET status = %(status)s, gateway_reference = %(gateway_reference)s, error_code = %(error_code)s
WHERE id = %(operation_id)s;

-- name: describe_authorization
-- Write down what the gateway says of an authorization.
UPDATE payments
SET
    gateway_reference = coalesce(gateway_reference, %(gateway_reference)s),
    card_brand = coalesce(card_brand, %(card_brand)s),
    card_last_four = coalesce(card_last_four, %(card_last_four)s),
    authorization_expires_at = coalesce(authorization_expires_at, %(expires_at)s)
WHERE id = %(payment_id)s;

-- name: confirm_paid_order
-- Take a pending order that is paid in full a step further.
UPDATE orders SET status = 'confirmed'
WHERE id = %(order_id)s AND status = 'pending' AND payment_status = 'paid';

-- name: close_refunded_order
-- Let an order end of which all the money was given back.
UPDATE orders SET status = 'refunded'
WHERE
    id = %(order_id)s
    AND payment_status = 'refunded'
    AND status IN (SELECT from_status FROM order_status_steps() WHERE to_status = 'refunded');

-- name: get_outcome
-- What became of an operation, and where that leaves its payment and order.
SELECT
    po.id AS operation_id, po.payment_id, po.refund_id, p.order_id, po.kind, po.amount, po.status,
    po.error_code, p.status AS payment_status, p.captured_amount, p.voided_amount,
    o.status AS order_status, o.payment_status AS order_payment_status
FROM payment_operations AS po
JOIN payments AS p ON p.id = po.payment_id
JOIN orders AS o ON o.id = p.order_id
WHERE po.id = %(operation_id)s;

-- name: find_operation
-- The operation with this key.
SELECT id FROM payment_operations WHERE idempotency_key = %(idempotency_key)s;

-- name: list_expired_authorizations
-- Payments whose authorization has ended and of which nothing is under way.
SELECT p.id
FROM payments AS p
CROSS JOIN LATERAL payment_state(p.id) AS s
WHERE
    p.authorization_expires_at < now()
    AND p.gateway = ANY(%(gateways)s)
    AND p.status IN ('authorized', 'captured')
    AND p.amount > p.captured_amount + p.voided_amount
    AND s.live_amount = p.captured_amount + p.voided_amount
ORDER BY p.id
LIMIT %(most)s;

-- name: store_event
-- Write down a webhook, once however often it is delivered.
INSERT INTO gateway_events (
    gateway, event_id, kind, status, idempotency_key, authorization_reference, gateway_reference,
    amount, error_code, card_brand, card_last_four, occurred_at
)
VALUES (
    %(gateway)s, %(event_id)s, %(kind)s, %(status)s, %(idempotency_key)s,
    %(authorization_reference)s, %(gateway_reference)s, %(amount)s, %(error_code)s, %(card_brand)s,
    %(card_last_four)s, %(occurred_at)s
)
ON CONFLICT (gateway, event_id) DO NOTHING;

-- name: list_waiting_events
-- The events of an authorization, or of all, that were not applied yet.
SELECT
    gateway, event_id, kind, status, idempotency_key, authorization_reference, gateway_reference,
    amount, error_code, card_brand, card_last_four, occurred_at, problem
FROM gateway_events
WHERE
    applied_at IS NULL
    AND gateway = ANY(%(gateways)s)
    AND (
        %(authorization_reference)s::text IS NULL
        OR authorization_reference = %(authorization_reference)s::text
    )
ORDER BY occurred_at, event_id;

-- name: find_target
-- What an event is about: the operation with its key, or that was made of it, and the payment.
SELECT
    p.id AS payment_id,
    (
        SELECT po.id
        FROM payment_operations AS po
        WHERE
            po.payment_id = p.id
            AND (
                po.idempotency_key = %(idempotency_key)s::text
                OR (
                    po.kind = %(operation_kind)s::text
                    AND po.gateway_reference = %(gateway_reference)s::text
                )
            )
        ORDER BY (po.idempotency_key = %(idempotency_key)s::text) DESC NULLS LAST
        LIMIT 1
    ) AS operation_id
FROM payments AS p
WHERE
    p.gateway = %(gateway)s::text
    AND p.id IN (
        SELECT po.payment_id
        FROM payment_operations AS po
        WHERE po.idempotency_key = %(idempotency_key)s::text
        UNION ALL
        SELECT n.id
        FROM payments AS n
        WHERE
            n.gateway = %(gateway)s::text
            AND n.gateway_reference = %(authorization_reference)s::text
    );

-- name: finish_event
-- Say that an event has been applied; what it said of the card is with the payment now.
UPDATE gateway_events
SET applied_at = now(), problem = NULL, card_brand = NULL, card_last_four = NULL
WHERE gateway = %(gateway)s AND event_id = %(event_id)s AND applied_at IS NULL;

-- name: note_event_problem
-- Say why an event could not be applied.
UPDATE gateway_events SET problem = %(problem)s
WHERE gateway = %(gateway)s AND event_id = %(event_id)s AND applied_at IS NULL;

-- name: is_event_applied
-- Whether an event has been applied.
SELECT applied_at IS NOT NULL AS applied
FROM gateway_events
WHERE gateway = %(gateway)s AND event_id = %(event_id)s;
