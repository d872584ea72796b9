-- name: get_product
-- §4.2: a product with all that belongs to it, by id or, when that is null, by slug.
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
    )
)
FROM products AS p
WHERE
    p.id = coalesce(
        %(id)s::uuid,
        (SELECT s.id FROM products AS s WHERE lower(s.slug) = lower(%(slug)s::text) AND s.deleted_at IS NULL)
    )
    AND p.deleted_at IS NULL;
