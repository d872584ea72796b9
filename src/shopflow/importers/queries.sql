-- name: import_session
-- A large statement may run long, and its sorts are large; and why stock changes; for this
-- transaction only.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
       set_config('work_mem', '64MB', true), set_config('shopflow.stock_reason', 'import', true);

-- name: import_lock
-- One import of a shop at a time: the next one waits, and then sees what this one has written.
SELECT pg_advisory_xact_lock('products'::regclass::oid::int, 1);

-- name: import_lock_timeout
-- Rows that somebody else holds are waited for as long as everywhere.
SET LOCAL lock_timeout TO DEFAULT;

-- name: create_import_files
-- The columns that each file has.
CREATE TEMPORARY TABLE import_files (
    file integer NOT NULL,
    fields text[] NOT NULL
) ON COMMIT DROP;

-- name: create_import_rows
-- The rows of the files as they came, typed.
CREATE TEMPORARY TABLE import_rows (
    n bigint NOT NULL,
    file integer NOT NULL,
    line bigint NOT NULL,
    start bigint NOT NULL,
    stop bigint NOT NULL,
    handle text NOT NULL,
    title text,
    description text,
    brand text,
    brand_slug text,
    category text[],
    category_slugs text[],
    tags text[] NOT NULL,
    is_active boolean NOT NULL,
    option1_name text,
    option1_value text,
    option2_name text,
    option2_value text,
    option3_name text,
    option3_value text,
    sku text,
    price numeric(12, 2),
    compare_at_price numeric(12, 2),
    quantity integer,
    tracked boolean NOT NULL,
    is_gift_card boolean NOT NULL,
    image_url text,
    image_position integer,
    image_alt text,
    variant_image text,
    problems jsonb,
    key text GENERATED ALWAYS AS (lower(handle)) STORED
) ON COMMIT DROP;

-- name: create_import_problems
-- What cannot be imported, and why.
CREATE TEMPORARY TABLE import_problems (
    n bigint NOT NULL,
    field text NOT NULL,
    value text NOT NULL,
    reason text NOT NULL
) ON COMMIT DROP;

-- name: create_import_changes
-- What was changed, a row a change.
CREATE TEMPORARY TABLE import_changes (
    product_id uuid NOT NULL,
    kind text NOT NULL
) ON COMMIT DROP;

-- name: copy_rows
-- Takes the rows as they are read.
COPY pg_temp.import_rows (
    n, file, line, start, stop, handle, title, description, brand, brand_slug, category,
    category_slugs, tags, is_active, option1_name, option1_value, option2_name, option2_value,
    option3_name, option3_value, sku, price, compare_at_price, quantity, tracked, is_gift_card,
    image_url, image_position, image_alt, variant_image, problems
) FROM STDIN;

-- name: add_file
-- Notes the columns that a file has.
INSERT INTO pg_temp.import_files (file, fields)
VALUES (%(file)s::integer, %(fields)s::text[]);

-- name: analyze_rows
-- The planner knows nothing about temporary tables otherwise.
ANALYZE pg_temp.import_rows;

-- name: lock_variants
-- In key order, and variants before products, as everybody locks them. Everything that is compared
-- is read after the locks: what others change until then is seen, what they change later waits.
SELECT count(*)
FROM (
    SELECT v.id
    FROM product_variants AS v JOIN products AS p ON p.id = v.product_id
    WHERE p.deleted_at IS NULL AND lower(p.slug) IN (SELECT key FROM pg_temp.import_rows)
    ORDER BY v.id
    FOR NO KEY UPDATE OF v
) AS locked;

-- name: stage_products
-- One row a handle: its first row, and the product that it is or will be; locked in key order if
-- the shop has it, whether it changes or not, for the triggers of its variants lock it, too.
CREATE TEMPORARY TABLE import_products ON COMMIT DROP AS
WITH shop AS MATERIALIZED (
    SELECT p.id, lower(p.slug) AS key, p.has_variants
    FROM products AS p
    WHERE p.deleted_at IS NULL AND lower(p.slug) IN (SELECT key FROM pg_temp.import_rows)
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
)

SELECT r.key, r.n, f.fields, r.option1_name, r.option2_name, r.option3_name,
       coalesce(shop.id, uuidv7()) AS id, shop.id IS NULL AS is_new,
       coalesce(shop.has_variants, false) AS had_variants
FROM (SELECT min(n) AS n FROM pg_temp.import_rows GROUP BY key) AS first
JOIN pg_temp.import_rows AS r USING (n)
JOIN pg_temp.import_files AS f USING (file)
LEFT JOIN shop ON shop.key = r.key
ORDER BY r.n;

-- name: analyze_products
-- For the joins to come.
ANALYZE pg_temp.import_products;

-- name: stage_variants
-- One row for each row that is a variant, or the only form of a product (is_default); is_stored:
-- it has a row in product_variants. A product that once had variants keeps having them, for
-- orders refer to them: its only form is then a variant without options.
CREATE TEMPORARY TABLE import_variants ON COMMIT DROP AS
SELECT w.n, w.key, w.product_id, w.is_default, w.is_stored, w.sort_order, w.option_values,
       CASE WHEN w.is_default THEN 'Default Title' ELSE array_to_string(w.options, ' / ') END AS name,
       w.options, w.given_sku, w.price, w.tracked,
       CASE
           WHEN w.fields @> '{compare_at_price}' THEN w.compare_at_price
           WHEN v.compare_at_price > w.price THEN v.compare_at_price
       END AS compare_at_price,
       w.quantity,
       w.variant_image,
       coalesce(v.id, uuidv7()) AS id, v.id IS NULL AS is_new, v.sku AS kept_sku,
       v.id IS NOT NULL AND (
           v.name, v.price, v.compare_at_price, v.stock_quantity, v.sort_order, v.is_active
       ) IS DISTINCT FROM (
           CASE WHEN w.is_default THEN 'Default Title' ELSE array_to_string(w.options, ' / ') END,
           w.price,
           CASE
               WHEN w.fields @> '{compare_at_price}' THEN w.compare_at_price
               WHEN v.compare_at_price > w.price THEN v.compare_at_price
           END,
           coalesce(w.quantity, v.stock_quantity), w.sort_order, true
       ) AS differs
FROM (
    SELECT t.*,
           CASE WHEN t.is_default THEN '{}'::jsonb ELSE t.named_options END AS option_values,
           NOT t.is_default OR t.had_variants AS is_stored
    FROM (
        SELECT r.n, r.key, p.id AS product_id, p.fields, p.had_variants, r.sku AS given_sku,
               r.price, r.compare_at_price, r.quantity, r.tracked, r.variant_image,
               ARRAY[r.option1_value, r.option2_value, r.option3_value] AS options,
               jsonb_strip_nulls(jsonb_build_object(
                   coalesce(p.option1_name, '1'), r.option1_value,
                   coalesce(p.option2_name, '2'), r.option2_value,
                   coalesce(p.option3_name, '3'), r.option3_value
               )) AS named_options,
               (row_number() OVER by_product)::integer AS sort_order,
               count(*) OVER (PARTITION BY p.id) = 1
               AND coalesce(p.option1_name, 'Title') = 'Title'
               AND coalesce(r.option1_value, 'Default Title') = 'Default Title'
               AND num_nonnulls(
                   p.option2_name, p.option3_name, r.option2_value, r.option3_value
               ) = 0 AS is_default
        FROM pg_temp.import_rows AS r
        JOIN pg_temp.import_products AS p USING (key)
        WHERE r.n = p.n
            OR num_nonnulls(r.option1_value, r.option2_value, r.option3_value) > 0
        WINDOW by_product AS (PARTITION BY p.id ORDER BY r.n)
    ) AS t
) AS w
LEFT JOIN LATERAL (
    SELECT v.id, v.sku, v.name, v.price, v.compare_at_price, v.stock_quantity, v.sort_order,
           v.is_active
    FROM product_variants AS v
    WHERE w.is_stored AND v.product_id = w.product_id AND v.option_values = w.option_values
    ORDER BY v.is_active DESC, v.id DESC
    LIMIT 1
) AS v ON true
ORDER BY w.n;

-- name: analyze_variants
-- For the joins to come.
ANALYZE pg_temp.import_variants;

-- name: find_bad_values
-- What was wrong with a row by itself.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT r.n, p.field, p.value, p.reason
FROM pg_temp.import_rows AS r
CROSS JOIN LATERAL jsonb_to_recordset(r.problems) AS p (field text, value text, reason text)
WHERE r.problems IS NOT NULL;

-- name: find_missing_values
-- A product without title, a variant without price.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT m.n, m.field, '', m.reason
FROM (
    SELECT r.n, 'title' AS field, 'the first row of a handle must have it' AS reason
    FROM pg_temp.import_products AS p JOIN pg_temp.import_rows AS r USING (n)
    WHERE r.title IS NULL AND p.key <> ''
    UNION ALL
    SELECT r.n, 'price', 'the row of a product or variant must have it'
    FROM pg_temp.import_variants AS v JOIN pg_temp.import_rows AS r USING (n)
    WHERE r.price IS NULL AND v.key <> ''
) AS m
WHERE NOT EXISTS (
    SELECT FROM pg_temp.import_problems AS p WHERE p.n = m.n AND p.field = m.field
);

-- name: find_variants_without_options
-- A further row of a handle that is more than an image, and has no options.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT r.n, 'option1_value', '', 'a further row of a handle with a price or SKU needs an option'
FROM pg_temp.import_rows AS r
WHERE num_nonnulls(r.price, r.sku) > 0 AND r.key <> ''
    AND NOT EXISTS (SELECT FROM pg_temp.import_variants AS v WHERE v.n = r.n);

-- name: find_uneven_options
-- Names and values of options that do not go together, in a row or within a handle.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT v.n, bad.field, coalesce(bad.value, ''), bad.reason
FROM pg_temp.import_variants AS v
JOIN pg_temp.import_products AS p USING (key)
JOIN pg_temp.import_rows AS r ON r.n = v.n
CROSS JOIN LATERAL (VALUES
    ('option1', p.option1_name, r.option1_name, r.option1_value),
    ('option2', p.option2_name, r.option2_name, r.option2_value),
    ('option3', p.option3_name, r.option3_name, r.option3_value)
) AS o (place, name, again, value)
CROSS JOIN LATERAL (VALUES
    (
        o.name IS NOT NULL AND o.value IS NULL, o.place || '_value', o.value,
        'this product has the option ' || o.name || ', and the row no value for it'
    ),
    (
        o.name IS NULL AND o.value IS NOT NULL, o.place || '_name', o.again,
        'the first row of the handle must have a name for the value ' || o.value
    ),
    (
        o.again <> o.name, o.place || '_name', o.again,
        'the first row of the handle calls this option ' || o.name
    ),
    (
        r.n = p.n AND (
            o.place = 'option2' AND o.name = p.option1_name
            OR o.place = 'option3' AND o.name IN (p.option1_name, p.option2_name)
        ),
        o.place || '_name', o.name, 'two options have this name'
    ),
    (
        o.place = 'option1' AND num_nonnulls(
            p.option1_name, p.option2_name, p.option3_name,
            r.option1_value, r.option2_value, r.option3_value
        ) = 0,
        'option1_value', NULL, 'a product of several variants needs an option for each'
    )
) AS bad (is_so, field, value, reason)
WHERE NOT v.is_default AND bad.is_so
    -- What nearly every row is; it spares the comparisons above.
    AND NOT (
        r.n <> p.n
        AND num_nonnulls(r.option1_name, r.option2_name, r.option3_name) = 0
        AND (p.option1_name IS NULL) = (r.option1_value IS NULL)
        AND (p.option2_name IS NULL) = (r.option2_value IS NULL)
        AND (p.option3_name IS NULL) = (r.option3_value IS NULL)
    );

-- name: find_repeated_options
-- Two rows of a handle that are the same variant.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT v.n, 'option1_value', v.name, 'the same options as in line ' || r.line
FROM (
    SELECT n, name, is_default,
           first_value(n) OVER (PARTITION BY product_id, option_values ORDER BY n) AS first_n
    FROM pg_temp.import_variants
    WHERE key <> ''
) AS v
JOIN pg_temp.import_rows AS r ON r.n = v.first_n
WHERE v.first_n <> v.n AND NOT v.is_default
    AND NOT EXISTS (SELECT FROM pg_temp.import_problems AS p WHERE p.n = v.n);

-- name: find_hidden_variants
-- A product with variants in a file that cannot name them: all of them would go.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT p.n, 'handle', r.handle, 'has variants in the shop, and the file has no option columns'
FROM pg_temp.import_products AS p
JOIN pg_temp.import_rows AS r USING (n)
WHERE NOT p.fields @> '{option1_value}' AND p.had_variants AND EXISTS (
    SELECT FROM product_variants AS v
    WHERE v.product_id = p.id AND v.is_active AND v.option_values <> '{}'
);

-- name: stage_skus
-- The SKU of each product and stored variant: as given, or as it was, or made from the handle.
CREATE TEMPORARY TABLE import_skus ON COMMIT DROP AS
SELECT s.kind, s.id, s.key, s.n, s.given, s.kept, coalesce(
    s.given, s.kept,
    CASE
        WHEN length(s.made) > 100
            OR count(*) OVER (
                PARTITION BY s.kind, lower(coalesce(s.given, s.kept, s.made))
            ) > 1
            OR EXISTS (
                SELECT FROM products AS p
                WHERE s.kind = 'product' AND lower(p.sku) = lower(s.made) AND p.deleted_at IS NULL
            )
            OR EXISTS (
                SELECT FROM product_variants AS v
                WHERE s.kind = 'variant' AND lower(v.sku) = lower(s.made) AND v.is_active
            )
        THEN left(s.made, 91) || '-' || upper(left(md5(s.seed), 8))
        ELSE s.made
    END
) AS sku
FROM (
    SELECT 'product' AS kind, p.id, p.key, p.n, p.key AS seed,
           CASE WHEN NOT v.is_stored THEN v.given_sku END AS given,
           shop.sku AS kept,
           upper(p.key) AS made
    FROM pg_temp.import_products AS p
    JOIN pg_temp.import_variants AS v USING (n)
    LEFT JOIN products AS shop ON shop.id = p.id
    UNION ALL
    SELECT 'variant', v.id, v.key, v.n, v.key || v.option_values::text, v.given_sku, v.kept_sku,
           upper(regexp_replace(
               v.key || '-' || CASE
                   WHEN v.is_default THEN 'default' ELSE array_to_string(v.options, '-')
               END,
               '\s+', '-', 'g'
           ))
    FROM pg_temp.import_variants AS v
    WHERE v.is_stored
) AS s;

-- name: analyze_skus
-- For the joins to come.
ANALYZE pg_temp.import_skus;

-- name: find_repeated_skus
-- A SKU that the files give to two products or to two variants: who has it keeps it.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT s.n, 'sku', s.given, 'is also the SKU of ' || r.handle || ' in line ' || r.line
FROM (
    SELECT n, given, first_value(n) OVER (
               PARTITION BY kind, lower(given)
               ORDER BY lower(kept) = lower(given) DESC NULLS LAST, n
           ) AS first_n
    FROM pg_temp.import_skus
    WHERE given IS NOT NULL
) AS s
JOIN pg_temp.import_rows AS r ON r.n = s.first_n
WHERE s.first_n <> s.n;

-- name: find_taken_skus
-- A SKU that the shop has for another product or variant, which does not give it up now.
INSERT INTO pg_temp.import_problems (n, field, value, reason)
SELECT s.n, 'sku', s.sku, 'is the SKU of ' || owner.slug || ' in the shop'
FROM pg_temp.import_skus AS s
JOIN (
    SELECT 'product' AS kind, p.id, p.id AS product_id, p.slug, lower(p.sku) AS sku
    FROM products AS p
    WHERE p.deleted_at IS NULL
    UNION ALL
    SELECT 'variant', v.id, v.product_id, p.slug, lower(v.sku)
    FROM product_variants AS v JOIN products AS p ON p.id = v.product_id
    WHERE v.is_active
) AS owner ON owner.kind = s.kind AND owner.sku = lower(s.sku) AND owner.id <> s.id
LEFT JOIN pg_temp.import_skus AS owners ON owners.kind = owner.kind AND owners.id = owner.id
LEFT JOIN pg_temp.import_products AS owners_product ON owners_product.id = owner.product_id
WHERE CASE
    WHEN owners.id IS NOT NULL THEN lower(owners.sku) = lower(s.sku)
    -- A variant that the files no longer have gives its SKU up.
    ELSE owner.kind = 'product' OR owners_product.id IS NULL
END
AND NOT EXISTS (SELECT FROM pg_temp.import_problems AS p WHERE p.n = s.n AND p.field = 'sku');

-- name: drop_bad_products
-- A bad row takes its whole handle with it: half of the variants is worse than no product.
DELETE FROM pg_temp.import_products
WHERE key IN (
    SELECT r.key FROM pg_temp.import_problems AS p JOIN pg_temp.import_rows AS r USING (n)
);

-- name: drop_bad_variants
-- Follows the products.
DELETE FROM pg_temp.import_variants AS v
WHERE NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.key = v.key);

-- name: drop_bad_skus
-- Follows the products.
DELETE FROM pg_temp.import_skus AS s
WHERE NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.key = s.key);

-- name: count_problems
-- How many rows are bad, and how many rows and products are refused with them.
SELECT count(*) AS problems, count(DISTINCT p.n) AS bad_rows,
       (SELECT count(*) FROM pg_temp.import_rows AS r WHERE r.key IN (
           SELECT b.key FROM pg_temp.import_problems AS q
           JOIN pg_temp.import_rows AS b USING (n)
       )) AS rejected_rows,
       count(DISTINCT r.key) AS rejected_products
FROM pg_temp.import_problems AS p JOIN pg_temp.import_rows AS r USING (n);

-- name: first_problems
-- The first of the problems, as they stand in the files.
SELECT r.file, r.line, p.field, p.value, p.reason
FROM pg_temp.import_problems AS p JOIN pg_temp.import_rows AS r USING (n)
ORDER BY p.n, p.field, p.reason
LIMIT %(most)s::bigint;

-- name: rejected_rows
-- Where the rows that were refused stand in a file, and why.
SELECT r.start, r.stop, own.problems,
       (
           SELECT min(b.line)
           FROM pg_temp.import_problems AS p JOIN pg_temp.import_rows AS b USING (n)
           WHERE b.key = r.key
       ) AS first_bad_line
FROM pg_temp.import_rows AS r
LEFT JOIN (
    SELECT n, array_agg(ARRAY[field, reason] ORDER BY field, reason) AS problems
    FROM pg_temp.import_problems GROUP BY n
) AS own USING (n)
WHERE r.file = %(file)s::integer
    AND NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.key = r.key)
ORDER BY r.n;

-- name: create_brands
-- Brands whose name the shop does not have. A slug that another name has gets a suffix.
INSERT INTO brands (name, slug)
SELECT w.name, CASE
    WHEN w.place > 1 OR EXISTS (SELECT FROM brands AS b WHERE lower(b.slug) = lower(w.slug))
    THEN left(w.slug, 246) || '-' || left(md5(lower(w.name)), 8)
    ELSE w.slug
END
FROM (
    SELECT first.name, first.slug,
           row_number() OVER (PARTITION BY lower(first.slug) ORDER BY first.n) AS place
    FROM (
        SELECT DISTINCT ON (lower(r.brand)) r.brand AS name, r.brand_slug AS slug, r.n
        FROM pg_temp.import_products AS p JOIN pg_temp.import_rows AS r USING (n)
        WHERE r.brand IS NOT NULL
        ORDER BY lower(r.brand), r.n
    ) AS first
    WHERE NOT EXISTS (SELECT FROM brands AS b WHERE lower(b.name) = lower(first.name))
) AS w;

-- name: stage_categories
-- Each category of the files with those above it; key: the names from the root down.
CREATE TEMPORARY TABLE import_categories ON COMMIT DROP AS
SELECT DISTINCT ON (c.key) c.key, c.parent, c.name, c.slug, c.n, NULL::uuid AS id, false AS is_new
FROM (
    SELECT lower(array_to_string(r.category[:depth], ' > ')) AS key,
           CASE WHEN depth > 1 THEN lower(array_to_string(r.category[:depth - 1], ' > ')) END
               AS parent,
           r.category[depth] AS name, r.category_slugs[depth] AS slug, r.n
    FROM pg_temp.import_products AS p
    JOIN pg_temp.import_rows AS r USING (n)
    CROSS JOIN LATERAL generate_subscripts(r.category, 1) AS depth
) AS c
ORDER BY c.key, c.n;

-- name: find_categories
-- Those that the shop has at the same place of its tree.
WITH RECURSIVE found (key, id) AS (
    SELECT i.key, c.id
    FROM pg_temp.import_categories AS i JOIN categories AS c ON lower(c.name) = lower(i.name)
    WHERE i.parent IS NULL AND c.parent_id IS NULL
    UNION ALL
    SELECT i.key, c.id
    FROM found AS f
    JOIN pg_temp.import_categories AS i ON i.parent = f.key
    JOIN categories AS c ON c.parent_id = f.id AND lower(c.name) = lower(i.name)
)
UPDATE pg_temp.import_categories AS i
SET id = f.id
FROM (SELECT DISTINCT ON (key) key, id FROM found ORDER BY key, id) AS f
WHERE f.key = i.key;

-- name: name_new_categories
-- The others get their keys here, so that one statement can insert a tree.
UPDATE pg_temp.import_categories SET id = uuidv7(), is_new = true WHERE id IS NULL;

-- name: create_categories
-- The new ones below those that they belong to. A slug that is taken gets a suffix.
INSERT INTO categories (id, parent_id, name, slug)
SELECT w.id, w.parent_id, w.name, CASE
    WHEN w.place > 1 OR EXISTS (SELECT FROM categories AS c WHERE lower(c.slug) = lower(w.slug))
    THEN left(w.slug, 246) || '-' || left(md5(w.key), 8)
    ELSE w.slug
END
FROM (
    SELECT i.id, above.id AS parent_id, i.name, i.slug, i.key,
           row_number() OVER (PARTITION BY lower(i.slug) ORDER BY i.n, i.key) AS place
    FROM pg_temp.import_categories AS i
    LEFT JOIN pg_temp.import_categories AS above ON above.key = i.parent
    WHERE i.is_new
) AS w;

-- name: stage_catalogue
-- The products as they shall be. What the file has no column for stays as it is; stock is NULL
-- where it stays, too, or is left to the trigger that sums up the variants.
CREATE TEMPORARY TABLE import_catalogue ON COMMIT DROP AS
SELECT w.id, w.is_new, w.slug, w.sku, w.name, w.description, w.brand_id, w.category_id, w.tags,
       w.is_active, w.price, w.compare_at_price, w.stock, w.track_inventory, w.has_variants,
       NOT w.is_new AND (
           shop.slug, shop.sku, shop.name, shop.description, shop.brand_id, shop.category_id,
           shop.tags, shop.is_active, shop.price, shop.compare_at_price, shop.stock_quantity,
           shop.track_inventory
       ) IS DISTINCT FROM (
           w.slug, w.sku, w.name, w.description, w.brand_id, w.category_id,
           w.tags, w.is_active, w.price, w.compare_at_price,
           coalesce(w.stock, shop.stock_quantity), w.track_inventory
       ) AS differs
FROM (
    SELECT p.id, p.is_new, r.handle AS slug, s.sku, r.title AS name, best.price,
           CASE WHEN p.is_new OR p.fields @> '{description}'
               THEN r.description ELSE shop.description END AS description,
           CASE WHEN p.is_new OR p.fields @> '{vendor}'
               THEN b.id ELSE shop.brand_id END AS brand_id,
           CASE WHEN p.is_new OR p.fields && '{type,category}'
               THEN c.id ELSE shop.category_id END AS category_id,
           CASE WHEN p.is_new OR p.fields @> '{tags}' THEN r.tags ELSE shop.tags END AS tags,
           CASE WHEN p.is_new OR p.fields && '{published,status}'
               THEN r.is_active ELSE shop.is_active END AS is_active,
           CASE WHEN best.is_stored OR p.fields @> '{compare_at_price}'
               THEN best.compare_at_price
               WHEN shop.compare_at_price > best.price THEN shop.compare_at_price
           END AS compare_at_price,
           CASE WHEN NOT best.is_stored THEN best.quantity WHEN p.is_new THEN best.sum END AS stock,
           best.is_stored AS has_variants,
           CASE WHEN p.is_new OR p.fields && '{tracker,gift_card}'
               THEN best.all_tracked AND NOT r.is_gift_card ELSE shop.track_inventory
           END AS track_inventory
    FROM pg_temp.import_products AS p
    JOIN pg_temp.import_rows AS r USING (n)
    JOIN pg_temp.import_skus AS s ON s.kind = 'product' AND s.id = p.id
    JOIN (
        SELECT DISTINCT ON (v.product_id) v.product_id, v.price, v.compare_at_price, v.quantity,
               v.is_stored, bool_and(v.tracked) OVER of_product AS all_tracked,
               sum(coalesce(v.quantity, 0)) OVER of_product AS sum
        FROM pg_temp.import_variants AS v
        WINDOW of_product AS (PARTITION BY v.product_id)
        ORDER BY v.product_id, v.price, v.sort_order
    ) AS best ON best.product_id = p.id
    LEFT JOIN products AS shop ON shop.id = p.id
    LEFT JOIN (
        SELECT DISTINCT ON (lower(name)) lower(name) AS name, id
        FROM brands ORDER BY lower(name), id
    ) AS b ON b.name = lower(r.brand)
    LEFT JOIN pg_temp.import_categories AS c
        ON c.key = lower(array_to_string(r.category, ' > '))
) AS w
LEFT JOIN products AS shop ON shop.id = w.id
ORDER BY w.id;

-- name: stage_images
-- The images as they shall be: each address once a product, in the order of their positions;
-- those that only a variant has come last. An image of several variants goes to the first.
CREATE TEMPORARY TABLE import_images ON COMMIT DROP AS
SELECT w.product_id, w.url, w.alt_text, w.sort_order, w.sort_order = 1 AS is_primary,
       w.variant_id, i.id, i.id IS NOT NULL AND (
           i.alt_text, i.sort_order, i.is_primary, i.variant_id
       ) IS DISTINCT FROM (
           w.alt_text, w.sort_order, w.sort_order = 1, w.variant_id
       ) AS differs
FROM (
    SELECT u.product_id, u.url, u.alt_text, v.id AS variant_id,
           (row_number() OVER (
               PARTITION BY u.product_id ORDER BY u.of_variant, u.position NULLS LAST, u.n
           ))::integer AS sort_order
    FROM (
        SELECT DISTINCT ON (a.product_id, a.url)
               a.product_id, a.url, a.alt_text, a.of_variant, a.position, a.n
        FROM (
            SELECT p.id AS product_id, r.image_url AS url, r.image_alt AS alt_text,
                   false AS of_variant, r.image_position AS position, r.n
            FROM pg_temp.import_rows AS r JOIN pg_temp.import_products AS p USING (key)
            WHERE r.image_url IS NOT NULL AND p.fields @> '{image_url}'
            UNION ALL
            SELECT v.product_id, v.variant_image, NULL, true, NULL, v.n
            FROM pg_temp.import_variants AS v JOIN pg_temp.import_products AS p USING (key)
            WHERE v.variant_image IS NOT NULL AND p.fields @> '{image_url}'
        ) AS a
        ORDER BY a.product_id, a.url, a.of_variant, a.position NULLS LAST, a.n
    ) AS u
    LEFT JOIN (
        SELECT DISTINCT ON (product_id, variant_image) product_id, variant_image, id
        FROM pg_temp.import_variants
        WHERE is_stored AND variant_image IS NOT NULL
        ORDER BY product_id, variant_image, sort_order
    ) AS v ON v.product_id = u.product_id AND v.variant_image = u.url
) AS w
LEFT JOIN (
    SELECT DISTINCT ON (i.product_id, i.url)
           i.product_id, i.url, i.id, i.alt_text, i.sort_order, i.is_primary, i.variant_id
    FROM product_images AS i JOIN pg_temp.import_products AS p ON p.id = i.product_id
    WHERE NOT p.is_new
    ORDER BY i.product_id, i.url, i.id
) AS i ON i.product_id = w.product_id AND i.url = w.url;

-- name: analyze_catalogue
-- For the joins to come.
ANALYZE pg_temp.import_catalogue, pg_temp.import_images;

-- name: release_skus
-- SKUs that the files give to another product are free before they are given.
UPDATE products AS p
SET sku = p.id::text
FROM pg_temp.import_catalogue AS w
WHERE w.id = p.id AND w.differs AND lower(w.sku) <> lower(p.sku)
    AND EXISTS (
        SELECT FROM pg_temp.import_catalogue AS taker
        WHERE lower(taker.sku) = lower(p.sku) AND taker.id <> p.id
    );

-- name: update_products
-- Those that differ.
WITH changed AS (
    UPDATE products AS p
    SET slug = w.slug, sku = w.sku, name = w.name, description = w.description,
        brand_id = w.brand_id, category_id = w.category_id, tags = w.tags,
        is_active = w.is_active, price = w.price, compare_at_price = w.compare_at_price,
        stock_quantity = coalesce(w.stock, p.stock_quantity), track_inventory = w.track_inventory
    FROM pg_temp.import_catalogue AS w
    WHERE w.id = p.id AND w.differs
    RETURNING p.id
)
INSERT INTO pg_temp.import_changes (product_id, kind) SELECT id, 'product_updated' FROM changed;

-- name: release_variants
-- Variants that the files no longer have are no longer sold; and one that gets another SKU steps
-- aside for a moment, so that two can exchange theirs.
WITH released AS (
    UPDATE product_variants AS v
    SET is_active = false
    FROM (
        SELECT v.id, i.id IS NULL AS is_gone
        FROM product_variants AS v
        JOIN pg_temp.import_products AS p ON p.id = v.product_id
        LEFT JOIN pg_temp.import_variants AS i ON i.id = v.id
        LEFT JOIN pg_temp.import_skus AS s ON s.kind = 'variant' AND s.id = v.id
        WHERE NOT p.is_new AND v.is_active AND (i.id IS NULL OR s.sku <> v.sku)
    ) AS r
    WHERE r.id = v.id
    RETURNING v.product_id, r.is_gone
)
INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT product_id, 'variant_deactivated' FROM released WHERE is_gone;

-- name: update_variants
-- Those that differ.
WITH changed AS (
    UPDATE product_variants AS v
    SET name = i.name, sku = s.sku, price = i.price, compare_at_price = i.compare_at_price,
        stock_quantity = coalesce(i.quantity, v.stock_quantity), sort_order = i.sort_order,
        is_active = true
    FROM pg_temp.import_variants AS i
    JOIN pg_temp.import_skus AS s ON s.kind = 'variant' AND s.id = i.id
    WHERE i.id = v.id AND i.is_stored AND NOT i.is_new AND (i.differs OR s.sku <> v.sku)
    RETURNING v.product_id
)
INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT product_id, 'variant_updated' FROM changed;

-- name: create_products
-- Products and variants that the shop does not have, as one statement: the triggers look when it
-- is over and find every sum right. Products first would all be written twice.
WITH new_products AS (
    INSERT INTO products (
        id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
        stock_quantity, track_inventory, has_variants, tags, is_active
    )
    SELECT id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
           coalesce(stock, 0), track_inventory, has_variants, tags, is_active
    FROM pg_temp.import_catalogue
    WHERE is_new
    ORDER BY id
    RETURNING id
),

new_variants AS (
    INSERT INTO product_variants (
        id, product_id, name, sku, price, compare_at_price, stock_quantity, option_values,
        sort_order
    )
    SELECT i.id, i.product_id, i.name, s.sku, i.price, i.compare_at_price,
           coalesce(i.quantity, 0), i.option_values, i.sort_order
    FROM pg_temp.import_variants AS i
    JOIN pg_temp.import_skus AS s ON s.kind = 'variant' AND s.id = i.id
    WHERE i.is_stored AND i.is_new
    ORDER BY i.id
    RETURNING product_id
)

INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT id, 'product_created' FROM new_products
UNION ALL
SELECT product_id, 'variant_created' FROM new_variants;

-- name: delete_images
-- Images that the files no longer have, of products whose files have images at all.
WITH deleted AS (
    DELETE FROM product_images AS i
    USING pg_temp.import_products AS p
    WHERE p.id = i.product_id AND NOT p.is_new AND p.fields @> '{image_url}'
        AND NOT EXISTS (SELECT FROM pg_temp.import_images AS w WHERE w.id = i.id)
    RETURNING i.product_id
)
INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT product_id, 'image_deleted' FROM deleted;

-- name: release_primary_images
-- There is one primary image at any time, so the old one steps down first.
UPDATE product_images AS i
SET is_primary = false
FROM pg_temp.import_images AS w
WHERE w.id = i.id AND i.is_primary AND NOT w.is_primary;

-- name: update_images
-- Those that differ.
WITH changed AS (
    UPDATE product_images AS i
    SET alt_text = w.alt_text, sort_order = w.sort_order, is_primary = w.is_primary,
        variant_id = w.variant_id
    FROM pg_temp.import_images AS w
    WHERE w.id = i.id AND w.differs
    RETURNING i.product_id
)
INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT product_id, 'image_updated' FROM changed;

-- name: create_images
-- Those that the product does not have.
WITH created AS (
    INSERT INTO product_images (product_id, variant_id, url, alt_text, sort_order, is_primary)
    SELECT product_id, variant_id, url, alt_text, sort_order, is_primary
    FROM pg_temp.import_images
    WHERE id IS NULL
    ORDER BY product_id, sort_order
    RETURNING product_id
)
INSERT INTO pg_temp.import_changes (product_id, kind)
SELECT product_id, 'image_created' FROM created;

-- name: count_changes
-- What was done; a product is updated when it, a variant or an image of it changed.
SELECT c.products_created, c.products_updated,
       (SELECT count(*) FROM pg_temp.import_products) - c.products_created - c.products_updated
           AS products_unchanged,
       c.variants_created, c.variants_updated, c.variants_deactivated,
       c.images_created, c.images_updated, c.images_deleted,
       %(brands)s::bigint AS brands_created, %(categories)s::bigint AS categories_created
FROM (
    SELECT count(*) FILTER (WHERE c.kind = 'product_created') AS products_created,
           count(DISTINCT c.product_id) FILTER (WHERE NOT p.is_new) AS products_updated,
           count(*) FILTER (WHERE c.kind = 'variant_created') AS variants_created,
           count(*) FILTER (WHERE c.kind = 'variant_updated') AS variants_updated,
           count(*) FILTER (WHERE c.kind = 'variant_deactivated') AS variants_deactivated,
           count(*) FILTER (WHERE c.kind = 'image_created') AS images_created,
           count(*) FILTER (WHERE c.kind = 'image_updated') AS images_updated,
           count(*) FILTER (WHERE c.kind = 'image_deleted') AS images_deleted
    FROM pg_temp.import_changes AS c JOIN pg_temp.import_products AS p ON p.id = c.product_id
) AS c;

-- name: count_mixed_tracking
-- Products of which some variants are tracked and some are not, and the first of them.
SELECT count(*) AS count, min(m.n) AS n
FROM (
    SELECT min(n) AS n FROM pg_temp.import_variants
    GROUP BY product_id HAVING bool_or(tracked) AND NOT bool_and(tracked)
) AS m;

-- name: count_shared_images
-- Images that several variants show, and the first of them.
SELECT count(*) AS count, min(m.n) AS n
FROM (
    SELECT min(n) AS n FROM pg_temp.import_variants
    WHERE variant_image IS NOT NULL AND is_stored
    GROUP BY product_id, variant_image HAVING count(*) > 1
) AS m;

-- name: place_of_row
-- Where a row stands.
SELECT file, line FROM pg_temp.import_rows WHERE n = %(n)s::bigint;

-- name: analyze_shop
-- After many changes, so that the planner need not wait for autovacuum.
ANALYZE products, product_variants, product_images, brands, categories;
