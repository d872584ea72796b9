-- name: bulk_session
-- A statement about a whole catalogue may run long; for this transaction only.
SELECT set_config('statement_timeout', '0', TRUE);

-- name: create_bulk_change
-- A new draft, without lines.
INSERT INTO bulk_changes (kind, description, rule, created_by)
VALUES (%(what)s::text, %(description)s, %(rule)s::jsonb, %(actor)s::uuid)
RETURNING id;

-- name: add_bulk_lines
-- The lines of a draft: what a selection and a rule make of what is there, or the lines of a file;
-- and what cannot be, of which nothing is written. One statement, so of one moment.
-- plan: custom
WITH RECURSIVE category AS (
    SELECT id FROM categories WHERE id = ANY (%(category_ids)s::uuid[])
    UNION
    SELECT c.id FROM categories AS c JOIN category ON c.parent_id = category.id
),

chosen AS (
    SELECT p.id, p.sku, p.price, p.compare_at_price, p.stock_quantity, p.has_variants
    FROM products AS p
    WHERE
        %(by_rule)s
        AND p.deleted_at IS NULL
        AND (%(brand_ids)s::uuid[] IS NULL OR p.brand_id = ANY (%(brand_ids)s::uuid[]))
        AND (%(category_ids)s::uuid[] IS NULL OR p.category_id IN (SELECT id FROM category))
        AND (%(tags)s::text[] IS NULL OR p.tags && %(tags)s::text[])
        AND (%(product_ids)s::uuid[] IS NULL OR p.id = ANY (%(product_ids)s::uuid[]))
),

given AS (
    SELECT g.line, g.sku, g.price, g.compare_at_price, g.stock, g.first_line
    FROM (
        SELECT u.*, min(u.line) OVER (PARTITION BY lower(u.sku)) AS first_line
        FROM unnest(
            %(lines)s::bigint[], %(line_skus)s::text[], %(prices)s::numeric[],
            %(compare_at_prices)s::numeric[], %(stocks)s::bigint[]
        ) AS u (line, sku, price, compare_at_price, stock)
    ) AS g
),

matched AS (
    SELECT
        g.line, p.id AS product_id, NULL::uuid AS variant_id, p.has_variants, p.price,
        p.compare_at_price, p.stock_quantity
    FROM given AS g
    JOIN products AS p ON lower(p.sku) = lower(g.sku) AND p.deleted_at IS NULL
    UNION ALL
    SELECT g.line, v.product_id, v.id, FALSE, v.price, v.compare_at_price, v.stock_quantity
    FROM given AS g
    JOIN product_variants AS v ON lower(v.sku) = lower(g.sku) AND v.is_active
),

meant AS (
    SELECT
        line,
        count(DISTINCT product_id) AS products,
        count(*) FILTER (WHERE %(what)s::text = 'price' OR NOT has_variants) AS items
    FROM matched
    GROUP BY line
),

item AS (
    SELECT
        NULL::bigint AS line, p.sku, p.id AS product_id, NULL::uuid AS variant_id, p.price,
        p.compare_at_price, p.stock_quantity AS stock, NULL::numeric AS wanted_price,
        NULL::numeric AS wanted_compare_at_price, NULL::bigint AS wanted_stock,
        NULL::text AS problem
    FROM chosen AS p
    WHERE
        (%(what)s::text = 'price' OR NOT p.has_variants)
        AND (%(skus)s::text[] IS NULL OR lower(p.sku) = ANY (%(skus)s::text[]))
    UNION ALL
    SELECT
        NULL, v.sku, v.product_id, v.id, v.price, v.compare_at_price, v.stock_quantity, NULL, NULL,
        NULL, NULL
    FROM chosen AS p
    JOIN product_variants AS v ON v.product_id = p.id AND v.is_active
    WHERE
        %(skus)s::text[] IS NULL
        OR lower(v.sku) = ANY (%(skus)s::text[])
        OR lower(p.sku) = ANY (%(skus)s::text[])
    UNION ALL
    SELECT
        g.line, g.sku, m.product_id, m.variant_id, m.price, m.compare_at_price, m.stock_quantity,
        g.price, g.compare_at_price, g.stock,
        CASE
            WHEN g.line > g.first_line THEN 'is in line ' || g.first_line || ' already'
            WHEN meant.products IS NULL THEN 'no product or active variant has it'
            WHEN meant.products > 1 THEN 'is of more than one product'
            WHEN meant.items = 0 THEN 'has variants, whose stock it is: name those'
        END
    FROM given AS g
    LEFT JOIN meant ON meant.line = g.line
    LEFT JOIN matched AS m
        ON m.line = g.line
        AND g.line = g.first_line
        AND meant.products = 1
        AND (%(what)s::text = 'price' OR NOT m.has_variants)
),

checked AS (
    SELECT
        item.line, item.sku, item.product_id, item.variant_id, item.price, item.compare_at_price,
        item.stock, priced.new_price, compared.new_compare_at_price, exact.new_stock,
        CASE
            WHEN item.problem IS NOT NULL THEN json_build_array('sku', item.sku, item.problem)
            WHEN %(what)s::text = 'stock' AND exact.new_stock NOT BETWEEN 0 AND %(largest_stock)s
                THEN json_build_array(
                    'stock', exact.new_stock::text, 'must be from 0 to ' || %(largest_stock)s::text
                )
            WHEN
                %(what)s::text = 'price'
                AND priced.new_price NOT BETWEEN 0 AND %(largest_price)s::numeric
                THEN json_build_array(
                    'price', priced.new_price::text, 'must be from 0.00 to ' || %(largest_price)s::text
                )
            WHEN %(what)s::text = 'price' AND compared.new_compare_at_price <= priced.new_price
                THEN json_build_array(
                    'compare_at_price', compared.new_compare_at_price::text,
                    'must be above the price, ' || priced.new_price::text
                )
        END AS refusal,
        CASE %(what)s::text
            WHEN 'stock' THEN exact.new_stock <> item.stock
            ELSE
                (priced.new_price, compared.new_compare_at_price)
                IS DISTINCT FROM (item.price, item.compare_at_price)
        END AS differs
    FROM item
    CROSS JOIN LATERAL (
        SELECT
            CASE %(change)s::text
                WHEN 'percent' THEN item.price * (100 + %(amount)s::numeric) / 100
                WHEN 'amount' THEN item.price + %(amount)s::numeric
                WHEN 'fixed' THEN %(amount)s::numeric
                ELSE item.wanted_price
            END AS price,
            CASE %(change)s::text
                WHEN 'set' THEN %(pieces)s::bigint
                WHEN 'add' THEN item.stock + %(pieces)s::bigint
                ELSE item.wanted_stock
            END AS new_stock
    ) AS exact
    CROSS JOIN LATERAL (
        SELECT
            -- Half up: what is in the middle goes to the higher one.
            CASE
                WHEN %(ending)s::numeric IS NULL THEN round(exact.price, 2)
                ELSE floor(exact.price - %(ending)s::numeric + 0.5) + %(ending)s::numeric
            END AS new_price
    ) AS priced
    CROSS JOIN LATERAL (
        SELECT
            CASE %(compare)s::text
                WHEN 'given' THEN item.wanted_compare_at_price
                WHEN 'keep' THEN item.compare_at_price
                WHEN 'was'
                    THEN
                        CASE
                            WHEN coalesce(item.compare_at_price, item.price) > priced.new_price
                                THEN coalesce(item.compare_at_price, item.price)
                        END
            END AS new_compare_at_price
    ) AS compared
),

added AS (
    INSERT INTO bulk_change_lines (
        bulk_change_id, position, kind, product_id, variant_id, old_price, new_price,
        old_compare_at_price, new_compare_at_price, old_stock, new_stock
    )
    SELECT
        %(id)s,
        row_number() OVER (ORDER BY product_id, variant_id NULLS FIRST),
        %(what)s::text,
        product_id,
        variant_id,
        CASE %(what)s::text WHEN 'price' THEN price END,
        CASE %(what)s::text WHEN 'price' THEN new_price END,
        CASE %(what)s::text WHEN 'price' THEN compare_at_price END,
        CASE %(what)s::text WHEN 'price' THEN new_compare_at_price END,
        CASE %(what)s::text WHEN 'stock' THEN stock END,
        CASE %(what)s::text WHEN 'stock' THEN new_stock END
    FROM checked
    WHERE refusal IS NULL AND differs
)

SELECT json_build_object(
    'lines', count(*) FILTER (WHERE refusal IS NULL AND differs),
    'unchanged', count(*) FILTER (WHERE refusal IS NULL AND NOT differs),
    'refused', count(*) FILTER (WHERE refusal IS NOT NULL),
    'problems', (
        SELECT coalesce(json_agg(json_build_object(
            'line', first.line,
            'sku', first.sku,
            'field', first.refusal ->> 0,
            'value', first.refusal ->> 1,
            'reason', first.refusal ->> 2
        ) ORDER BY first.line, first.sku), '[]')
        FROM (
            SELECT line, sku, refusal FROM checked
            WHERE refusal IS NOT NULL
            ORDER BY line, sku
            LIMIT %(shown)s
        ) AS first
    )
)
FROM checked;

-- name: lock_bulk_change
-- One batch of a bulk change at a time; and its status stays until the transaction ends.
SELECT kind, status, created_by FROM bulk_changes WHERE id = %(id)s FOR NO KEY UPDATE;

-- name: move_bulk_change
-- The next step of a bulk change; a trigger refuses one that is not next.
UPDATE bulk_changes SET status = %(status)s::text WHERE id = %(id)s;

-- name: explain_bulk_change
-- What the history of prices and the movements of stock say of this transaction.
SELECT
    set_config('shopflow.bulk_change', %(id)s::uuid::text, TRUE),
    set_config('shopflow.actor', coalesce(%(actor)s::uuid::text, ''), TRUE);

-- name: lock_bulk_rows
-- Hold what the next batch changes, as everybody does: variants by id, then products by id. A
-- statement of its own, so that the next one sees what this one waited for.
-- plan: custom
WITH batch AS MATERIALIZED (
    SELECT product_id, variant_id, kind
    FROM bulk_change_lines
    WHERE bulk_change_id = %(id)s AND status = %(pending)s::text AND position > %(after)s
    ORDER BY position
    LIMIT %(size)s
),

variant AS MATERIALIZED (
    SELECT v.id
    FROM product_variants AS v
    WHERE v.id IN (SELECT variant_id FROM batch)
    ORDER BY v.id
    FOR NO KEY UPDATE
),

product AS MATERIALIZED (
    SELECT p.id
    FROM products AS p
    WHERE
        -- A change of a variant's stock changes the product's sum.
        p.id IN (SELECT product_id FROM batch WHERE variant_id IS NULL OR kind = 'stock')
        -- Always true; a condition is looked at before the row is locked.
        AND (SELECT count(*) FROM variant) >= 0
    ORDER BY p.id
    FOR NO KEY UPDATE
)

SELECT count(*) FROM product;

-- name: change_bulk_prices
-- The next batch: prices that are what they were go on, or back; the others are told and stay.
-- plan: custom
WITH batch AS MATERIALIZED (
    SELECT
        position, product_id, variant_id,
        CASE WHEN %(undo)s THEN new_price ELSE old_price END AS from_price,
        CASE WHEN %(undo)s THEN old_price ELSE new_price END AS to_price,
        CASE WHEN %(undo)s THEN new_compare_at_price ELSE old_compare_at_price END AS from_compare,
        CASE WHEN %(undo)s THEN old_compare_at_price ELSE new_compare_at_price END AS to_compare
    FROM bulk_change_lines
    WHERE bulk_change_id = %(id)s AND status = %(pending)s::text AND position > %(after)s
    ORDER BY position
    LIMIT %(size)s
),

product AS (
    UPDATE products AS p
    SET price = b.to_price, compare_at_price = b.to_compare
    FROM batch AS b
    WHERE
        p.id = b.product_id
        AND b.variant_id IS NULL
        AND (%(undo)s OR p.deleted_at IS NULL)
        AND p.price = b.from_price
        AND p.compare_at_price IS NOT DISTINCT FROM b.from_compare
    RETURNING b.position
),

variant AS (
    UPDATE product_variants AS v
    SET price = b.to_price, compare_at_price = b.to_compare
    FROM batch AS b
    WHERE
        v.id = b.variant_id
        AND (%(undo)s OR v.is_active)
        AND v.price = b.from_price
        AND v.compare_at_price IS NOT DISTINCT FROM b.from_compare
    RETURNING b.position
),

result AS (
    SELECT
        b.position,
        c.position IS NOT NULL AS changed,
        coalesce(v.price, p.price) AS found_price,
        CASE WHEN v.id IS NULL THEN p.compare_at_price ELSE v.compare_at_price END AS found_compare
    FROM batch AS b
    LEFT JOIN (SELECT position FROM product UNION ALL SELECT position FROM variant) AS c
        ON c.position = b.position
    LEFT JOIN products AS p ON p.id = b.product_id AND b.variant_id IS NULL AND p.deleted_at IS NULL
    LEFT JOIN product_variants AS v ON v.id = b.variant_id AND v.is_active
),

line AS (
    UPDATE bulk_change_lines AS l
    SET
        status = CASE WHEN r.changed THEN %(changed)s::text ELSE %(unchanged)s::text END,
        found_price = CASE WHEN NOT r.changed THEN r.found_price END,
        found_compare_at_price = CASE WHEN NOT r.changed THEN r.found_compare END,
        changed_at = now()
    FROM result AS r
    WHERE l.bulk_change_id = %(id)s AND l.position = r.position
)

SELECT count(*) AS lines, max(position) AS last FROM batch;

-- name: change_bulk_stocks
-- The next batch: what was to be added or taken away since the preview, or that taken back; what
-- would lead below zero or above the bound is told and stays.
-- plan: custom
WITH batch AS MATERIALIZED (
    SELECT
        l.position, l.product_id, l.variant_id,
        CASE WHEN %(undo)s THEN l.old_stock - l.new_stock ELSE l.new_stock - l.old_stock END AS change
    FROM bulk_change_lines AS l
    WHERE l.bulk_change_id = %(id)s AND l.status = %(pending)s::text AND l.position > %(after)s
    ORDER BY l.position
    LIMIT %(size)s
),

held AS MATERIALIZED (
    SELECT
        b.position, b.product_id, b.variant_id, b.change,
        coalesce(v.stock_quantity, p.stock_quantity) AS stock,
        coalesce(v.stock_quantity, p.stock_quantity) + b.change::bigint
            BETWEEN 0 AND %(largest_stock)s AS fits
    FROM batch AS b
    LEFT JOIN products AS p ON p.id = b.product_id AND b.variant_id IS NULL AND NOT p.has_variants
    LEFT JOIN product_variants AS v ON v.id = b.variant_id
),

moved AS (
    INSERT INTO stock_movements (product_id, variant_id, change, reason, notes, created_by)
    SELECT
        product_id, variant_id, change, %(reason)s::text, 'bulk change ' || %(id)s::uuid::text,
        %(actor)s::uuid
    FROM held
    WHERE fits
),

line AS (
    UPDATE bulk_change_lines AS l
    SET
        status = CASE WHEN h.fits THEN %(changed)s::text ELSE %(unchanged)s::text END,
        found_stock = CASE WHEN h.fits THEN NULL ELSE h.stock END,
        changed_at = now()
    FROM held AS h
    WHERE l.bulk_change_id = %(id)s AND l.position = h.position
)

SELECT count(*) AS lines, max(position) AS last FROM batch;

-- name: schedule_bulk_change
-- When a draft starts and ends, or one that has a time already.
UPDATE bulk_changes
SET status = 'scheduled', starts_at = %(starts_at)s, ends_at = %(ends_at)s::timestamptz
WHERE id = %(id)s;

-- name: list_due_bulk_changes
-- What the worker has to do now. What ends comes first: what starts then may be of the same prices.
SELECT
    id,
    CASE
        WHEN status = 'scheduled' AND ends_at <= now() THEN 'cancel'
        WHEN status = 'undoing' OR ends_at <= now() THEN 'undo'
        ELSE 'apply'
    END AS step
FROM bulk_changes
WHERE
    status IN ('scheduled', 'running', 'done', 'undoing')
    AND starts_at IS NOT NULL
    AND CASE status
        WHEN 'scheduled' THEN starts_at <= now()
        WHEN 'done' THEN ends_at <= now()
        ELSE TRUE
    END
ORDER BY (status IN ('scheduled', 'running') AND (ends_at <= now()) IS NOT TRUE), starts_at, id;

-- name: list_bulk_changes
-- Bulk changes with the numbers of their lines, newest first, after the one that is given; or one.
-- plan: custom
SELECT coalesce(json_agg(json_build_object(
    'id', c.id,
    'kind', c.kind,
    'description', c.description,
    'status', c.status,
    'rule', c.rule,
    'starts_at', c.starts_at,
    'ends_at', c.ends_at,
    'created_by', c.created_by,
    'created_at', c.created_at,
    'updated_at', c.updated_at,
    'lines', (
        SELECT json_build_object(
            'pending', count(*) FILTER (WHERE l.status = 'pending'),
            'applied', count(*) FILTER (WHERE l.status = 'applied'),
            'conflict', count(*) FILTER (WHERE l.status = 'conflict'),
            'undone', count(*) FILTER (WHERE l.status = 'undone'),
            'kept', count(*) FILTER (WHERE l.status = 'kept')
        )
        FROM bulk_change_lines AS l
        WHERE l.bulk_change_id = c.id
    )
) ORDER BY c.id DESC), '[]')
FROM (
    SELECT
        id, kind, description, status, rule, starts_at, ends_at, created_by, created_at, updated_at
    FROM bulk_changes
    WHERE
        (%(id)s::uuid IS NULL OR id = %(id)s::uuid)
        AND (%(before)s::uuid IS NULL OR id < %(before)s::uuid)
    ORDER BY id DESC
    LIMIT %(limit)s
) AS c;

-- name: list_bulk_lines
-- Lines of a bulk change in their order, of one status if that is given, after the one that is.
-- plan: custom
SELECT coalesce(json_agg(json_build_object(
    'position', l.position,
    'product_id', l.product_id,
    'variant_id', l.variant_id,
    'sku', coalesce(v.sku, p.sku),
    'name', p.name,
    'variant_name', v.name,
    'old_price', l.old_price,
    'new_price', l.new_price,
    'old_compare_at_price', l.old_compare_at_price,
    'new_compare_at_price', l.new_compare_at_price,
    'old_stock', l.old_stock,
    'new_stock', l.new_stock,
    'status', l.status,
    'found_price', l.found_price,
    'found_compare_at_price', l.found_compare_at_price,
    'found_stock', l.found_stock,
    'changed_at', l.changed_at
) ORDER BY l.position), '[]')
FROM (
    SELECT
        position, product_id, variant_id, old_price, new_price, old_compare_at_price,
        new_compare_at_price, old_stock, new_stock, status, found_price, found_compare_at_price,
        found_stock, changed_at
    FROM bulk_change_lines
    WHERE
        bulk_change_id = %(id)s
        AND (%(status)s::text IS NULL OR status = %(status)s::text)
        AND position > %(after)s
    ORDER BY position
    LIMIT %(limit)s
) AS l
JOIN products AS p ON p.id = l.product_id
LEFT JOIN product_variants AS v ON v.id = l.variant_id;

-- name: list_price_changes
-- The history of a product's prices and its variants', or of one variant's, newest first, after
-- the one that is given.
SELECT coalesce(json_agg(json_build_object(
    'id', c.id,
    'product_id', c.product_id,
    'variant_id', c.variant_id,
    'old_price', c.old_price,
    'new_price', c.new_price,
    'old_compare_at_price', c.old_compare_at_price,
    'new_compare_at_price', c.new_compare_at_price,
    'bulk_change_id', c.bulk_change_id,
    'changed_by', c.changed_by,
    'changed_at', c.changed_at
) ORDER BY c.changed_at DESC, c.id DESC), '[]')
FROM (
    SELECT
        id, product_id, variant_id, old_price, new_price, old_compare_at_price,
        new_compare_at_price, bulk_change_id, changed_by, changed_at
    FROM price_changes
    WHERE
        product_id = %(product_id)s
        AND (%(variant_id)s::uuid IS NULL OR variant_id = %(variant_id)s::uuid)
        AND (changed_at, id) < (
            coalesce(%(before)s::timestamptz, 'infinity'),
            coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY changed_at DESC, id DESC
    LIMIT %(limit)s
) AS c;
