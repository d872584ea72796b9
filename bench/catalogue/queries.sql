-- name: make_bench_schema
-- Where the generator keeps what it needs and how far it is.
CREATE SCHEMA IF NOT EXISTS bench;

-- name: make_bench_indexes
-- The indexes that are taken off while rows are loaded.
CREATE TABLE IF NOT EXISTS bench.indexes (name text PRIMARY KEY, definition text NOT NULL);

-- name: remember_indexes
-- Those of the tables that are loaded, but for what a constraint or a foreign key needs.
INSERT INTO bench.indexes (name, definition)
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index AS i
WHERE
    i.indrelid = ANY(ARRAY[
        'products', 'product_variants', 'product_images', 'product_reviews', 'stock_movements'
    ]::regclass [])
    AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid);

-- name: list_indexes
-- What was taken off.
SELECT name, definition FROM bench.indexes ORDER BY name;

-- name: load_bench_stats
-- As `count_ratings` keeps them.
INSERT INTO product_stats (product_id, rating_sum, rating_count)
SELECT product_id, sum(rating), count(*)
FROM product_reviews WHERE is_approved GROUP BY product_id ORDER BY product_id;

-- name: load_bench_movements
-- As `record_stock` writes them.
INSERT INTO stock_movements (product_id, variant_id, change, reason)
SELECT id, NULL::uuid, stock_quantity, 'initial'
FROM products WHERE stock_quantity <> 0 AND NOT has_variants
UNION ALL
SELECT product_id, id, stock_quantity, 'initial' FROM product_variants WHERE stock_quantity <> 0;

-- name: make_bench_chance
-- From 0 to below 1, the same for the same thing for ever.
CREATE OR REPLACE FUNCTION bench.chance(n bigint, salt bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, salt) & 9007199254740991)::double precision / 9007199254740992;

-- name: make_bench_key
-- A UUID of version 7, as if made at a time.
CREATE OR REPLACE FUNCTION bench.key(made timestamptz, n bigint, kind text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    lpad(to_hex((date_part('epoch', made AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0')
    || '7' || overlay(left(md5(kind || n), 19) PLACING '8' FROM 4)
)::uuid;

-- name: make_bench_batches
-- What is loaded already, by its first product; -1 stands for what all of them need.
CREATE TABLE IF NOT EXISTS bench.batches (first bigint PRIMARY KEY, products bigint NOT NULL);

-- name: make_bench_shelves
-- Categories that hold products, the largest first.
CREATE TABLE IF NOT EXISTS bench.shelves (
    n integer PRIMARY KEY,
    id uuid NOT NULL,
    noun text NOT NULL,
    attribute text NOT NULL,
    choices text [] NOT NULL
);

-- name: make_bench_brands
-- Brands, the largest first.
CREATE TABLE IF NOT EXISTS bench.brands (n integer PRIMARY KEY, id uuid NOT NULL);

-- name: make_bench_users
-- Who reviews.
CREATE TABLE IF NOT EXISTS bench.users (n integer PRIMARY KEY, id uuid NOT NULL);

-- name: loaded_batches
-- What is loaded already.
SELECT first, products FROM bench.batches;

-- name: is_sold
-- Whether it is known what sold.
SELECT first, products FROM bench.batches WHERE first = -3;

-- name: load_sold_counts
-- As if there had been orders: what is reviewed often sold often.
UPDATE product_stats
SET sold_count = floor(
    rating_count * (2 + 20 * bench.chance(hashtextextended(product_id::text, 0), 60))
);

-- name: note_batch
-- It is loaded, when this transaction is.
INSERT INTO bench.batches (first, products) VALUES (%(first)s, %(products)s);

-- name: load_bench_users
-- Who reviews.
WITH made AS (
    SELECT n::integer AS n, bench.key('2021-12-01 00:00+00', n, 'user') AS id
    FROM generate_series(0, %(users)s::bigint - 1) AS n
),

listed AS (INSERT INTO bench.users (n, id) SELECT n, id FROM made)

INSERT INTO users (id, email, password_hash, first_name, last_name, created_at, updated_at)
SELECT
    id, 'reader' || n || '@example.com', '!', 'Ann', 'Archer', '2021-12-01 00:00+00',
    '2021-12-01 00:00+00'
FROM made;

-- name: begin_bench_load
-- It takes as long as it takes, and a crash loads the last batches again. What triggers would keep
-- is made at the end for all rows at once, as a migration makes it.
SELECT
    set_config('session_replication_role', 'replica', FALSE),
    set_config('statement_timeout', '0', FALSE),
    set_config('idle_in_transaction_session_timeout', '0', FALSE),
    set_config('synchronous_commit', 'off', FALSE),
    set_config('maintenance_work_mem', '1GB', FALSE),
    set_config('work_mem', '128MB', FALSE);

-- name: stage_bench_products
-- A batch is made here, then loaded with its variants as one statement.
CREATE TEMPORARY TABLE made_products (
    n bigint,
    created_on timestamptz,
    in_stock boolean,
    variants integer,
    reviews integer,
    id uuid,
    category_id uuid,
    brand_id uuid,
    name text,
    slug text,
    sku text,
    description text,
    price numeric(12, 2),
    compare_at_price numeric(12, 2),
    attributes jsonb,
    tags text []
);

-- name: stage_bench_variants
-- See above.
CREATE TEMPORARY TABLE made_variants (
    n bigint,
    product_id uuid,
    name text,
    price numeric(12, 2),
    stock_quantity integer,
    option_values jsonb,
    sort_order integer,
    created_on timestamptz
);

-- name: empty_bench_stage
-- Make room for the next batch.
TRUNCATE made_products, made_variants;

-- name: make_bench_products
-- The products of a batch. Four years, most of them to the hour, a tenth to the day: there are
-- ties. A word's share falls with its rank: the eighth is in a fifth of all descriptions. Words
-- come as names, of which each is found without a walk through those before it.
WITH placed AS MATERIALIZED (
    SELECT
        n,
        '2022-01-01 00:00+00'::timestamptz + make_interval(
            secs => (n + bench.chance(n, 1)) / %(products)s::bigint * 126144000
        ) AS exact,
        bench.chance(n, 2) AS share,
        floor(%(shelves)s::integer * bench.chance(n, 3) ^ 2.2)::integer AS shelf,
        floor(%(brands)s::integer * bench.chance(n, 4) ^ 2)::integer AS brand
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
),

timed AS MATERIALIZED (
    SELECT
        n, share, shelf, brand,
        CASE
            WHEN share < 0.1 THEN date_trunc('day', exact, 'UTC')
            WHEN share < 0.8 THEN date_trunc('hour', exact, 'UTC')
            ELSE date_trunc('second', exact, 'UTC')
        END AS created_on
    FROM placed
),

worded AS MATERIALIZED (
    SELECT
        t.n,
        array_to_string(ARRAY(
            SELECT (%(words)s::name [])[floor(
                %(ranks)s::integer ^ bench.chance(t.n * 64 + k, 5))::integer]
            FROM generate_series(1, 2) AS k
        ), ' ') AS title,
        array_to_string(ARRAY(
            SELECT (%(words)s::name [])[floor(
                %(ranks)s::integer ^ bench.chance(t.n * 64 + k, 5))::integer]
            FROM generate_series(3, 24) AS k
        ), ' ') AS text
    FROM timed AS t
),

priced AS MATERIALIZED (
    SELECT
        t.*,
        floor(
            (5 + 90 * bench.chance(t.shelf, 6)) * 40 ^ (bench.chance(t.n, 7) ^ 1.5)
        )::numeric + CASE WHEN bench.chance(t.n, 8) < 0.7 THEN 0.90 ELSE 0.95 END AS price
    FROM timed AS t
)

INSERT INTO made_products
SELECT
    p.n,
    p.created_on,
    bench.chance(p.n, 9) >= 0.08,
    CASE WHEN bench.chance(p.n, 10) < 0.3 THEN 2 + floor(bench.chance(p.n, 11) * 3) ELSE 0 END,
    CASE WHEN bench.chance(p.n, 12) < 0.25 THEN 0 ELSE least(
        %(users)s::integer * 0.6,
        floor(3.6 * (bench.chance(p.n, 13) + 1e-9) ^ -0.55 - 1)
    ) END,
    bench.key(p.created_on, p.n, 'product'),
    s.id,
    b.id,
    initcap(w.title) || ' ' || (%(materials)s::text [])[1 + floor(
        bench.chance(p.n, 14) * cardinality(%(materials)s::text []))::integer]
    || ' ' || initcap(s.noun) || ', '
    || (%(colors)s::text [])[1 + floor(
        bench.chance(p.n, 15) * cardinality(%(colors)s::text []))::integer],
    replace(w.title, ' ', '-') || '-' || s.noun || '-' || p.n,
    upper(left(s.noun, 3)) || '-' || lpad(p.n::text, 8, '0'),
    initcap(left(w.text, 1)) || substr(w.text, 2) || '.',
    p.price,
    CASE WHEN bench.chance(p.n, 16) < 0.18
        THEN floor(p.price * (1.15 + bench.chance(p.n, 17) / 2)::numeric) + 1.90 END,
    jsonb_build_object(
        'color', (%(colors)s::text [])[1 + floor(
            bench.chance(p.n, 15) * cardinality(%(colors)s::text []))::integer],
        'material', (%(materials)s::text [])[1 + floor(
            bench.chance(p.n, 14) * cardinality(%(materials)s::text []))::integer],
        'weight_grams', 10 * (4 + floor(bench.chance(p.n, 18) * 240)::integer),
        s.attribute, s.choices[1 + floor(
            bench.chance(p.n, 19) * cardinality(s.choices))::integer]
    ),
    ARRAY(
        SELECT DISTINCT (%(tags)s::text [])[1 + floor(
            bench.chance(p.n, 20 + i) ^ 2 * cardinality(%(tags)s::text []))::integer]
        FROM generate_series(1, 2) AS i
        ORDER BY 1
    )
FROM priced AS p
JOIN worded AS w ON w.n = p.n
JOIN bench.shelves AS s ON s.n = p.shelf
JOIN bench.brands AS b ON b.n = p.brand;

-- name: make_bench_variants
-- The variants of the products of a batch: one colour, several sizes.
INSERT INTO made_variants
SELECT
    p.n * 8 + i,
    p.id,
    (%(sizes)s::text [])[i],
    p.price + i - 1,
    CASE WHEN p.in_stock AND bench.chance(p.n * 8 + i, 30) >= 0.1
        THEN 1 + floor(bench.chance(p.n * 8 + i, 31) ^ 2 * 150)::integer ELSE 0 END,
    jsonb_build_object('Size', (%(sizes)s::text [])[i], 'Color', p.attributes -> 'color'),
    i - 1,
    p.created_on
FROM made_products AS p CROSS JOIN LATERAL generate_series(1, p.variants) AS i;

-- name: load_bench_products
-- Products and variants as one statement.
WITH products_loaded AS (
    INSERT INTO products (
        id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
        stock_quantity, track_inventory, has_variants, attributes, tags, is_active, is_featured,
        created_at, updated_at
    )
    SELECT
        p.id, p.category_id, p.brand_id, p.name, p.slug, p.sku, p.description, p.price,
        p.compare_at_price,
        CASE
            WHEN p.variants > 0 THEN v.stock
            WHEN p.in_stock THEN 1 + floor(bench.chance(p.n, 31) ^ 2 * 150)::integer
            ELSE 0
        END,
        bench.chance(p.n, 32) >= 0.02,
        p.variants > 0,
        p.attributes, p.tags,
        bench.chance(p.n, 33) >= 0.03,
        bench.chance(p.n, 34) < 0.02,
        p.created_on, p.created_on
    FROM made_products AS p
    LEFT JOIN (
        SELECT m.product_id, sum(m.stock_quantity) AS stock
        FROM made_variants AS m GROUP BY m.product_id
    ) AS v ON v.product_id = p.id
    ORDER BY p.n
)

INSERT INTO product_variants (
    id, product_id, name, sku, price, stock_quantity, option_values, sort_order, created_at,
    updated_at
)
SELECT
    bench.key(m.created_on, m.n, 'variant'), m.product_id, m.name, p.sku || '-' || m.name, m.price,
    m.stock_quantity, m.option_values, m.sort_order, m.created_on, m.created_on
FROM made_variants AS m JOIN made_products AS p ON p.id = m.product_id
ORDER BY m.n;

-- name: load_bench_images
-- One to three images a product, the first of them primary.
INSERT INTO product_images (id, product_id, url, alt_text, sort_order, is_primary, created_at)
SELECT
    bench.key(p.created_on, p.n * 4 + i, 'image'), p.id,
    'https://images.example.invalid/products/' || p.slug || '-' || i || '.jpg', p.name, i - 1,
    i = 1, p.created_on
FROM made_products AS p
CROSS JOIN LATERAL generate_series(1, 1 + floor(bench.chance(p.n, 40) * 3)::integer) AS i
ORDER BY p.n, i;

-- name: load_bench_reviews
-- A product is good or not: its ratings lean to one side. Most are pleased.
INSERT INTO product_reviews (
    id, product_id, user_id, rating, title, content, is_approved, created_at, updated_at
)
SELECT
    bench.key(r.written, r.n, 'review'), r.product_id, u.id, r.rating,
    (%(titles)s::text [])[r.rating], (%(texts)s::text [])[r.rating],
    bench.chance(r.n, 50) < 0.94, r.written, r.written
FROM (
    SELECT
        p.n * 131072 + i AS n,
        p.id AS product_id,
        (floor(bench.chance(p.n, 51) * %(users)s::integer)::bigint + i * 7919)
        %% %(users)s::integer AS author,
        (ARRAY[1, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5])[1 + floor(
            12 * bench.chance(p.n * 131072 + i, 52) ^ (0.7 + bench.chance(p.n, 53))
        )::integer] AS rating,
        date_trunc('second', p.created_on + bench.chance(p.n * 131072 + i, 54)
        * ('2026-01-01 00:00+00'::timestamptz - p.created_on), 'UTC') AS written
    FROM made_products AS p CROSS JOIN LATERAL generate_series(1, p.reviews) AS i
) AS r
JOIN bench.users AS u ON u.n = r.author;
