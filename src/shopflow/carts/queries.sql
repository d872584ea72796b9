-- name: get_cart
-- §4.3: one cart with its lines: the one of this id, else the user's, else the session's.
SELECT json_build_object(
    'id', c.id,
    'user_id', c.user_id,
    'session_id', c.session_id,
    'coupon_id', c.coupon_id,
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
