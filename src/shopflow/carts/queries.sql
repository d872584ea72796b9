-- name: get_cart
-- §4.3: one cart with its lines: the one of this id, else the user's, else the session's.
SELECT json_build_object(
    'id', c.id,
    'user_id', c.user_id,
    'session_id', c.session_id,
    'coupon_id', c.coupon_id,
    'coupon_code', (SELECT cp.code FROM coupons AS cp WHERE cp.id = c.coupon_id),
    'updated_at', c.updated_at,
    'items', coalesce(line.items, '[]'),
    'item_count', coalesce(line.item_count, 0),
    'subtotal', coalesce(line.subtotal, 0)
)
FROM carts AS c
CROSS JOIN LATERAL (
    SELECT
        json_agg(json_build_object(
            'id', ci.id,
            'product_id', ci.product_id,
            'variant_id', ci.variant_id,
            'quantity', ci.quantity,
            'unit_price', ci.unit_price,
            'current_price', coalesce(pv.price, p.price),
            'price_changed', ci.unit_price <> coalesce(pv.price, p.price),
            'name', p.name,
            'slug', p.slug,
            'variant_name', pv.name,
            'image', (
                SELECT pi.url FROM product_images AS pi
                WHERE pi.product_id = ci.product_id AND pi.is_primary
            ),
            'in_stock', stock.quantity IS NULL OR stock.quantity >= ci.quantity,
            'max_quantity', stock.quantity
        ) ORDER BY ci.created_at, ci.id) AS items,
        sum(ci.quantity) AS item_count,
        sum(ci.quantity * ci.unit_price) AS subtotal
    FROM cart_items AS ci
    JOIN products AS p ON p.id = ci.product_id
    LEFT JOIN product_variants AS pv ON pv.id = ci.variant_id
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN NOT p.is_active OR p.deleted_at IS NOT NULL THEN 0
            WHEN p.has_variants AND pv.is_active IS NOT TRUE THEN 0
            WHEN p.track_inventory THEN coalesce(pv.stock_quantity, p.stock_quantity)
        END AS quantity
    ) AS stock
    WHERE ci.cart_id = c.id
) AS line
WHERE c.id = coalesce(
    (SELECT i.id FROM carts AS i WHERE i.id = %(cart_id)s::uuid),
    (SELECT u.id FROM carts AS u WHERE u.user_id = %(user_id)s::uuid),
    (SELECT s.id FROM carts AS s WHERE s.session_id = %(session_id)s::text)
);

-- name: open_user_cart
-- The user's cart, made when there is none; writes nothing when there is.
WITH found AS (
    SELECT id FROM carts WHERE user_id = %(user_id)s
),

made AS (
    INSERT INTO carts (user_id)
    SELECT %(user_id)s WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id
    RETURNING id
)

SELECT id FROM found UNION ALL SELECT id FROM made;

-- name: open_session_cart
-- The guest session's cart, made when there is none; writes nothing when there is.
WITH found AS (
    SELECT id FROM carts WHERE session_id = %(session_id)s
),

made AS (
    INSERT INTO carts (session_id)
    SELECT %(session_id)s WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (session_id) DO UPDATE SET session_id = excluded.session_id
    RETURNING id
)

SELECT id FROM found UNION ALL SELECT id FROM made;

-- name: add_item
-- Put a product into a cart at its price of now, on the line it has there already if it has one.
-- The cart is touched once a transaction: at a second time its foreign key would lock the user,
-- whom a deletion has locked by then that waits for this cart.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

offer AS (
    SELECT
        p.id AS product_id,
        coalesce(pv.price, p.price) AS price,
        p.is_active AND pv.is_active IS NOT FALSE AS for_sale
    FROM products AS p
    LEFT JOIN product_variants AS pv ON pv.product_id = p.id AND pv.id = %(variant_id)s::uuid
    WHERE p.id = %(product_id)s
),

added AS (
    INSERT INTO cart_items AS ci (cart_id, product_id, variant_id, quantity, unit_price)
    SELECT cart.id, offer.product_id, %(variant_id)s::uuid, %(quantity)s, offer.price
    FROM cart, offer
    WHERE offer.for_sale
    ON CONFLICT (cart_id, product_id, variant_id) DO UPDATE
    SET quantity = ci.quantity + excluded.quantity, unit_price = excluded.unit_price
    WHERE ci.quantity + excluded.quantity <= %(largest)s
    RETURNING id, cart_id
),

touched AS (
    UPDATE carts SET updated_at = now()
    FROM added
    WHERE carts.id = added.cart_id AND carts.updated_at <> now()
)

SELECT
    (SELECT id FROM cart) AS cart_id,
    (SELECT for_sale FROM offer) AS for_sale,
    (SELECT id FROM added) AS item_id;

-- name: set_quantity
-- Change a line's quantity, and its price to that of now; the cart is touched as by add_item.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

changed AS (
    UPDATE cart_items AS ci
    SET
        quantity = %(quantity)s,
        unit_price = coalesce(
            (SELECT pv.price FROM product_variants AS pv WHERE pv.id = ci.variant_id),
            (SELECT p.price FROM products AS p WHERE p.id = ci.product_id)
        )
    FROM cart
    WHERE ci.cart_id = cart.id AND ci.id = %(item_id)s
    RETURNING ci.id, ci.cart_id
),

touched AS (
    UPDATE carts SET updated_at = now()
    FROM changed
    WHERE carts.id = changed.cart_id AND carts.updated_at <> now()
)

SELECT id FROM changed;

-- name: remove_item
-- Take a line out of a cart; the cart is touched as by add_item.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

removed AS (
    DELETE FROM cart_items AS ci
    USING cart
    WHERE ci.cart_id = cart.id AND ci.id = %(item_id)s
    RETURNING ci.id, ci.cart_id
),

touched AS (
    UPDATE carts SET updated_at = now()
    FROM removed
    WHERE carts.id = removed.cart_id AND carts.updated_at <> now()
)

SELECT id FROM removed;

-- name: clear_cart
-- Take every line out of a cart, the coupon stays; the cart is touched as by add_item.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

removed AS (
    DELETE FROM cart_items AS ci USING cart WHERE ci.cart_id = cart.id
),

touched AS (
    UPDATE carts SET updated_at = now()
    FROM cart
    WHERE carts.id = cart.id AND carts.updated_at <> now()
)

SELECT id FROM cart;

-- name: refresh_prices
-- Give every line of a cart the price of now, and say how many had another; no row without cart.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

refreshed AS (
    UPDATE cart_items AS ci
    SET unit_price = offer.price
    FROM cart
    CROSS JOIN LATERAL (
        SELECT line.id, coalesce(pv.price, p.price) AS price
        FROM cart_items AS line
        JOIN products AS p ON p.id = line.product_id
        LEFT JOIN product_variants AS pv ON pv.id = line.variant_id
        WHERE line.cart_id = cart.id
    ) AS offer
    WHERE ci.id = offer.id AND ci.unit_price <> offer.price
    RETURNING ci.cart_id
),

touched AS (
    UPDATE carts SET updated_at = now()
    FROM (SELECT DISTINCT cart_id FROM refreshed) AS changed
    WHERE carts.id = changed.cart_id AND carts.updated_at <> now()
)

SELECT (SELECT count(*) FROM refreshed) AS lines FROM cart;

-- name: hold_cart
-- Keep others from changing or ordering a cart until the end.
SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE;

-- name: put_coupon
-- Put the coupon of this code on a cart, however it is written; no row when there is none.
UPDATE carts
SET coupon_id = cp.id
FROM coupons AS cp
WHERE carts.id = %(cart_id)s AND lower(cp.code) = lower(%(code)s);

-- name: take_coupon_off
-- Leave a cart without coupon; writes nothing when it has none, and finds no row without cart.
WITH cart AS (
    SELECT id FROM carts WHERE id = %(cart_id)s FOR NO KEY UPDATE
),

changed AS (
    UPDATE carts SET coupon_id = NULL
    FROM cart
    WHERE carts.id = cart.id AND carts.coupon_id IS NOT NULL
)

SELECT id FROM cart;

-- name: hold_cart_owner
-- The deletion of a user takes that row before the cart: so does whoever needs both.
SELECT id FROM users WHERE id = %(user_id)s FOR KEY SHARE;

-- name: hold_users_cart
-- Keep the cart that a guest's is merged into; always before the guest's.
SELECT id FROM carts WHERE id = %(cart_id)s FOR UPDATE;

-- name: hold_guest_cart
-- Keep the cart of a guest session to the end, when there is one that is no user's.
SELECT id FROM carts WHERE session_id = %(session_id)s AND user_id IS NULL FOR UPDATE;

-- name: merge_guest_cart
-- Add the lines of a guest's cart to a user's, up to what can be bought, and remove the guest's;
-- both are held. Returns the lines that could not be added in full.
WITH line AS MATERIALIZED (
    SELECT
        guest.product_id,
        guest.variant_id,
        coalesce(pv.sku, p.sku) AS sku,
        coalesce(pv.price, p.price) AS price,
        guest.created_at,
        coalesce(held.quantity, 0) AS held,
        coalesce(held.quantity, 0) + guest.quantity AS wanted,
        least(
            coalesce(held.quantity, 0) + guest.quantity,
            %(largest)s,
            CASE
                WHEN NOT p.is_active OR p.deleted_at IS NOT NULL THEN 0
                WHEN p.has_variants AND pv.is_active IS NOT TRUE THEN 0
                WHEN p.track_inventory THEN coalesce(pv.stock_quantity, p.stock_quantity)
            END
        ) AS quantity
    FROM cart_items AS guest
    JOIN products AS p ON p.id = guest.product_id
    LEFT JOIN product_variants AS pv ON pv.id = guest.variant_id
    LEFT JOIN cart_items AS held
        ON
            held.cart_id = %(cart_id)s
            AND held.product_id = guest.product_id
            AND held.variant_id IS NOT DISTINCT FROM guest.variant_id
    WHERE guest.cart_id = %(guest_cart_id)s
),

merged AS (
    INSERT INTO cart_items (cart_id, product_id, variant_id, quantity, unit_price, created_at)
    SELECT %(cart_id)s, product_id, variant_id, quantity, price, created_at
    FROM line
    -- What the user has in the cart already is never made less.
    WHERE quantity > held
    ON CONFLICT (cart_id, product_id, variant_id) DO UPDATE
    SET quantity = excluded.quantity, unit_price = excluded.unit_price
),

touched AS (
    UPDATE carts
    SET coupon_id = coalesce(carts.coupon_id, guest.coupon_id)
    FROM carts AS guest
    WHERE carts.id = %(cart_id)s AND guest.id = %(guest_cart_id)s
),

gone AS (
    DELETE FROM carts WHERE id = %(guest_cart_id)s
)

SELECT product_id, variant_id, sku, wanted, greatest(quantity, held) AS quantity
FROM line
WHERE quantity < wanted
ORDER BY created_at;

-- name: expire_carts
-- Delete what is too old among the carts that follow this one by key, and say where they end; what
-- is being changed or ordered is not old. By key, since an index of updated_at would be written
-- with every change of a cart.
WITH page AS MATERIALIZED (
    SELECT id FROM carts WHERE id > %(after)s ORDER BY id LIMIT %(size)s
),

old AS MATERIALIZED (
    SELECT c.id
    FROM page
    JOIN carts AS c ON c.id = page.id
    WHERE c.updated_at < now() - make_interval(
        days => CASE WHEN c.user_id IS NULL THEN %(guest_days)s::int ELSE %(user_days)s::int END
    )
    ORDER BY c.id
    FOR UPDATE OF c SKIP LOCKED
),

gone AS (
    DELETE FROM carts USING old WHERE carts.id = old.id RETURNING carts.id
)

SELECT
    (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last,
    (SELECT count(*) FROM page) AS seen,
    (SELECT count(*) FROM gone) AS expired;

-- name: count_old_carts
-- How many carts there are, and how many of them expire_carts would delete.
SELECT
    count(*) AS carts,
    count(*) FILTER (WHERE updated_at < now() - make_interval(
        days => CASE WHEN user_id IS NULL THEN %(guest_days)s::int ELSE %(user_days)s::int END
    )) AS old
FROM carts;
