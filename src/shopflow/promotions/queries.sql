-- name: create_coupon
-- A new coupon, for everything in the shop.
INSERT INTO coupons (
    code, discount_type, discount_value, min_order, max_discount, usage_limit, per_user_limit,
    first_order_only, is_active, starts_at, expires_at
)
VALUES (
    %(code)s, %(discount_type)s, %(discount_value)s, %(min_order)s, %(max_discount)s,
    %(usage_limit)s, %(per_user_limit)s, %(first_order_only)s, %(is_active)s, %(starts_at)s,
    %(expires_at)s
)
RETURNING id;

-- name: get_coupons
-- The coupon with this id, the one with this code however it is written, and the page of those made
-- before another, the newest first; each only where it is asked for.
SELECT coalesce(json_agg(json_build_object(
    'id', c.id,
    'code', c.code,
    'discount_type', c.discount_type,
    'discount_value', c.discount_value,
    'min_order', c.min_order,
    'max_discount', c.max_discount,
    'usage_limit', c.usage_limit,
    'per_user_limit', c.per_user_limit,
    'used_count', c.used_count,
    'is_active', c.is_active,
    'first_order_only', c.first_order_only,
    'starts_at', c.starts_at,
    'expires_at', c.expires_at,
    'scope', CASE WHEN c.is_restricted THEN json_build_object(
        'product_ids', (
            SELECT coalesce(json_agg(of.product_id), '[]')
            FROM coupon_products AS of
            WHERE of.coupon_id = c.id
        ),
        'category_ids', (
            SELECT coalesce(json_agg(of.category_id), '[]')
            FROM coupon_categories AS of
            WHERE of.coupon_id = c.id
        )
    ) END
) ORDER BY c.id DESC), '[]')
FROM (
    SELECT k.id FROM coupons AS k WHERE k.id = %(id)s::uuid
    UNION ALL
    SELECT k.id FROM coupons AS k WHERE lower(k.code) = lower(%(code)s::text)
    UNION ALL
    (
        SELECT k.id
        FROM coupons AS k
        WHERE k.id < %(before)s::uuid AND (k.is_active OR NOT %(active_only)s::boolean)
        ORDER BY k.id DESC
        LIMIT %(limit)s::int
    )
) AS chosen
JOIN coupons AS c ON c.id = chosen.id;

-- name: restrict_coupon
-- Say anew what a coupon is for, and which of it there is not; no row without coupon.
WITH coupon AS (
    UPDATE coupons SET is_restricted = %(is_restricted)s WHERE id = %(id)s RETURNING id
),

product AS (
    SELECT DISTINCT given.id, p.id IS NOT NULL AS found
    FROM unnest(%(product_ids)s::uuid[]) AS given (id)
    LEFT JOIN products AS p ON p.id = given.id
),

category AS (
    SELECT DISTINCT given.id, c.id IS NOT NULL AS found
    FROM unnest(%(category_ids)s::uuid[]) AS given (id)
    LEFT JOIN categories AS c ON c.id = given.id
),

products_gone AS (
    DELETE FROM coupon_products
    WHERE coupon_id = %(id)s AND product_id <> ALL (%(product_ids)s::uuid[])
),

categories_gone AS (
    DELETE FROM coupon_categories
    WHERE coupon_id = %(id)s AND category_id <> ALL (%(category_ids)s::uuid[])
),

products_named AS (
    INSERT INTO coupon_products (coupon_id, product_id)
    SELECT coupon.id, product.id FROM coupon, product WHERE product.found ORDER BY product.id
    ON CONFLICT DO NOTHING
),

categories_named AS (
    INSERT INTO coupon_categories (coupon_id, category_id)
    SELECT coupon.id, category.id FROM coupon, category WHERE category.found ORDER BY category.id
    ON CONFLICT DO NOTHING
)

SELECT
    (SELECT product.id FROM product WHERE NOT product.found LIMIT 1) AS unknown_product,
    (SELECT category.id FROM category WHERE NOT category.found LIMIT 1) AS unknown_category
FROM coupon;

-- name: list_coupon_uses
-- The orders that used a coupon, the newest first, before one of them.
SELECT cu.order_id, o.order_number, cu.user_id, cu.discount_amount, cu.created_at
FROM coupon_usage AS cu
JOIN orders AS o ON o.id = cu.order_id
WHERE cu.coupon_id = %(coupon_id)s AND cu.order_id < %(before)s::uuid
ORDER BY cu.order_id DESC
LIMIT %(limit)s;
