-- name: get_product
-- §4.2: a product with all that belongs to it, by id or, when no product has that, by slug.
SELECT json_build_object(
    'id', p.id,
    'category_id', p.category_id,
    'brand_id', p.brand_id,
    'name', p.name,
    'slug', p.slug,
    'sku', p.sku,
    'description', p.description,
    'price', p.price,
    'compare_at_price', p.compare_at_price,
    'stock_quantity', p.stock_quantity,
    'track_inventory', p.track_inventory,
    'has_variants', p.has_variants,
    'attributes', p.attributes,
    'tags', p.tags,
    'is_active', p.is_active,
    'is_featured', p.is_featured,
    'version', p.version,
    'created_at', p.created_at,
    'updated_at', p.updated_at,
    'deleted_at', p.deleted_at,
    'category', (
        SELECT json_build_object('id', c.id, 'name', c.name, 'slug', c.slug)
        FROM categories AS c
        WHERE c.id = p.category_id
    ),
    'brand', (
        SELECT json_build_object('id', b.id, 'name', b.name)
        FROM brands AS b
        WHERE b.id = p.brand_id
    ),
    'images', (
        SELECT coalesce(json_agg(json_build_object(
            'id', pi.id,
            'variant_id', pi.variant_id,
            'url', pi.url,
            'alt_text', pi.alt_text,
            'is_primary', pi.is_primary
        ) ORDER BY pi.sort_order, pi.id), '[]')
        FROM product_images AS pi
        WHERE pi.product_id = p.id
    ),
    'variants', (
        SELECT coalesce(json_agg(json_build_object(
            'id', pv.id,
            'name', pv.name,
            'sku', pv.sku,
            'price', pv.price,
            'compare_at_price', pv.compare_at_price,
            'stock_quantity', pv.stock_quantity,
            'option_values', pv.option_values
        ) ORDER BY pv.sort_order, pv.id), '[]')
        FROM product_variants AS pv
        WHERE pv.product_id = p.id AND pv.is_active
    ),
    'avg_rating', ps.rating_sum::numeric / nullif(ps.rating_count, 0),
    'review_count', coalesce(ps.rating_count, 0)
)
FROM products AS p
LEFT JOIN product_stats AS ps ON ps.product_id = p.id
WHERE
    p.id = coalesce(
        (SELECT i.id FROM products AS i WHERE i.id = %(id)s::uuid AND i.deleted_at IS NULL),
        (SELECT s.id FROM products AS s WHERE lower(s.slug) = lower(%(slug)s::text) AND s.deleted_at IS NULL)
    );

-- name: get_product_for_admin
-- A product as staff see it, by id: also archived, with all variants and what editing needs.
SELECT json_build_object(
    'id', p.id,
    'category_id', p.category_id,
    'brand_id', p.brand_id,
    'name', p.name,
    'slug', p.slug,
    'sku', p.sku,
    'description', p.description,
    'price', p.price,
    'compare_at_price', p.compare_at_price,
    'stock_quantity', p.stock_quantity,
    'track_inventory', p.track_inventory,
    'has_variants', p.has_variants,
    'attributes', p.attributes,
    'tags', p.tags,
    'is_active', p.is_active,
    'is_featured', p.is_featured,
    'version', p.version,
    'created_at', p.created_at,
    'updated_at', p.updated_at,
    'deleted_at', p.deleted_at,
    'images', (
        SELECT coalesce(json_agg(json_build_object(
            'id', pi.id,
            'variant_id', pi.variant_id,
            'url', pi.url,
            'alt_text', pi.alt_text,
            'is_primary', pi.is_primary
        ) ORDER BY pi.sort_order, pi.id), '[]')
        FROM product_images AS pi
        WHERE pi.product_id = p.id
    ),
    'variants', (
        SELECT coalesce(json_agg(json_build_object(
            'id', pv.id,
            'name', pv.name,
            'sku', pv.sku,
            'price', pv.price,
            'compare_at_price', pv.compare_at_price,
            'stock_quantity', pv.stock_quantity,
            'option_values', pv.option_values,
            'sort_order', pv.sort_order,
            'is_active', pv.is_active,
            'version', pv.version
        ) ORDER BY pv.sort_order, pv.id), '[]')
        FROM product_variants AS pv
        WHERE pv.product_id = p.id
    )
)
FROM products AS p
WHERE p.id = %(id)s;

-- name: get_catalogue_version
-- Which version a row has by now; no row when it is gone, or an archived product.
SELECT version FROM products
WHERE id = %(id)s AND %(what)s::text = 'product' AND deleted_at IS NULL
UNION ALL
SELECT version FROM product_variants WHERE id = %(id)s AND %(what)s::text = 'variant'
UNION ALL
SELECT version FROM categories WHERE id = %(id)s AND %(what)s::text = 'category'
UNION ALL
SELECT version FROM brands WHERE id = %(id)s AND %(what)s::text = 'brand';

-- name: create_product
-- A new product, unless its slug is taken: then no row.
INSERT INTO products (
    category_id, brand_id, name, slug, sku, description, price, compare_at_price, stock_quantity,
    track_inventory, attributes, tags, is_active, is_featured
)
SELECT
    category_id, brand_id, name, slug, sku, description, price, compare_at_price, stock_quantity,
    track_inventory, attributes, tags, is_active, is_featured
FROM jsonb_populate_record(NULL::products, %(fields)s::jsonb)
ON CONFLICT (lower(slug)) WHERE deleted_at IS NULL DO NOTHING
RETURNING id;

-- name: update_product
-- The fields in `changes`; the others are those of the row itself, whoever changed them last.
UPDATE products AS p
SET (
    category_id, brand_id, name, slug, sku, description, price, compare_at_price, track_inventory,
    attributes, tags, is_active, is_featured
) = (
    SELECT
        n.category_id, n.brand_id, n.name, n.slug, n.sku, n.description, n.price,
        n.compare_at_price, n.track_inventory, n.attributes, n.tags, n.is_active, n.is_featured
    FROM jsonb_populate_record(p, %(changes)s::jsonb) AS n
)
WHERE
    p.id = %(id)s
    AND p.deleted_at IS NULL
    AND p.version = coalesce(%(expected_version)s::integer, p.version)
RETURNING p.version;

-- name: archive_product
-- Soft delete; triggers do the rest. The variants' rows first, as everybody locks them.
WITH variant AS MATERIALIZED (
    SELECT id FROM product_variants WHERE product_id = %(id)s ORDER BY id FOR NO KEY UPDATE
)

UPDATE products AS p
SET deleted_at = now()
WHERE
    p.id = %(id)s
    AND p.deleted_at IS NULL
    AND p.version = coalesce(%(expected_version)s::integer, p.version)
    -- Always true; a condition is looked at before the row is locked.
    AND (SELECT count(*) FROM variant) >= 0
RETURNING p.version;

-- name: get_archived_product
-- What may be taken by now when it is restored.
SELECT slug, sku FROM products WHERE id = %(id)s AND deleted_at IS NOT NULL;

-- name: restore_product
-- Takes a soft delete back.
UPDATE products SET deleted_at = NULL
WHERE id = %(id)s AND deleted_at IS NOT NULL
RETURNING version;

-- name: create_variant
-- A new variant.
INSERT INTO product_variants (
    product_id, name, sku, price, compare_at_price, stock_quantity, option_values, sort_order,
    is_active
)
SELECT
    product_id, name, sku, price, compare_at_price, stock_quantity, option_values, sort_order,
    is_active
FROM jsonb_populate_record(NULL::product_variants, %(fields)s::jsonb)
RETURNING id;

-- name: update_variant
-- The fields in `changes`; the others are those of the row itself, whoever changed them last.
UPDATE product_variants AS v
SET (name, sku, price, compare_at_price, option_values, sort_order, is_active) = (
    SELECT n.name, n.sku, n.price, n.compare_at_price, n.option_values, n.sort_order, n.is_active
    FROM jsonb_populate_record(v, %(changes)s::jsonb) AS n
)
WHERE v.id = %(id)s AND v.version = coalesce(%(expected_version)s::integer, v.version)
RETURNING v.version;

-- name: lock_product_for_images
-- Hold a product, so that nobody else changes its images.
SELECT id FROM products WHERE id = %(id)s AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: lock_product_of_image
-- Hold the product that an image belongs to.
SELECT p.id FROM products AS p
WHERE p.id = (SELECT i.product_id FROM product_images AS i WHERE i.id = %(image_id)s)
FOR NO KEY UPDATE;

-- name: release_primary_image
-- There is one primary image at any time, so the old one steps down first.
UPDATE product_images SET is_primary = FALSE WHERE product_id = %(product_id)s AND is_primary;

-- name: add_image
-- A new image after the others; primary when the product has no other that is.
INSERT INTO product_images (product_id, variant_id, url, alt_text, sort_order, is_primary)
SELECT
    %(product_id)s::uuid,
    %(variant_id)s::uuid,
    %(url)s::text,
    %(alt_text)s::text,
    coalesce(max(sort_order), 0) + 1,
    %(is_primary)s::boolean OR bool_or(is_primary) IS NOT TRUE
FROM product_images
WHERE product_id = %(product_id)s
RETURNING id;

-- name: update_image
-- The fields in `changes`; the others are those of the row itself.
UPDATE product_images AS i
SET (url, alt_text, variant_id) = (
    SELECT n.url, n.alt_text, n.variant_id
    FROM jsonb_populate_record(i, %(changes)s::jsonb) AS n
)
WHERE i.id = %(id)s;

-- name: make_image_primary
-- The product must have no other that is.
UPDATE product_images SET is_primary = TRUE WHERE id = %(id)s;

-- name: remove_image
-- Delete an image.
DELETE FROM product_images WHERE id = %(id)s;

-- name: promote_first_image
-- Makes the first image primary when none is.
UPDATE product_images AS i SET is_primary = TRUE
WHERE
    i.id = (
        SELECT f.id FROM product_images AS f
        WHERE f.product_id = %(product_id)s
        ORDER BY f.sort_order, f.id
        LIMIT 1
    )
    AND NOT EXISTS (
        SELECT FROM product_images AS o WHERE o.product_id = %(product_id)s AND o.is_primary
    );

-- name: list_image_ids
-- The images of a product in their order.
SELECT id FROM product_images WHERE product_id = %(product_id)s ORDER BY sort_order, id;

-- name: reorder_images
-- Number the images of a product as they are listed; those in their place are not written.
UPDATE product_images AS i
SET sort_order = w.place
FROM unnest(%(image_ids)s::uuid[]) WITH ORDINALITY AS w (id, place)
WHERE i.product_id = %(product_id)s AND i.id = w.id AND i.sort_order <> w.place;

-- name: list_categories
-- All categories, in the order in which siblings stand.
SELECT coalesce(json_agg(json_build_object(
    'id', id,
    'parent_id', parent_id,
    'name', name,
    'slug', slug,
    'sort_order', sort_order,
    'version', version
) ORDER BY sort_order, lower(name), id), '[]')
FROM categories;

-- name: create_category
-- A new category, unless its slug is taken: then no row.
INSERT INTO categories (parent_id, name, slug, sort_order)
SELECT parent_id, name, slug, sort_order
FROM jsonb_populate_record(NULL::categories, %(fields)s::jsonb)
ON CONFLICT (lower(slug)) DO NOTHING
RETURNING id;

-- name: update_category
-- The fields in `changes`; the others are those of the row itself, whoever changed them last.
UPDATE categories AS c
SET (name, slug, sort_order) = (
    SELECT n.name, n.slug, n.sort_order
    FROM jsonb_populate_record(c, %(changes)s::jsonb) AS n
)
WHERE c.id = %(id)s AND c.version = coalesce(%(expected_version)s::integer, c.version)
RETURNING c.version;

-- name: move_category
-- One row, however much is below it.
UPDATE categories AS c
SET parent_id = %(parent_id)s::uuid, sort_order = coalesce(%(sort_order)s::integer, c.sort_order)
WHERE c.id = %(id)s AND c.version = coalesce(%(expected_version)s::integer, c.version)
RETURNING c.version;

-- name: delete_category
-- Delete a category without others below it.
DELETE FROM categories AS c
WHERE c.id = %(id)s AND c.version = coalesce(%(expected_version)s::integer, c.version)
RETURNING c.version;

-- name: list_brands
-- All brands by name, also inactive ones.
SELECT coalesce(json_agg(json_build_object(
    'id', id,
    'name', name,
    'slug', slug,
    'logo_url', logo_url,
    'is_active', is_active,
    'version', version
) ORDER BY lower(name), id), '[]')
FROM brands;

-- name: create_brand
-- A new brand, unless its slug is taken: then no row.
INSERT INTO brands (name, slug, logo_url, is_active)
SELECT name, slug, logo_url, is_active
FROM jsonb_populate_record(NULL::brands, %(fields)s::jsonb)
ON CONFLICT (lower(slug)) DO NOTHING
RETURNING id;

-- name: update_brand
-- The fields in `changes`; the others are those of the row itself, whoever changed them last.
UPDATE brands AS b
SET (name, slug, logo_url, is_active) = (
    SELECT n.name, n.slug, n.logo_url, n.is_active
    FROM jsonb_populate_record(b, %(changes)s::jsonb) AS n
)
WHERE b.id = %(id)s AND b.version = coalesce(%(expected_version)s::integer, b.version)
RETURNING b.version;

-- name: change_stock
-- Set a stock or add to it, by a movement that a trigger turns into the stock; what cannot be is
-- not written, and told by the row. The actor's row first, then the one whose stock it is, which
-- is read as whoever held it before has left it.
WITH actor AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(actor)s::uuid FOR KEY SHARE
),

variant AS MATERIALIZED (
    SELECT pv.id, pv.stock_quantity
    FROM product_variants AS pv
    WHERE
        pv.id = %(variant_id)s::uuid
        AND pv.product_id = %(product_id)s
        -- Always true; a condition is looked at before the row is locked.
        AND (SELECT count(*) FROM actor) >= 0
    FOR NO KEY UPDATE
),

product AS MATERIALIZED (
    SELECT p.stock_quantity, p.has_variants
    FROM products AS p
    WHERE
        p.id = %(product_id)s
        AND %(variant_id)s::uuid IS NULL
        AND (SELECT count(*) FROM actor) >= 0
    FOR NO KEY UPDATE
),

wanted AS (
    SELECT
        held.stock_quantity,
        coalesce(%(quantity)s::bigint, held.stock_quantity + %(change)s::bigint) AS result
    FROM (
        SELECT variant.stock_quantity FROM variant
        UNION ALL
        SELECT product.stock_quantity FROM product WHERE NOT product.has_variants
    ) AS held
),

moved AS (
    INSERT INTO stock_movements (product_id, variant_id, change, reason, notes, created_by)
    SELECT
        %(product_id)s, %(variant_id)s::uuid, result - stock_quantity, %(reason)s, %(notes)s::text,
        %(actor)s::uuid
    FROM wanted
    WHERE
        result <> stock_quantity
        AND result BETWEEN 0 AND %(largest)s
        AND (%(actor)s::uuid IS NULL OR EXISTS (SELECT FROM actor))
    RETURNING id
)

SELECT
    (SELECT id FROM moved) AS movement_id,
    (SELECT stock_quantity FROM wanted) AS before,
    (SELECT result FROM wanted) AS result,
    (SELECT id FROM actor) AS actor,
    EXISTS (SELECT FROM product WHERE product.has_variants) AS has_variants;

-- name: list_movements
-- The movements of a product or of one variant, newest first, after the one that is given. Each
-- variant's own index gives its newest, of which the newest are kept.
SELECT coalesce(json_agg(json_build_object(
    'id', m.id,
    'product_id', m.product_id,
    'variant_id', m.variant_id,
    'change', m.change,
    'reason', m.reason,
    'order_id', m.order_id,
    'notes', m.notes,
    'created_by', m.created_by,
    'created_at', m.created_at
) ORDER BY m.created_at DESC, m.id DESC), '[]')
FROM (
    SELECT o.id, o.created_at FROM (
        SELECT own.id, own.created_at
        FROM stock_movements AS own
        WHERE
            own.product_id = %(product_id)s
            AND own.variant_id IS NULL
            AND %(variant_id)s::uuid IS NULL
            AND (own.created_at, own.id) < (
                coalesce(%(before)s::timestamptz, 'infinity'),
                coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
        ORDER BY own.created_at DESC, own.id DESC
        LIMIT %(limit)s
    ) AS o
    UNION ALL
    SELECT v.id, v.created_at FROM product_variants AS pv
    CROSS JOIN LATERAL (
        SELECT of_variant.id, of_variant.created_at
        FROM stock_movements AS of_variant
        WHERE
            of_variant.product_id = pv.product_id
            AND of_variant.variant_id = pv.id
            AND (of_variant.created_at, of_variant.id) < (
                coalesce(%(before)s::timestamptz, 'infinity'),
                coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
        ORDER BY of_variant.created_at DESC, of_variant.id DESC
        LIMIT %(limit)s
    ) AS v
    WHERE
        pv.product_id = %(product_id)s
        AND pv.id = coalesce(%(variant_id)s::uuid, pv.id)
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s
) AS page
JOIN stock_movements AS m ON m.id = page.id;

-- name: list_low_stock
-- What is for sale, counted and at or below a threshold, least first. It reads all products: an
-- index on stock would make every sale write every index of the row.
SELECT coalesce(json_agg(json_build_object(
    'product_id', page.product_id,
    'variant_id', page.variant_id,
    'name', page.name,
    'variant_name', page.variant_name,
    'sku', page.sku,
    'stock_quantity', page.stock_quantity
) ORDER BY page.stock_quantity, page.id), '[]')
FROM (
    SELECT
        p.id,
        p.id AS product_id,
        NULL::uuid AS variant_id,
        p.name,
        NULL AS variant_name,
        p.sku,
        p.stock_quantity
    FROM products AS p
    WHERE
        p.is_active
        AND p.deleted_at IS NULL
        AND p.track_inventory
        AND NOT p.has_variants
        AND p.stock_quantity <= %(threshold)s
        AND (%(after)s::uuid IS NULL OR (p.stock_quantity, p.id) > (%(after_stock)s, %(after)s))
    UNION ALL
    SELECT pv.id, p.id, pv.id, p.name, pv.name, pv.sku, pv.stock_quantity
    FROM product_variants AS pv
    JOIN products AS p ON p.id = pv.product_id
    WHERE
        p.is_active
        AND p.deleted_at IS NULL
        AND p.track_inventory
        AND pv.is_active
        AND pv.stock_quantity <= %(threshold)s
        AND (%(after)s::uuid IS NULL OR (pv.stock_quantity, pv.id) > (%(after_stock)s, %(after)s))
    ORDER BY stock_quantity, id
    LIMIT %(limit)s
) AS page;

-- name: check_stock_session
-- It may run as long as it takes, in this transaction.
SELECT set_config('statement_timeout', '0', TRUE), set_config('work_mem', '64MB', TRUE);

-- name: check_stock
-- Every stock that is not the sum of its movements, and every product with variants whose stock is
-- not the sum over its active ones.
WITH movement AS (
    SELECT m.product_id, m.variant_id, sum(m.change) AS total
    FROM stock_movements AS m
    GROUP BY m.product_id, m.variant_id
),

variant_sum AS (
    SELECT
        pv.product_id,
        coalesce(sum(pv.stock_quantity) FILTER (WHERE pv.is_active), 0) AS total
    FROM product_variants AS pv
    GROUP BY pv.product_id
)

SELECT
    'product movements' AS rule,
    p.id AS product_id,
    NULL::uuid AS variant_id,
    p.sku,
    CASE WHEN p.has_variants THEN 0 ELSE p.stock_quantity END AS stock,
    coalesce(m.total, 0) AS expected
FROM products AS p
LEFT JOIN movement AS m ON m.product_id = p.id AND m.variant_id IS NULL
WHERE CASE WHEN p.has_variants THEN 0 ELSE p.stock_quantity END <> coalesce(m.total, 0)
UNION ALL
SELECT 'variant movements', pv.product_id, pv.id, pv.sku, pv.stock_quantity, coalesce(m.total, 0)
FROM product_variants AS pv
LEFT JOIN movement AS m ON m.product_id = pv.product_id AND m.variant_id = pv.id
WHERE pv.stock_quantity <> coalesce(m.total, 0)
UNION ALL
SELECT 'sum of variants', p.id, NULL, p.sku, p.stock_quantity, coalesce(s.total, 0)
FROM products AS p
LEFT JOIN variant_sum AS s ON s.product_id = p.id
WHERE
    p.has_variants <> (s.product_id IS NOT NULL)
    OR (p.has_variants AND p.stock_quantity <> s.total)
ORDER BY product_id, variant_id NULLS FIRST, rule;

-- name: submit_review
-- A review, which waits for moderation, unless its author or the product is gone or it is the
-- second; the row tells.
WITH author AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(user_id)s AND deleted_at IS NULL FOR KEY SHARE
),

product AS (
    SELECT id FROM products WHERE id = %(product_id)s AND deleted_at IS NULL
),

written AS (
    INSERT INTO product_reviews (product_id, user_id, rating, title, content)
    SELECT product.id, author.id, %(rating)s, %(title)s::text, %(content)s::text
    FROM author CROSS JOIN product
    ON CONFLICT (product_id, user_id) DO NOTHING
    RETURNING id
)

SELECT
    (SELECT id FROM author) AS author,
    (SELECT id FROM product) AS product,
    (SELECT id FROM written) AS id;

-- name: edit_review
-- The fields in `changes`, by its author; what was said in moderation no longer holds.
UPDATE product_reviews AS r
SET
    (rating, title, content) = (
        SELECT n.rating, n.title, n.content
        FROM jsonb_populate_record(r, %(changes)s::jsonb) AS n
    ),
    is_approved = FALSE,
    rejection_reason = NULL,
    moderated_by = NULL,
    moderated_at = NULL
WHERE r.id = %(id)s AND r.user_id = %(user_id)s;

-- name: delete_review
-- Delete a review; only that of its author when one is given.
DELETE FROM product_reviews
WHERE id = %(id)s AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s::uuid);

-- name: moderate_review
-- Approve a review, or reject it when there is a reason, if it is as it was read.
WITH moderator AS MATERIALIZED (
    SELECT id FROM users WHERE id = %(moderator)s::uuid AND deleted_at IS NULL FOR KEY SHARE
)

UPDATE product_reviews AS r
SET
    is_approved = %(reason)s::text IS NULL,
    rejection_reason = %(reason)s::text,
    moderated_by = %(moderator)s::uuid,
    moderated_at = now()
WHERE
    r.id = %(id)s
    AND r.updated_at = coalesce(%(seen)s::timestamptz, r.updated_at)
    AND (%(moderator)s::uuid IS NULL OR EXISTS (SELECT FROM moderator));

-- name: why_not_moderated
-- What there is of a review and its moderator.
SELECT
    EXISTS (SELECT FROM product_reviews WHERE id = %(id)s) AS review,
    %(moderator)s::uuid IS NULL OR EXISTS (
        SELECT FROM users WHERE id = %(moderator)s::uuid AND deleted_at IS NULL
    ) AS moderator;

-- name: moderation_queue
-- Reviews that wait for moderation, those first that have waited longest.
SELECT coalesce(json_agg(json_build_object(
    'id', r.id,
    'product_id', r.product_id,
    'product_name', p.name,
    'user_id', r.user_id,
    'rating', r.rating,
    'title', r.title,
    'content', r.content,
    'is_verified_purchase', r.is_verified_purchase,
    'created_at', r.created_at,
    'updated_at', r.updated_at
) ORDER BY r.updated_at, r.id), '[]')
FROM (
    SELECT q.id FROM product_reviews AS q
    WHERE
        NOT q.is_approved
        AND q.rejection_reason IS NULL
        AND (q.updated_at, q.id) > (
            coalesce(%(after)s::timestamptz, '-infinity'),
            coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')
        )
    ORDER BY q.updated_at, q.id
    LIMIT %(limit)s
) AS page
JOIN product_reviews AS r ON r.id = page.id
JOIN products AS p ON p.id = r.product_id;

-- name: list_own_reviews
-- What a user has written, newest first.
SELECT coalesce(json_agg(json_build_object(
    'id', r.id,
    'product_id', r.product_id,
    'product_name', r.product_name,
    'rating', r.rating,
    'title', r.title,
    'content', r.content,
    'is_verified_purchase', r.is_verified_purchase,
    'status', CASE
        WHEN r.is_approved THEN 'approved'
        WHEN r.rejection_reason IS NOT NULL THEN 'rejected'
        ELSE 'pending'
    END,
    'rejection_reason', r.rejection_reason,
    'created_at', r.created_at,
    'updated_at', r.updated_at
) ORDER BY r.created_at DESC, r.id DESC), '[]')
FROM (
    SELECT
        own.id, own.product_id, own.rating, own.title, own.content, own.is_verified_purchase,
        own.is_approved, own.rejection_reason, own.created_at, own.updated_at,
        p.name AS product_name
    FROM product_reviews AS own
    JOIN products AS p ON p.id = own.product_id
    WHERE
        own.user_id = %(user_id)s
        AND (own.created_at, own.id) < (
            coalesce(%(before)s::timestamptz, 'infinity'),
            coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY own.created_at DESC, own.id DESC
    LIMIT %(limit)s
) AS r;

-- name: count_sales
-- Write how many pieces of each product were sold in the last days; how many products changed.
SELECT count_sales(%(days)s, %(batch)s) AS changed;
