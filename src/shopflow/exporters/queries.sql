-- name: export_session
-- Everything from one snapshot, whatever others write meanwhile; a large shop takes a while.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: export_without_timeout
-- For this transaction only.
SELECT set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true);

-- name: count_products_to_export
-- How many products an export will have.
SELECT count(*) AS products FROM products WHERE deleted_at IS NULL;

-- name: export_products
-- Each product as a JSON object, in the order in which they were made. Of the variants those that
-- are active; if none is, the newest of each, so that the product does not lose them.
WITH RECURSIVE paths (id, path) AS (
    SELECT id, ARRAY[name::text] FROM categories WHERE parent_id IS NULL
    UNION ALL
    SELECT c.id, above.path || c.name::text
    FROM categories AS c JOIN paths AS above ON above.id = c.parent_id
)

SELECT row_to_json(product)::text
FROM (
    SELECT p.slug, p.name, p.sku, p.description, b.name AS brand, c.path AS category, p.tags,
           p.attributes, p.price::text AS price, p.compare_at_price::text AS compare_at_price,
           p.stock_quantity, p.track_inventory, p.is_active, p.is_featured,
           coalesce(v.variants, '[]') AS variants, coalesce(i.images, '[]') AS images
    FROM products AS p
    LEFT JOIN brands AS b ON b.id = p.brand_id
    LEFT JOIN paths AS c ON c.id = p.category_id
    LEFT JOIN LATERAL (
        SELECT json_agg(row_to_json(variant) ORDER BY variant.sort_order, of_shop.id) AS variants
        FROM (
            SELECT DISTINCT ON (CASE WHEN v.is_active THEN v.id::text ELSE v.option_values::text END)
                   v.id, v.is_active, bool_or(v.is_active) OVER () AS has_active, v.name, v.sku,
                   v.price, v.compare_at_price, v.stock_quantity, v.option_values, v.sort_order
            FROM product_variants AS v
            WHERE p.has_variants AND v.product_id = p.id
            ORDER BY CASE WHEN v.is_active THEN v.id::text ELSE v.option_values::text END, v.id DESC
        ) AS of_shop
        CROSS JOIN LATERAL (
            SELECT of_shop.name, of_shop.sku, of_shop.price::text AS price,
                   of_shop.compare_at_price::text AS compare_at_price, of_shop.stock_quantity,
                   of_shop.option_values, of_shop.sort_order, of_shop.is_active
        ) AS variant
        WHERE of_shop.is_active OR NOT of_shop.has_active
    ) AS v ON p.has_variants
    LEFT JOIN LATERAL (
        SELECT json_agg(row_to_json(image) ORDER BY image.sort_order, of_shop.id) AS images
        FROM product_images AS of_shop
        LEFT JOIN product_variants AS shown
            ON shown.product_id = p.id AND shown.id = of_shop.variant_id AND shown.is_active
        CROSS JOIN LATERAL (
            SELECT of_shop.url, of_shop.alt_text, of_shop.sort_order, of_shop.is_primary,
                   shown.sku AS variant
        ) AS image
        WHERE of_shop.product_id = p.id
    ) AS i ON true
    WHERE p.deleted_at IS NULL
    ORDER BY p.id
) AS product;
