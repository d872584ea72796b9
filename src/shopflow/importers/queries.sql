-- name: import_session
-- A large statement may run long, and its sorts are large; a small sample says enough about a
-- staging table; and why stock changes; for this transaction only.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
       set_config('work_mem', '64MB', true), set_config('default_statistics_target', '10', true),
       set_config('shopflow.stock_reason', 'import', true);

-- name: import_lock
-- One import of a shop at a time: the next one waits, and then sees what this one has written.
SELECT pg_advisory_xact_lock('products'::regclass::oid::int, 1);

-- name: import_lock_timeout
-- Rows that somebody else holds are waited for as long as everywhere.
SET LOCAL lock_timeout TO DEFAULT;

-- name: create_import_fields
-- What products are said to have, each set once.
CREATE TEMPORARY TABLE import_fields (
    id integer NOT NULL,
    fields text[] NOT NULL
) ON COMMIT DROP;

-- name: create_import_parts
-- The products of the files, or parts of them, as they came; n goes up through the files.
CREATE TEMPORARY TABLE import_parts (
    n bigint NOT NULL,
    file integer NOT NULL,
    line bigint NOT NULL,
    start bigint NOT NULL,
    stop bigint NOT NULL,
    rows integer NOT NULL,
    fields integer NOT NULL,
    handle text NOT NULL,
    title text,
    description text,
    brand text,
    brand_slug text,
    category text[],
    category_slugs text[],
    tags text[],
    attributes jsonb,
    is_active boolean NOT NULL,
    is_featured boolean NOT NULL,
    is_tracked boolean NOT NULL,
    is_whole boolean NOT NULL,
    sku text,
    price numeric(12, 2),
    compare_at_price numeric(12, 2),
    option_names text[],
    refs text[],
    parent text,
    key text GENERATED ALWAYS AS (lower(handle)) STORED
) ON COMMIT DROP;

-- name: create_import_forms
-- The variants of the parts, or the only form of a product.
CREATE TEMPORARY TABLE import_forms (
    n bigint NOT NULL,
    part bigint NOT NULL,
    line bigint NOT NULL,
    option_names text[],
    options text[],
    option_values jsonb,
    name text,
    sku text,
    price numeric(12, 2),
    compare_at_price numeric(12, 2),
    quantity integer,
    tracked boolean NOT NULL,
    is_active boolean NOT NULL,
    sort_order integer
) ON COMMIT DROP;

-- name: create_import_pictures
-- The images of the parts.
CREATE TEMPORARY TABLE import_pictures (
    n bigint NOT NULL,
    part bigint NOT NULL,
    url text NOT NULL,
    occurrence integer NOT NULL,
    alt_text text,
    position integer,
    of_variant boolean NOT NULL,
    variant bigint,
    is_primary boolean
) ON COMMIT DROP;

-- name: create_import_problems
-- What cannot be imported, and why.
CREATE TEMPORARY TABLE import_problems (
    n bigint NOT NULL,
    part bigint NOT NULL,
    line bigint NOT NULL,
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

-- name: copy_parts
-- Takes products as they are read.
COPY pg_temp.import_parts (
    n, file, line, start, stop, rows, fields, handle, title, description, brand, brand_slug,
    category, category_slugs, tags, attributes, is_active, is_featured, is_tracked, is_whole, sku,
    price, compare_at_price, option_names, refs, parent
) FROM STDIN;

-- name: copy_forms
-- Takes their variants.
COPY pg_temp.import_forms (
    n, part, line, option_names, options, option_values, name, sku, price, compare_at_price,
    quantity, tracked, is_active, sort_order
) FROM STDIN;

-- name: copy_pictures
-- Takes their images.
COPY pg_temp.import_pictures (
    n, part, url, occurrence, alt_text, position, of_variant, variant, is_primary
) FROM STDIN;

-- name: copy_problems
-- Takes what was wrong with them.
COPY pg_temp.import_problems (n, part, line, field, value, reason) FROM STDIN;

-- name: add_import_fields
-- Notes a set of fields.
INSERT INTO pg_temp.import_fields (id, fields) VALUES (%(id)s::integer, %(fields)s::text[]);

-- name: analyze_parts
-- The planner knows nothing about temporary tables otherwise.
ANALYZE
    pg_temp.import_parts (n, fields, key, brand, option_names),
    pg_temp.import_forms (n, part, sku), pg_temp.import_pictures (part, url);

-- name: name_parts_by_sku
-- Products of a format without handles: the shop's slug of the product with the SKU; otherwise what
-- was made of its name, with a suffix where the shop has that, or the files or the shop have it
-- without for another.
UPDATE pg_temp.import_parts AS i
SET handle = CASE
    WHEN w.slug IS NOT NULL THEN w.slug
    WHEN w.place > 1 OR EXISTS (
        SELECT FROM products AS s
        WHERE s.deleted_at IS NULL AND (
            lower(s.slug) = lower(w.suffixed) OR w.sku IS NOT NULL AND lower(s.slug) = w.key
        )
    ) THEN w.suffixed
    ELSE w.handle
END
FROM (
    SELECT p.n, p.key, p.handle, p.sku, shop.slug,
           left(p.handle, 246) || '-'
           || left(md5(coalesce(lower(p.sku), p.refs[1], '')), 8) AS suffixed,
           row_number() OVER (PARTITION BY shop.slug IS NULL, p.key ORDER BY p.n) AS place
    FROM pg_temp.import_parts AS p
    LEFT JOIN products AS shop ON shop.deleted_at IS NULL AND lower(shop.sku) = lower(p.sku)
    WHERE p.parent IS NULL
) AS w
WHERE w.n = i.n;

-- name: link_parts_by_parent
-- Parts that call their product by a number or SKU get its handle.
UPDATE pg_temp.import_parts AS i
SET handle = whole.handle
FROM (
    SELECT DISTINCT ON (ref) ref, p.handle
    FROM pg_temp.import_parts AS p CROSS JOIN LATERAL unnest(p.refs) AS ref
    ORDER BY ref, p.n
) AS whole
WHERE whole.ref = i.parent;

-- name: find_missing_parents
-- Parts whose product no file has.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT i.n, i.n, i.line, 'parent', regexp_replace(i.parent, '^sku:', ''), CASE i.parent
    WHEN '' THEN 'a variation must name its product'
    ELSE 'no product of the files has this SKU or ID'
END
FROM pg_temp.import_parts AS i
WHERE i.parent IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_temp.import_parts AS p CROSS JOIN LATERAL unnest(p.refs) AS ref
    WHERE ref = i.parent
);

-- name: lock_variants
-- In key order, and variants before products, as everybody locks them. Everything that is compared
-- is read after the locks: what others change until then is seen, what they change later waits.
SELECT count(*)
FROM (
    SELECT v.id
    FROM product_variants AS v JOIN products AS p ON p.id = v.product_id
    WHERE p.deleted_at IS NULL AND lower(p.slug) IN (SELECT key FROM pg_temp.import_parts)
    ORDER BY v.id
    FOR NO KEY UPDATE OF v
) AS locked;

-- name: stage_products
-- One row a handle: its first part, and the product that it is or will be; locked in key order if
-- the shop has it, whether it changes or not, for the triggers of its variants lock it, too.
CREATE TEMPORARY TABLE import_products ON COMMIT DROP AS
WITH shop AS MATERIALIZED (
    SELECT p.id, lower(p.slug) AS key, p.has_variants
    FROM products AS p
    WHERE p.deleted_at IS NULL AND lower(p.slug) IN (SELECT key FROM pg_temp.import_parts)
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
)

SELECT i.key, i.n, f.fields, i.option_names, i.sku, i.price, i.compare_at_price,
       coalesce(shop.id, uuidv7()) AS id, shop.id IS NULL AS is_new,
       coalesce(shop.has_variants, false) AS had_variants
FROM (
    SELECT DISTINCT ON (key) key, n, fields, option_names, sku, price, compare_at_price
    FROM pg_temp.import_parts
    ORDER BY key, parent IS NOT NULL, n
) AS i
JOIN pg_temp.import_fields AS f ON f.id = i.fields
LEFT JOIN shop ON shop.key = i.key
ORDER BY i.n;

-- name: analyze_products
-- For the joins to come.
ANALYZE pg_temp.import_products (key, n, id, is_new, had_variants);

-- name: stage_variants
-- One row for each that is a variant, or the only form of a product (is_default); is_stored: it
-- has a row in product_variants. A product that once had variants keeps having them, for orders
-- refer to them: its only form is then a variant without options.
CREATE TEMPORARY TABLE import_variants ON COMMIT DROP AS
SELECT w.n, w.part, w.line, w.product_id, w.is_default, w.is_stored, w.sort_order, w.is_active,
       w.option_values, w.name, w.options, w.given_sku, w.price, w.tracked,
       CASE
           WHEN w.fields @> '{variant_compare_at_price}' THEN w.compare_at_price
           WHEN v.compare_at_price > w.price THEN v.compare_at_price
       END AS compare_at_price,
       w.quantity,
       coalesce(v.id, uuidv7()) AS id, v.id IS NULL AS is_new, v.sku AS kept_sku,
       v.id IS NOT NULL AND (
           v.name, v.price, v.compare_at_price, v.stock_quantity, v.sort_order, v.is_active
       ) IS DISTINCT FROM (
           w.name, w.price,
           CASE
               WHEN w.fields @> '{variant_compare_at_price}' THEN w.compare_at_price
               WHEN v.compare_at_price > w.price THEN v.compare_at_price
           END,
           coalesce(w.quantity, v.stock_quantity), w.sort_order, w.is_active
       ) AS differs
FROM (
    SELECT t.n, t.part, t.line, t.product_id, t.of_new, t.fields, t.is_default, t.options, t.given_sku,
           t.price, t.compare_at_price, t.quantity, t.tracked, t.is_active, t.sort_order,
           CASE WHEN t.is_default THEN 'Default Title'
               ELSE coalesce(t.name, array_to_string(t.options, ' / '), '') END AS name,
           CASE WHEN t.is_default THEN '{}'::jsonb ELSE t.option_values END AS option_values,
           NOT t.is_default OR t.had_variants AS is_stored
    FROM (
        SELECT r.n, r.part, r.line, p.id AS product_id, p.is_new AS of_new, p.fields, p.had_variants, r.name, r.options,
               r.sku AS given_sku, r.price, r.compare_at_price, r.quantity, r.tracked, r.is_active,
               coalesce(
                   r.sort_order, (row_number() OVER (PARTITION BY p.id ORDER BY r.n))::integer
               ) AS sort_order,
               CASE
                   WHEN r.option_values IS NOT NULL THEN r.option_values
                   WHEN r.options IS NULL THEN '{}'
                   WHEN cardinality(r.options) = cardinality(p.option_names)
                       AND array_position(p.option_names, NULL) IS NULL
                   THEN jsonb_strip_nulls(jsonb_object(p.option_names, r.options))
                   ELSE (
                       SELECT coalesce(jsonb_object_agg(coalesce(o.name, o.place::text), o.value), '{}')
                       FROM unnest(p.option_names, r.options) WITH ORDINALITY AS o (name, value, place)
                       WHERE o.value IS NOT NULL
                   )
               END AS option_values,
               r.option_values IS NULL
               AND count(*) OVER (PARTITION BY p.id) = 1
               AND coalesce(p.option_names, '{Title}') = '{Title}'
               AND coalesce(r.options, '{Default Title}') = '{Default Title}' AS is_default
        FROM pg_temp.import_forms AS r
        JOIN pg_temp.import_parts AS i ON i.n = r.part
        JOIN pg_temp.import_products AS p ON p.key = i.key
        WHERE r.n = p.n OR r.options IS NOT NULL OR r.option_values IS NOT NULL
    ) AS t
) AS w
LEFT JOIN LATERAL (
    SELECT v.id, v.sku, v.name, v.price, v.compare_at_price, v.stock_quantity, v.sort_order,
           v.is_active
    FROM product_variants AS v
    WHERE w.is_stored AND NOT w.of_new
        AND v.product_id = w.product_id AND v.option_values = w.option_values
    ORDER BY v.is_active DESC, v.id DESC
    LIMIT 1
) AS v ON true
ORDER BY w.n;

-- name: analyze_variants
-- For the joins to come.
ANALYZE pg_temp.import_variants (n, product_id, id, is_stored, is_new, given_sku);

-- name: find_missing_values
-- A product without title or any form, a variant without price.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT m.n, m.part, m.line, m.field, '', m.reason
FROM (
    SELECT i.n, i.n AS part, i.line, 'title' AS field, 'the first row of a handle must have it' AS reason
    FROM pg_temp.import_products AS p JOIN pg_temp.import_parts AS i USING (n)
    WHERE i.title IS NULL AND i.parent IS NULL AND p.key <> ''
    UNION ALL
    SELECT v.n, v.part, v.line, 'price', 'the row of a product or variant must have it'
    FROM pg_temp.import_variants AS v JOIN pg_temp.import_products AS p ON p.id = v.product_id
    WHERE v.price IS NULL AND p.key <> ''
    UNION ALL
    SELECT i.n, i.n, i.line, 'price', 'a product without a variant that has one must have it'
    FROM pg_temp.import_products AS p JOIN pg_temp.import_parts AS i USING (n)
    WHERE i.parent IS NULL AND p.key <> ''
        AND NOT EXISTS (SELECT FROM pg_temp.import_variants AS v WHERE v.product_id = p.id)
) AS m
WHERE NOT EXISTS (
    SELECT FROM pg_temp.import_problems AS p WHERE p.n = m.n AND p.field = m.field
);

-- name: find_repeated_products
-- A product that the files have twice, where they have all of it in one place.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT i.n, i.n, i.line, 'handle', CASE WHEN i.refs IS NULL THEN i.handle ELSE coalesce(i.sku, i.title) END,
       'is also in line ' || first.line
FROM pg_temp.import_parts AS i
JOIN pg_temp.import_products AS p USING (key)
JOIN pg_temp.import_parts AS first ON first.n = p.n
WHERE i.is_whole AND i.n <> p.n AND p.key <> '';

-- name: find_variants_without_options
-- A further row of a handle that is more than an image, and has no options.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT r.n, r.part, r.line, 'option1_value', '',
       'a further row of a handle with a price or SKU needs an option'
FROM pg_temp.import_forms AS r
JOIN pg_temp.import_parts AS i ON i.n = r.part
WHERE r.options IS NULL AND r.option_values IS NULL AND num_nonnulls(r.price, r.sku) > 0
    AND i.key <> ''
    AND NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.n = r.n)
    AND NOT EXISTS (SELECT FROM pg_temp.import_problems AS q WHERE q.n = r.n AND q.field = 'handle');

-- name: find_uneven_options
-- Names and values of options that do not go together, in a row or within a handle.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT r.n, r.part, r.line, bad.field, coalesce(bad.value, ''), bad.reason
FROM pg_temp.import_variants AS v
JOIN pg_temp.import_products AS p ON p.id = v.product_id
JOIN pg_temp.import_forms AS r ON r.n = v.n
CROSS JOIN LATERAL (
    SELECT 'option' || i AS place, p.option_names[i] AS name, r.option_names[i] AS again,
           r.options[i] AS value, p.option_names[:i - 1] AS before
    FROM generate_series(1, 3) AS i
) AS o
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
        r.n = p.n AND o.name = ANY (o.before), o.place || '_name', o.name,
        'two options have this name'
    ),
    (
        o.place = 'option1' AND num_nonnulls(p.option_names, r.options) = 0,
        'option1_value', NULL, 'a product of several variants needs an option for each'
    )
) AS bad (is_so, field, value, reason)
WHERE NOT v.is_default AND r.option_values IS NULL AND bad.is_so
    -- What nearly every row is; it spares the comparisons above.
    AND (
        CASE WHEN r.n = p.n THEN cardinality(p.option_names) = 1 ELSE r.option_names IS NULL END
        AND cardinality(p.option_names) = cardinality(r.options)
        AND array_position(p.option_names, NULL) IS NULL
        AND array_position(r.options, NULL) IS NULL
    ) IS NOT TRUE;

-- name: find_repeated_options
-- Two rows of a handle that are the same variant.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT v.n, v.part, v.line, 'option1_value', v.name, 'the same options as in line ' || v.first_line
FROM (
    SELECT v.n, v.part, v.line, v.name, v.is_default,
           first_value(v.n) OVER same AS first_n, first_value(v.line) OVER same AS first_line
    FROM pg_temp.import_variants AS v JOIN pg_temp.import_products AS p ON p.id = v.product_id
    WHERE p.key <> ''
    WINDOW same AS (PARTITION BY v.product_id, v.option_values ORDER BY v.n)
) AS v
WHERE v.first_n <> v.n AND NOT v.is_default
    AND NOT EXISTS (SELECT FROM pg_temp.import_problems AS p WHERE p.n = v.n);

-- name: find_hidden_variants
-- A product with variants in a file that cannot name them: all of them would go.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT p.n, p.n, i.line, 'handle', i.handle, 'has variants in the shop, and the file names none'
FROM pg_temp.import_products AS p
JOIN pg_temp.import_parts AS i USING (n)
WHERE NOT p.fields @> '{variants}' AND p.had_variants AND EXISTS (
    SELECT FROM product_variants AS v
    WHERE v.product_id = p.id AND v.is_active AND v.option_values <> '{}'
);

-- name: stage_skus
-- The SKU of each product and stored variant: as given, or as it was, or made from the handle.
CREATE TEMPORARY TABLE import_skus ON COMMIT DROP AS
WITH wanted AS MATERIALIZED (
    SELECT 'product' AS kind, p.id, p.id AS product_id, p.n, p.n AS part, i.line, p.key AS seed,
           coalesce(p.sku, CASE WHEN NOT v.is_stored THEN v.given_sku END) AS given,
           shop.sku AS kept,
           upper(p.key) AS made
    FROM pg_temp.import_products AS p
    JOIN pg_temp.import_parts AS i USING (n)
    LEFT JOIN pg_temp.import_variants AS v USING (n)
    LEFT JOIN products AS shop ON shop.id = p.id AND NOT p.is_new
    UNION ALL
    SELECT 'variant', v.id, v.product_id, v.n, v.part, v.line, p.key || v.option_values::text,
           v.given_sku, v.kept_sku,
           CASE WHEN v.given_sku IS NULL AND v.kept_sku IS NULL THEN upper(regexp_replace(
               p.key || '-' || CASE
                   WHEN v.is_default THEN 'default'
                   ELSE coalesce(array_to_string(v.options, '-'), v.name)
               END,
               '\s+', '-', 'g'
           )) END
    FROM pg_temp.import_variants AS v JOIN pg_temp.import_products AS p ON p.id = v.product_id
    WHERE v.is_stored
)

SELECT kind, id, product_id, n, part, line, given, kept, coalesce(given, kept) AS sku
FROM wanted
WHERE coalesce(given, kept) IS NOT NULL
UNION ALL
SELECT s.kind, s.id, s.product_id, s.n, s.part, s.line, s.given, s.kept, CASE
    WHEN length(s.made) > 100
        OR count(*) OVER (PARTITION BY s.kind, lower(s.made)) > 1
        OR (s.kind, lower(s.made)) IN (
            SELECT o.kind, lower(coalesce(o.given, o.kept)) FROM wanted AS o
            WHERE coalesce(o.given, o.kept) IS NOT NULL
        )
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
FROM wanted AS s
WHERE coalesce(s.given, s.kept) IS NULL;

-- name: analyze_skus
-- For the joins to come.
ANALYZE pg_temp.import_skus (kind, id, sku);

-- name: find_repeated_skus
-- A SKU that the files give to two products or to two variants: who has it keeps it.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT s.n, s.part, s.line, 'sku', s.given, 'is also the SKU of ' || i.handle || ' in line ' || s.first_line
FROM (
    SELECT n, part, line, given, first_value(n) OVER same AS first_n,
           first_value(part) OVER same AS first_part, first_value(line) OVER same AS first_line
    FROM pg_temp.import_skus
    WHERE given IS NOT NULL
    WINDOW same AS (
        PARTITION BY kind, lower(given) ORDER BY lower(kept) = lower(given) DESC NULLS LAST, n
    )
) AS s
JOIN pg_temp.import_parts AS i ON i.n = s.first_part
WHERE s.first_n <> s.n;

-- name: find_taken_skus
-- A SKU that the shop has for another product or variant, which does not give it up now.
INSERT INTO pg_temp.import_problems (n, part, line, field, value, reason)
SELECT s.n, s.part, s.line, 'sku', s.sku, 'is the SKU of ' || owner.slug || ' in the shop'
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
    SELECT i.key FROM pg_temp.import_problems AS p JOIN pg_temp.import_parts AS i ON i.n = p.part
);

-- name: drop_bad_variants
-- Follows the products.
DELETE FROM pg_temp.import_variants AS v
WHERE NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.id = v.product_id);

-- name: drop_bad_skus
-- Follows the products.
DELETE FROM pg_temp.import_skus AS s
WHERE NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.id = s.product_id);

-- name: count_problems
-- How many rows are bad, and how many rows and products are refused with them.
SELECT count(*) AS problems, count(DISTINCT p.n) AS bad_rows,
       (SELECT coalesce(sum(r.rows), 0) FROM pg_temp.import_parts AS r WHERE r.key IN (
           SELECT b.key FROM pg_temp.import_problems AS q
           JOIN pg_temp.import_parts AS b ON b.n = q.part
       ))::bigint AS rejected_rows,
       count(DISTINCT i.key) AS rejected_products
FROM pg_temp.import_problems AS p JOIN pg_temp.import_parts AS i ON i.n = p.part;

-- name: first_problems
-- The first of the problems, as they stand in the files.
SELECT i.file, p.line, p.field, p.value, p.reason
FROM pg_temp.import_problems AS p JOIN pg_temp.import_parts AS i ON i.n = p.part
ORDER BY p.n, p.field, p.reason
LIMIT %(most)s::bigint;

-- name: rejected_parts
-- Where the parts that were refused stand in a file, and why: line of a row to what is wrong there.
SELECT i.start, i.stop, i.line, own.problems,
       (
           SELECT min(p.line)
           FROM pg_temp.import_problems AS p JOIN pg_temp.import_parts AS b ON b.n = p.part
           WHERE b.key = i.key
       ) AS first_bad_line
FROM pg_temp.import_parts AS i
LEFT JOIN (
    SELECT part, array_agg(ARRAY[line::text, field, reason] ORDER BY n, field, reason) AS problems
    FROM pg_temp.import_problems GROUP BY part
) AS own ON own.part = i.n
WHERE i.file = %(file)s::integer
    AND NOT EXISTS (SELECT FROM pg_temp.import_products AS p WHERE p.key = i.key)
ORDER BY i.n;

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
        FROM pg_temp.import_products AS p JOIN pg_temp.import_parts AS r USING (n)
        WHERE r.brand IS NOT NULL
        ORDER BY lower(r.brand), r.n
    ) AS first
    WHERE NOT EXISTS (SELECT FROM brands AS b WHERE lower(b.name) = lower(first.name))
) AS w;

-- name: stage_categories
-- Each category of the files with those above it; key: the names from the root down,
-- with a character between them that no name has.
CREATE TEMPORARY TABLE import_categories ON COMMIT DROP AS
SELECT DISTINCT ON (c.key) c.key, c.parent, c.name, c.slug, c.n, NULL::uuid AS id, false AS is_new
FROM (
    SELECT lower(array_to_string(r.category[:depth], E'\x1f')) AS key,
           CASE WHEN depth > 1 THEN lower(array_to_string(r.category[:depth - 1], E'\x1f')) END
               AS parent,
           r.category[depth] AS name, r.category_slugs[depth] AS slug, r.n
    FROM (
        SELECT DISTINCT ON (i.category) i.category, i.category_slugs, i.n
        FROM pg_temp.import_products AS p JOIN pg_temp.import_parts AS i USING (n)
        WHERE i.category IS NOT NULL
        ORDER BY i.category, i.n
    ) AS r
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
       w.attributes, w.is_active, w.is_featured, w.price, w.compare_at_price, w.stock,
       w.track_inventory, w.has_variants,
       NOT w.is_new AND (
           shop.slug, shop.sku, shop.name, shop.description, shop.brand_id, shop.category_id,
           shop.tags, shop.attributes, shop.is_active, shop.is_featured, shop.price,
           shop.compare_at_price, shop.stock_quantity, shop.track_inventory
       ) IS DISTINCT FROM (
           w.slug, w.sku, w.name, w.description, w.brand_id, w.category_id,
           w.tags, w.attributes, w.is_active, w.is_featured, w.price,
           w.compare_at_price, coalesce(w.stock, shop.stock_quantity), w.track_inventory
       ) AS differs
FROM (
    SELECT p.id, p.is_new, r.handle AS slug, s.sku, r.title AS name,
           coalesce(p.price, best.price) AS price,
           CASE WHEN p.is_new OR p.fields @> '{description}'
               THEN r.description ELSE shop.description END AS description,
           CASE WHEN p.is_new OR p.fields @> '{brand}'
               THEN b.id ELSE shop.brand_id END AS brand_id,
           CASE WHEN p.is_new OR p.fields @> '{category}'
               THEN c.id ELSE shop.category_id END AS category_id,
           CASE WHEN p.is_new OR p.fields @> '{tags}'
               THEN coalesce(r.tags, '{}') ELSE shop.tags END AS tags,
           CASE WHEN p.is_new OR p.fields @> '{attributes}'
               THEN coalesce(r.attributes, '{}') ELSE shop.attributes END AS attributes,
           CASE WHEN p.is_new OR p.fields @> '{is_active}'
               THEN r.is_active ELSE shop.is_active END AS is_active,
           CASE WHEN p.is_new OR p.fields @> '{is_featured}'
               THEN r.is_featured ELSE shop.is_featured END AS is_featured,
           CASE WHEN p.price IS NOT NULL AND p.fields @> '{compare_at_price}' THEN p.compare_at_price
               WHEN p.price IS NULL AND (best.is_stored OR p.fields @> '{compare_at_price}')
               THEN best.compare_at_price
               WHEN shop.compare_at_price > coalesce(p.price, best.price)
               THEN shop.compare_at_price
           END AS compare_at_price,
           CASE WHEN NOT best.is_stored THEN best.quantity WHEN p.is_new THEN best.sum END AS stock,
           best.is_stored AS has_variants,
           CASE WHEN p.is_new OR p.fields @> '{track_inventory}'
               THEN best.all_tracked AND r.is_tracked ELSE shop.track_inventory
           END AS track_inventory
    FROM pg_temp.import_products AS p
    JOIN pg_temp.import_parts AS r USING (n)
    JOIN pg_temp.import_skus AS s ON s.kind = 'product' AND s.id = p.id
    JOIN (
        SELECT DISTINCT ON (v.product_id) v.product_id, v.price, v.compare_at_price, v.quantity,
               v.is_stored, bool_and(v.tracked) OVER of_product AS all_tracked,
               sum(coalesce(v.quantity, 0)) FILTER (WHERE v.is_active) OVER of_product AS sum
        FROM pg_temp.import_variants AS v
        WINDOW of_product AS (PARTITION BY v.product_id)
        ORDER BY v.product_id, v.price, v.sort_order
    ) AS best ON best.product_id = p.id
    LEFT JOIN products AS shop ON shop.id = p.id AND NOT p.is_new
    LEFT JOIN (
        SELECT DISTINCT ON (lower(name)) lower(name) AS name, id
        FROM brands ORDER BY lower(name), id
    ) AS b ON b.name = lower(r.brand)
    LEFT JOIN pg_temp.import_categories AS c
        ON c.key = lower(array_to_string(r.category, E'\x1f'))
) AS w
LEFT JOIN products AS shop ON shop.id = w.id AND NOT w.is_new
ORDER BY w.id;

-- name: stage_images
-- The images as they shall be: each address once a product (or as often as the format says), in
-- the order of their positions; those that only a variant has come last. An image of several
-- variants goes to the first. A position is kept as it is where the format says what is primary.
CREATE TEMPORARY TABLE import_images ON COMMIT DROP AS
SELECT w.n, w.product_id, w.url, w.alt_text, w.sort_order, w.is_primary,
       w.variant_id, i.id, i.id IS NOT NULL AND (
           i.alt_text, i.sort_order, i.is_primary, i.variant_id
       ) IS DISTINCT FROM (
           w.alt_text, w.sort_order, w.is_primary, w.variant_id
       ) AS differs
FROM (
    SELECT u.n, u.product_id, u.url, u.occurrence, u.alt_text, coalesce(u.shown, v.id) AS variant_id,
           CASE WHEN u.is_primary IS NULL THEN u.place ELSE coalesce(u.position, u.place) END
               AS sort_order,
           coalesce(u.is_primary, u.place = 1) AS is_primary
    FROM (
        SELECT d.n, d.product_id, d.url, d.occurrence, d.alt_text, d.position, d.is_primary, d.shown,
               (row_number() OVER (
                   PARTITION BY d.product_id ORDER BY d.of_variant, d.position NULLS LAST, d.n
               ))::integer AS place
        FROM (
            SELECT DISTINCT ON (a.product_id, a.url, a.occurrence)
                   a.product_id, a.url, a.occurrence, a.alt_text, a.of_variant, a.position, a.n,
                   a.is_primary, a.shown
            FROM (
                SELECT p.id AS product_id, r.url, r.occurrence, r.alt_text, r.of_variant,
                       r.position, r.n, r.is_primary,
                       CASE WHEN NOT r.of_variant THEN v.id END AS shown
                FROM pg_temp.import_pictures AS r
                JOIN pg_temp.import_parts AS i ON i.n = r.part
                JOIN pg_temp.import_products AS p ON p.key = i.key
                LEFT JOIN pg_temp.import_variants AS v ON v.n = r.variant AND v.is_stored
                WHERE p.fields @> '{images}'
            ) AS a
            ORDER BY a.product_id, a.url, a.occurrence, a.of_variant, a.position NULLS LAST, a.n
        ) AS d
    ) AS u
    LEFT JOIN (
        SELECT DISTINCT ON (v.product_id, r.url) v.product_id, r.url, v.id
        FROM pg_temp.import_variants AS v JOIN pg_temp.import_pictures AS r ON r.variant = v.n
        WHERE v.is_stored AND r.of_variant
        ORDER BY v.product_id, r.url, v.sort_order
    ) AS v ON v.product_id = u.product_id AND v.url = u.url
) AS w
LEFT JOIN (
    SELECT i.product_id, i.url, i.id, i.alt_text, i.sort_order, i.is_primary, i.variant_id,
           row_number() OVER (
               PARTITION BY i.product_id, i.url ORDER BY i.sort_order, i.id
           ) AS occurrence
    FROM product_images AS i JOIN pg_temp.import_products AS p ON p.id = i.product_id
    WHERE NOT p.is_new
) AS i ON i.product_id = w.product_id AND i.url = w.url AND i.occurrence = w.occurrence;

-- name: analyze_catalogue
-- For the joins to come.
ANALYZE
    pg_temp.import_catalogue (id, sku, is_new, differs),
    pg_temp.import_images (id, product_id, differs);

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
        attributes = w.attributes, is_active = w.is_active, is_featured = w.is_featured,
        price = w.price, compare_at_price = w.compare_at_price,
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
        is_active = i.is_active
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
        stock_quantity, track_inventory, has_variants, attributes, tags, is_active, is_featured
    )
    SELECT id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
           coalesce(stock, 0), track_inventory, has_variants, attributes, tags, is_active,
           is_featured
    FROM pg_temp.import_catalogue
    WHERE is_new
    ORDER BY id
    RETURNING id
),

new_variants AS (
    INSERT INTO product_variants (
        id, product_id, name, sku, price, compare_at_price, stock_quantity, option_values,
        sort_order, is_active
    )
    SELECT i.id, i.product_id, i.name, s.sku, i.price, i.compare_at_price,
           coalesce(i.quantity, 0), i.option_values, i.sort_order, i.is_active
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
    WHERE p.id = i.product_id AND NOT p.is_new AND p.fields @> '{images}'
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
    ORDER BY product_id, sort_order, n
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
    SELECT min(v.n) AS n
    FROM pg_temp.import_variants AS v JOIN pg_temp.import_pictures AS r ON r.variant = v.n
    WHERE r.of_variant AND v.is_stored
    GROUP BY v.product_id, r.url HAVING count(*) > 1
) AS m;

-- name: place_of_variant
-- Where a variant stands.
SELECT i.file, v.line
FROM pg_temp.import_variants AS v JOIN pg_temp.import_parts AS i ON i.n = v.part
WHERE v.n = %(n)s::bigint;

-- name: analyze_session
-- ANALYZE of large tables may run long.
SET LOCAL statement_timeout TO 0;

-- name: analyze_products_of_shop
-- After many changes, so that the planner need not wait for autovacuum.
ANALYZE products, product_stats, product_search, search_words;

-- name: analyze_variants_of_shop
-- As for products.
ANALYZE product_variants;

-- name: analyze_images_of_shop
-- As for products.
ANALYZE product_images;

-- name: analyze_brands_and_categories
-- As for products.
ANALYZE brands, categories, category_paths;
