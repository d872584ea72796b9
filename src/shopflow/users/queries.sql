-- name: take_rate_limits
-- Count one attempt against all of these limits, or against none; seconds to wait, or NULL.
SELECT extract(EPOCH FROM take_rate_limits(
    %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
))::float8 AS retry_after;

-- name: register_user
-- A new customer, and the token that verifies its address.
WITH made AS (
    INSERT INTO users (email, password_hash, first_name, last_name)
    VALUES (%(email)s, %(password_hash)s, %(first_name)s, %(last_name)s)
    RETURNING id, email, first_name, last_name, role, email_verified, created_at
),

token AS (
    INSERT INTO email_verifications (user_id, email, token_hash, expires_at)
    SELECT id, email, %(digest)s, now() + %(lifetime)s FROM made
    RETURNING expires_at
)

SELECT json_build_object('user', row_to_json(made), 'expires_at', token.expires_at)
FROM made, token;

-- name: find_credentials
-- Count a sign-in against its limits and, where there is room, find the account to compare with.
WITH limited AS MATERIALIZED (
    SELECT take_rate_limits(
        %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
    ) AS wait
)

SELECT
    extract(EPOCH FROM limited.wait)::float8 AS retry_after,
    u.id AS user_id,
    u.password_hash
FROM limited
LEFT JOIN users AS u
    ON limited.wait IS NULL AND lower(u.email) = lower(%(email)s) AND u.deleted_at IS NULL;

-- name: find_own_credentials
-- The same for an account that is known, such as one that is signed in.
WITH limited AS MATERIALIZED (
    SELECT take_rate_limits(
        %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
    ) AS wait
)

SELECT
    extract(EPOCH FROM limited.wait)::float8 AS retry_after,
    u.id AS user_id,
    u.password_hash
FROM limited
LEFT JOIN users AS u
    ON limited.wait IS NULL AND u.id = %(user_id)s AND u.deleted_at IS NULL;

-- name: replace_hash
-- The same password hashed anew, unless another has been set meanwhile.
UPDATE users SET password_hash = %(new_hash)s
WHERE id = %(user_id)s AND password_hash = %(old_hash)s AND deleted_at IS NULL;

-- name: open_session
-- A session, if the password is still the one that was checked; the attempt is taken back. FOR SHARE
-- waits for a password that is being changed, and makes that wait for us: it then ends this session.
WITH owner AS MATERIALIZED (
    SELECT id, email, first_name, last_name, role, email_verified, created_at
    FROM users
    WHERE id = %(user_id)s AND password_hash = %(password_hash)s AND deleted_at IS NULL
    FOR SHARE
),

opened AS (
    INSERT INTO user_sessions (user_id, refresh_token_hash, expires_at)
    SELECT id, %(digest)s, now() + %(lifetime)s FROM owner
    RETURNING family_id AS id, created_at, NULL::timestamptz AS refreshed_at, expires_at
),

returned AS MATERIALIZED (
    SELECT return_rate_limits(
        %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
    )
    FROM opened
)

SELECT json_build_object('user', row_to_json(owner), 'session', row_to_json(opened))
FROM owner, opened, returned;

-- name: rotate_session
-- The next token of a session, if this is the one in force. The row in force stays the same one, so
-- that of two who use the token the second finds another in it, and a revocation meets it in any
-- case; the old token gets a row of its own. The user is held first, as by a deletion.
WITH owner AS MATERIALIZED (
    SELECT u.id, u.email, u.first_name, u.last_name, u.role, u.email_verified, u.created_at
    FROM user_sessions AS s
    JOIN users AS u ON u.id = s.user_id
    WHERE
        s.refresh_token_hash = %(digest)s
        AND s.rotated_at IS NULL
        AND s.expires_at > now()
        AND u.deleted_at IS NULL
    FOR KEY SHARE OF u
),

rotated AS (
    UPDATE user_sessions AS s
    SET
        refresh_token_hash = %(new_digest)s,
        expires_at = least(
            now() + %(idle_lifetime)s::interval, s.created_at + %(session_lifetime)s::interval
        )
    FROM owner
    WHERE
        s.user_id = owner.id
        AND s.refresh_token_hash = %(digest)s
        AND s.rotated_at IS NULL
        AND s.expires_at > now()
        AND s.created_at + %(session_lifetime)s::interval > now()
    RETURNING
        s.user_id, s.family_id AS id, s.created_at, now() AS refreshed_at, s.expires_at,
        old.expires_at AS token_expires_at
),

kept AS (
    INSERT INTO user_sessions (user_id, family_id, refresh_token_hash, expires_at, rotated_at)
    SELECT user_id, id, %(digest)s, token_expires_at, refreshed_at FROM rotated
)

SELECT json_build_object('user', row_to_json(owner), 'session', row_to_json(rotated))
FROM owner, rotated;

-- name: end_reused_session
-- End the session that this token was rotated from, with all of its tokens. Whoever deletes several
-- of a user's rows holds the user first, so that two of them do not wait for each other.
WITH owner AS MATERIALIZED (
    SELECT u.id, s.family_id
    FROM user_sessions AS s
    JOIN users AS u ON u.id = s.user_id
    WHERE s.refresh_token_hash = %(digest)s AND s.rotated_at IS NOT NULL
    FOR NO KEY UPDATE OF u
),

ended AS (
    DELETE FROM user_sessions AS s USING owner WHERE s.family_id = owner.family_id
)

SELECT id AS user_id, family_id AS session_id FROM owner;

-- name: list_sessions
-- The sessions of a user that go on, the newest first.
SELECT
    s.family_id AS id,
    s.created_at,
    (
        SELECT max(r.rotated_at) FROM user_sessions AS r WHERE r.family_id = s.family_id
    ) AS refreshed_at,
    s.expires_at
FROM user_sessions AS s
WHERE s.user_id = %(user_id)s AND s.rotated_at IS NULL AND s.expires_at > now()
ORDER BY s.created_at DESC, s.family_id DESC;

-- name: end_session
-- End one session of a user with all of its tokens.
WITH owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(user_id)s FOR NO KEY UPDATE
)

DELETE FROM user_sessions AS s
USING owner
WHERE s.user_id = owner.id AND s.family_id = %(session_id)s;

-- name: lock_account
-- Hold an account until the end; a statement of its own, to see what it waited for.
SELECT id AS user_id, password_hash
FROM users
WHERE id = %(user_id)s AND deleted_at IS NULL
FOR NO KEY UPDATE;

-- name: end_sessions
-- End the sessions of a user whom we hold, but for one; how many.
WITH ended AS (
    DELETE FROM user_sessions
    WHERE user_id = %(user_id)s AND family_id IS DISTINCT FROM %(kept_id)s::uuid
    RETURNING rotated_at
)

SELECT count(*) AS sessions FROM ended WHERE rotated_at IS NULL;

-- name: set_password
-- A new password for a user whom we hold: other sessions end, and a reset under way is cancelled.
WITH changed AS (
    UPDATE users SET password_hash = %(password_hash)s WHERE id = %(user_id)s
),

ended AS (
    DELETE FROM user_sessions
    WHERE user_id = %(user_id)s AND family_id IS DISTINCT FROM %(kept_id)s::uuid
)

DELETE FROM password_resets WHERE user_id = %(user_id)s AND used_at IS NULL;

-- name: request_password_reset
-- A token for the account of this address, if there is one, in the place of one not yet used.
WITH limited AS MATERIALIZED (
    SELECT take_rate_limits(
        %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
    ) AS wait
),

account AS (
    SELECT u.id, u.email, u.first_name
    FROM limited
    JOIN users AS u
        ON limited.wait IS NULL AND lower(u.email) = lower(%(email)s) AND u.deleted_at IS NULL
),

token AS (
    INSERT INTO password_resets AS r (user_id, token_hash, expires_at)
    SELECT id, %(digest)s, now() + %(lifetime)s FROM account
    ON CONFLICT (user_id) WHERE used_at IS NULL DO UPDATE
    SET
        token_hash = excluded.token_hash,
        expires_at = excluded.expires_at,
        created_at = excluded.created_at
)

SELECT
    extract(EPOCH FROM limited.wait)::float8 AS retry_after,
    now() + %(lifetime)s AS expires_at,
    account.id AS user_id,
    account.email,
    account.first_name
FROM limited
LEFT JOIN account ON TRUE;

-- name: find_reset
-- What a reset token is: whether it was used.
SELECT used_at IS NOT NULL AS used
FROM password_resets
WHERE token_hash = %(digest)s AND expires_at > now();

-- name: lock_owner_of_reset
-- Hold the user whom a reset token is of: users come before everything else.
SELECT u.id AS user_id
FROM password_resets AS r
JOIN users AS u ON u.id = r.user_id
WHERE r.token_hash = %(digest)s AND u.deleted_at IS NULL
FOR NO KEY UPDATE OF u;

-- name: use_reset
-- Use a reset token, once.
UPDATE password_resets SET used_at = now()
WHERE token_hash = %(digest)s AND used_at IS NULL AND expires_at > now()
RETURNING user_id;

-- name: request_verification
-- A token for the address that an account has, in the place of one not yet used.
WITH limited AS MATERIALIZED (
    SELECT take_rate_limits(
        %(names)s::text[], %(attempts)s::integer[], %(periods)s::interval[]
    ) AS wait
),

account AS (
    SELECT u.id, u.email, u.email_verified
    FROM limited
    JOIN users AS u
        ON limited.wait IS NULL AND u.id = %(user_id)s AND u.deleted_at IS NULL
),

token AS (
    INSERT INTO email_verifications AS v (user_id, email, token_hash, expires_at)
    SELECT id, email, %(digest)s, now() + %(lifetime)s FROM account WHERE NOT email_verified
    ON CONFLICT (user_id) WHERE used_at IS NULL DO UPDATE
    SET
        email = excluded.email,
        token_hash = excluded.token_hash,
        expires_at = excluded.expires_at,
        created_at = excluded.created_at
)

SELECT
    extract(EPOCH FROM limited.wait)::float8 AS retry_after,
    now() + %(lifetime)s AS expires_at,
    account.email,
    account.email_verified
FROM limited
LEFT JOIN account ON TRUE;

-- name: request_email_change
-- A token for the address that an account is to have, unless another account has it.
INSERT INTO email_verifications AS v (user_id, email, token_hash, expires_at)
SELECT u.id, %(email)s::varchar, %(digest)s, now() + %(lifetime)s
FROM users AS u
WHERE
    u.id = %(user_id)s
    AND NOT EXISTS (
        SELECT FROM users AS o
        WHERE lower(o.email) = lower(%(email)s::varchar) AND o.deleted_at IS NULL AND o.id <> u.id
    )
ON CONFLICT (user_id) WHERE used_at IS NULL DO UPDATE
SET
    email = excluded.email,
    token_hash = excluded.token_hash,
    expires_at = excluded.expires_at,
    created_at = excluded.created_at
RETURNING expires_at;

-- name: find_verification
-- What a verification token is: whether it was used.
SELECT used_at IS NOT NULL AS used
FROM email_verifications
WHERE token_hash = %(digest)s AND expires_at > now();

-- name: lock_owner_of_verification
-- Hold the user whom a verification token is of: users come before everything else.
SELECT u.id AS user_id
FROM email_verifications AS v
JOIN users AS u ON u.id = v.user_id
WHERE v.token_hash = %(digest)s AND u.deleted_at IS NULL
FOR NO KEY UPDATE OF u;

-- name: use_verification
-- Use a verification token, once: the address becomes the user's. A reset that went to another
-- address is cancelled.
WITH used AS (
    UPDATE email_verifications SET used_at = now()
    WHERE token_hash = %(digest)s AND used_at IS NULL AND expires_at > now()
    RETURNING user_id, email
),

changed AS (
    UPDATE users AS u
    SET email = used.email, email_verified = TRUE
    FROM used
    WHERE u.id = used.user_id
    RETURNING
        u.id, u.email, u.first_name, u.last_name, u.role, u.email_verified, u.created_at,
        old.email AS email_before
),

cancelled AS (
    DELETE FROM password_resets AS r
    USING changed
    WHERE
        r.user_id = changed.id
        AND r.used_at IS NULL
        AND lower(changed.email_before) <> lower(changed.email)
)

SELECT json_build_object(
    'id', id,
    'email', email,
    'first_name', first_name,
    'last_name', last_name,
    'role', role,
    'email_verified', email_verified,
    'created_at', created_at
)
FROM changed;

-- name: get_user
-- An account that is not deleted.
SELECT id, email, first_name, last_name, role, email_verified, created_at
FROM users
WHERE id = %(user_id)s AND deleted_at IS NULL;

-- name: rename_user
-- Change the names of an account.
UPDATE users SET first_name = %(first_name)s, last_name = %(last_name)s
WHERE id = %(user_id)s AND deleted_at IS NULL;

-- name: set_role
-- Change a role, if whoever does it is an admin; both accounts are held, in the order of their ids.
WITH held AS MATERIALIZED (
    SELECT id, role
    FROM users
    WHERE id IN (%(user_id)s, %(actor)s::uuid) AND deleted_at IS NULL
    ORDER BY id
    FOR NO KEY UPDATE
),

permission AS (
    SELECT
        %(actor)s::uuid IS NULL
        OR EXISTS (SELECT FROM held WHERE id = %(actor)s::uuid AND role = 'admin') AS given
),

changed AS (
    UPDATE users AS u
    SET role = %(role)s
    FROM held, permission
    WHERE u.id = held.id AND held.id = %(user_id)s AND permission.given
    RETURNING u.id
)

SELECT
    permission.given AS permitted,
    EXISTS (SELECT FROM changed) AS changed
FROM permission;

-- name: delete_user
-- Soft delete (§9.1): triggers clear cart, sessions and tokens and unlink the orders.
UPDATE users SET deleted_at = now() WHERE id = %(user_id)s AND deleted_at IS NULL;

-- name: erase_user
-- Erase a person and log it; whether there is one.
SELECT erase_user(%(user_id)s, %(actor)s::uuid, %(reason)s) AS found;

-- name: reapply_erasures
-- Erase again what the log names since then; how many.
SELECT reapply_erasures(%(since)s) AS erased;

-- name: bring_erasures_back
-- Add entries of the log that a restore has lost; the time of the earliest, NULL for none.
WITH added AS (
    INSERT INTO erasure_log (id, user_id, erased_by, reason, erased_at)
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(user_ids)s::uuid[], %(actors)s::uuid[], %(reasons)s::text[],
        %(times)s::timestamptz[]
    )
    ON CONFLICT (id) DO NOTHING
    RETURNING erased_at
)

SELECT min(erased_at) AS since FROM added;

-- name: end_all_sessions
-- End every session and take back every token that was mailed and not used; how many sessions.
WITH resets AS (
    DELETE FROM password_resets WHERE used_at IS NULL
),

verifications AS (
    DELETE FROM email_verifications WHERE used_at IS NULL
),

ended AS (
    DELETE FROM user_sessions RETURNING rotated_at
)

SELECT count(*) FILTER (WHERE rotated_at IS NULL) AS sessions FROM ended;

-- name: list_addresses
-- The addresses of an account: shipping before billing, the default first, then the newest.
SELECT coalesce(json_agg(json_build_object(
    'id', a.id,
    'type', a.address_type,
    'is_default', a.is_default,
    'address', json_build_object(
        'first_name', a.first_name,
        'last_name', a.last_name,
        'address_line_1', a.address_line_1,
        'address_line_2', a.address_line_2,
        'city', a.city,
        'state', a.state,
        'postal_code', a.postal_code,
        'country_code', a.country_code
    )
) ORDER BY a.address_type DESC, a.is_default DESC, a.created_at DESC, a.id DESC), '[]')
FROM user_addresses AS a
WHERE a.user_id = %(user_id)s;

-- name: add_address
-- Keep an address of an account.
INSERT INTO user_addresses (
    user_id, address_type, is_default, first_name, last_name,
    address_line_1, address_line_2, city, state, postal_code, country_code
)
VALUES (
    %(user_id)s, %(address_type)s, %(is_default)s, %(first_name)s, %(last_name)s,
    %(address_line_1)s, %(address_line_2)s, %(city)s, %(state)s, %(postal_code)s, %(country_code)s
)
RETURNING id;

-- name: update_address
-- Change what an address says.
UPDATE user_addresses
SET
    first_name = %(first_name)s,
    last_name = %(last_name)s,
    address_line_1 = %(address_line_1)s,
    address_line_2 = %(address_line_2)s,
    city = %(city)s,
    state = %(state)s,
    postal_code = %(postal_code)s,
    country_code = %(country_code)s
WHERE id = %(address_id)s AND user_id = %(user_id)s;

-- name: remove_address
-- Forget an address; orders keep their own copy.
DELETE FROM user_addresses WHERE id = %(address_id)s AND user_id = %(user_id)s;

-- name: clear_default_address
-- Make room for another default of this type, of a user whom we hold.
UPDATE user_addresses SET is_default = FALSE
WHERE user_id = %(user_id)s AND address_type = %(address_type)s AND is_default;

-- name: get_address_type
-- The type of an address, of a user whom we hold.
SELECT address_type AS type FROM user_addresses
WHERE id = %(address_id)s AND user_id = %(user_id)s;

-- name: mark_default_address
-- Make an address the default of its type.
UPDATE user_addresses SET is_default = TRUE
WHERE id = %(address_id)s AND user_id = %(user_id)s;

-- name: expire_sessions
-- Delete refresh tokens that are over; nobody is waited for.
DELETE FROM user_sessions WHERE id IN (
    SELECT id FROM user_sessions WHERE expires_at <= now()
    ORDER BY expires_at LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
);

-- name: expire_password_resets
-- Delete reset tokens that are over, used or not.
DELETE FROM password_resets WHERE id IN (
    SELECT id FROM password_resets WHERE expires_at <= now()
    ORDER BY expires_at LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
);

-- name: expire_email_verifications
-- Delete verification tokens that are over, used or not.
DELETE FROM email_verifications WHERE id IN (
    SELECT id FROM email_verifications WHERE expires_at <= now()
    ORDER BY expires_at LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
);

-- name: expire_rate_limits
-- Delete what limits nobody any more. It reads the whole table: an index on the time would make
-- every attempt write it.
DELETE FROM rate_limits WHERE key_hash IN (
    SELECT key_hash FROM rate_limits WHERE theoretical_arrival <= now()
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
);

-- name: export_user
-- Everything held on a person as one document (GDPR, article 15), but for hashes.
SELECT json_build_object(
    'profile', json_build_object(
        'id', u.id,
        'email', u.email,
        'email_verified', u.email_verified,
        'first_name', u.first_name,
        'last_name', u.last_name,
        'role', u.role,
        'created_at', u.created_at,
        'updated_at', u.updated_at,
        'deleted_at', u.deleted_at
    ),
    'addresses', (
        SELECT coalesce(json_agg(json_build_object(
            'id', a.id,
            'type', a.address_type,
            'is_default', a.is_default,
            'first_name', a.first_name,
            'last_name', a.last_name,
            'address_line_1', a.address_line_1,
            'address_line_2', a.address_line_2,
            'city', a.city,
            'state', a.state,
            'postal_code', a.postal_code,
            'country_code', a.country_code,
            'created_at', a.created_at,
            'updated_at', a.updated_at
        ) ORDER BY a.created_at, a.id), '[]')
        FROM user_addresses AS a
        WHERE a.user_id = u.id
    ),
    'sessions', (
        SELECT coalesce(json_agg(json_build_object(
            'id', s.family_id,
            'created_at', s.created_at,
            'rotated_at', s.rotated_at,
            'expires_at', s.expires_at
        ) ORDER BY s.created_at, s.id), '[]')
        FROM user_sessions AS s
        WHERE s.user_id = u.id
    ),
    'password_resets', (
        SELECT coalesce(json_agg(json_build_object(
            'created_at', r.created_at,
            'expires_at', r.expires_at,
            'used_at', r.used_at
        ) ORDER BY r.created_at, r.id), '[]')
        FROM password_resets AS r
        WHERE r.user_id = u.id
    ),
    'email_verifications', (
        SELECT coalesce(json_agg(json_build_object(
            'email', v.email,
            'created_at', v.created_at,
            'expires_at', v.expires_at,
            'used_at', v.used_at
        ) ORDER BY v.created_at, v.id), '[]')
        FROM email_verifications AS v
        WHERE v.user_id = u.id
    ),
    'carts', (
        SELECT coalesce(json_agg(json_build_object(
            'id', c.id,
            'coupon', (SELECT cp.code FROM coupons AS cp WHERE cp.id = c.coupon_id),
            'created_at', c.created_at,
            'updated_at', c.updated_at,
            'items', (
                SELECT coalesce(json_agg(json_build_object(
                    'product_id', ci.product_id,
                    'product', p.name,
                    'variant_id', ci.variant_id,
                    'variant', pv.name,
                    'quantity', ci.quantity,
                    'unit_price', ci.unit_price,
                    'created_at', ci.created_at
                ) ORDER BY ci.created_at, ci.id), '[]')
                FROM cart_items AS ci
                JOIN products AS p ON p.id = ci.product_id
                LEFT JOIN product_variants AS pv ON pv.id = ci.variant_id
                WHERE ci.cart_id = c.id
            )
        )), '[]')
        FROM carts AS c
        WHERE c.user_id = u.id
    ),
    'orders', (
        SELECT coalesce(json_agg(json_build_object(
            'id', o.id,
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
            'updated_at', o.updated_at,
            'items', (
                SELECT coalesce(json_agg(json_build_object(
                    'product_id', oi.product_id,
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
                    'returned_quantity', oi.returned_quantity
                ) ORDER BY oi.created_at, oi.id), '[]')
                FROM order_items AS oi
                WHERE oi.order_id = o.id
            ),
            'addresses', (
                SELECT coalesce(json_agg(json_build_object(
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
            'shipments', (
                SELECT coalesce(json_agg(json_build_object(
                    'carrier', os.carrier,
                    'tracking_number', os.tracking_number,
                    'status', os.status,
                    'shipped_at', os.shipped_at,
                    'delivered_at', os.delivered_at
                ) ORDER BY os.created_at, os.id), '[]')
                FROM order_shipments AS os
                WHERE os.order_id = o.id
            ),
            'returns', (
                SELECT coalesce(json_agg(json_build_object(
                    'reason', ret.reason,
                    'refund_amount', ret.refund_amount,
                    'refunded_elsewhere', ret.refunded_elsewhere,
                    'created_at', ret.created_at,
                    'items', (
                        SELECT coalesce(json_agg(json_build_object(
                            'sku', ri.sku, 'quantity', rl.quantity
                        ) ORDER BY rl.created_at, rl.id), '[]')
                        FROM order_return_items AS rl
                        JOIN order_items AS ri ON ri.id = rl.order_item_id
                        WHERE rl.return_id = ret.id
                    )
                ) ORDER BY ret.created_at, ret.id), '[]')
                FROM order_returns AS ret
                WHERE ret.order_id = o.id
            ),
            'notes', (
                SELECT coalesce(json_agg(json_build_object(
                    'note', n.note, 'created_at', n.created_at
                ) ORDER BY n.created_at, n.id), '[]')
                FROM order_notes AS n
                WHERE n.order_id = o.id
            ),
            'payments', (
                SELECT coalesce(json_agg(json_build_object(
                    'method', pay.payment_method,
                    'gateway', pay.gateway,
                    'gateway_reference', pay.gateway_reference,
                    'status', pay.status,
                    'amount', pay.amount,
                    'captured_amount', pay.captured_amount,
                    'captured_at', pay.captured_at,
                    'card_brand', pay.card_brand,
                    'card_last_four', pay.card_last_four,
                    'operations', (
                        SELECT coalesce(json_agg(json_build_object(
                            'kind', po.kind,
                            'amount', po.amount,
                            'status', po.status,
                            'error_code', po.error_code,
                            'gateway_reference', po.gateway_reference,
                            'created_at', po.created_at
                        ) ORDER BY po.created_at, po.id), '[]')
                        FROM payment_operations AS po
                        WHERE po.payment_id = pay.id
                    ),
                    'refunds', (
                        SELECT coalesce(json_agg(json_build_object(
                            'amount', r.amount,
                            'status', r.status,
                            'reason', r.reason,
                            'created_at', r.created_at
                        ) ORDER BY r.created_at, r.id), '[]')
                        FROM refunds AS r
                        WHERE r.payment_id = pay.id
                    )
                ) ORDER BY pay.created_at, pay.id), '[]')
                FROM payments AS pay
                WHERE pay.order_id = o.id
            ),
            'history', (
                SELECT coalesce(json_agg(json_build_object(
                    'status', h.status, 'notes', h.notes, 'created_at', h.created_at
                ) ORDER BY h.created_at, h.id), '[]')
                FROM order_status_history AS h
                WHERE h.order_id = o.id
            )
        ) ORDER BY o.placed_at, o.id), '[]')
        FROM orders_of_user(u.id) AS theirs (id)
        JOIN orders AS o ON o.id = theirs.id
    ),
    'order_steps_taken', (
        SELECT coalesce(json_agg(json_build_object(
            'order_id', h.order_id, 'status', h.status, 'notes', h.notes, 'created_at', h.created_at
        ) ORDER BY h.created_at, h.id), '[]')
        FROM order_status_history AS h
        WHERE h.created_by = u.id
    ),
    'order_notes_written', (
        SELECT coalesce(json_agg(json_build_object(
            'order_id', n.order_id, 'note', n.note, 'created_at', n.created_at
        ) ORDER BY n.created_at, n.id), '[]')
        FROM order_notes AS n
        WHERE n.created_by = u.id
    ),
    'returns_taken', (
        SELECT coalesce(json_agg(json_build_object(
            'order_id', ret.order_id, 'reason', ret.reason, 'created_at', ret.created_at
        ) ORDER BY ret.created_at, ret.id), '[]')
        FROM order_returns AS ret
        WHERE ret.created_by = u.id
    ),
    'stock_changed', (
        SELECT coalesce(json_agg(json_build_object(
            'product_id', m.product_id,
            'variant_id', m.variant_id,
            'change', m.change,
            'reason', m.reason,
            'notes', m.notes,
            'created_at', m.created_at
        ) ORDER BY m.created_at, m.id), '[]')
        FROM stock_movements AS m
        WHERE m.created_by = u.id
    ),
    'bulk_changes_made', (
        SELECT coalesce(json_agg(json_build_object(
            'kind', bc.kind, 'description', bc.description, 'created_at', bc.created_at
        ) ORDER BY bc.created_at, bc.id), '[]')
        FROM bulk_changes AS bc
        WHERE bc.created_by = u.id
    ),
    'prices_changed', (
        SELECT coalesce(json_agg(json_build_object(
            'product_id', pc.product_id,
            'variant_id', pc.variant_id,
            'old_price', pc.old_price,
            'new_price', pc.new_price,
            'changed_at', pc.changed_at
        ) ORDER BY pc.changed_at, pc.id), '[]')
        FROM price_changes AS pc
        WHERE pc.changed_by = u.id
    ),
    'reviews_moderated', (
        SELECT coalesce(json_agg(json_build_object(
            'review_id', md.id,
            'is_approved', md.is_approved,
            'rejection_reason', md.rejection_reason,
            'moderated_at', md.moderated_at
        ) ORDER BY md.moderated_at, md.id), '[]')
        FROM product_reviews AS md
        WHERE md.moderated_by = u.id
    ),
    'coupons_used', (
        SELECT coalesce(json_agg(json_build_object(
            'code', cp.code,
            'order_id', cu.order_id,
            'discount_amount', cu.discount_amount,
            'created_at', cu.created_at
        ) ORDER BY cu.created_at, cu.id), '[]')
        FROM coupon_usage AS cu
        JOIN coupons AS cp ON cp.id = cu.coupon_id
        WHERE cu.user_id = u.id
    ),
    'reviews', (
        SELECT coalesce(json_agg(json_build_object(
            'product_id', pr.product_id,
            'product', p.name,
            'rating', pr.rating,
            'title', pr.title,
            'content', pr.content,
            'is_verified_purchase', pr.is_verified_purchase,
            'is_approved', pr.is_approved,
            'rejection_reason', pr.rejection_reason,
            'created_at', pr.created_at,
            'updated_at', pr.updated_at
        ) ORDER BY pr.created_at, pr.id), '[]')
        FROM product_reviews AS pr
        JOIN products AS p ON p.id = pr.product_id
        WHERE pr.user_id = u.id
    )
)
FROM users AS u
WHERE u.id = %(user_id)s;
