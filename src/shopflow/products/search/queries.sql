-- name: suggest
-- What somebody may mean who is typing: searches, products, categories and brands.
-- plan: custom
-- Once for the planner, in the condition, and once for all else.
WITH understood AS MATERIALIZED (
    SELECT answer, (answer ->> 'query')::tsquery AS query, answer ->> 'text' AS text
    FROM search_understood(%(terms)s::jsonb) AS answer
),
top AS MATERIALIZED (
    SELECT s.product_id, s.document, s.popularity
    FROM product_search AS s
    WHERE s.document @@ search_query(%(terms)s::jsonb)
    ORDER BY s.popularity DESC, s.product_id DESC
    LIMIT 50
),
ending AS (
    SELECT w.word, w.products
    FROM search_words AS w
    WHERE
        w.word >= %(last)s::text AND w.word < %(last)s::text || chr(1114111) AND w.lexeme <> ''
        -- After other words, one that products have together with them.
        AND (%(earlier)s::text = '' OR w.lexeme IN (SELECT unnest(tsvector_to_array(document)) FROM top))
    ORDER BY w.products DESC, w.word
    LIMIT %(limit)s::int
),
best AS (
    SELECT
        product_id AS id,
        ts_rank('{0.05, 0.1, 0.3, 1.0}', document, (SELECT query FROM understood), 1)
        * (1 + popularity / 10.0) AS score
    FROM top
    ORDER BY score DESC, id DESC
    LIMIT %(limit)s::int
)
SELECT json_build_object(
    'words', (SELECT coalesce(json_agg(word ORDER BY products DESC, word), '[]') FROM ending),
    'corrected', (SELECT answer -> 'corrected' FROM understood),
    'products', (
        SELECT coalesce(json_agg(json_build_object(
            'id', p.id, 'name', p.name, 'slug', p.slug, 'price', p.price, 'primary_image', i.url
        ) ORDER BY best.score DESC, best.id DESC), '[]')
        FROM best
        JOIN products AS p ON p.id = best.id
        LEFT JOIN product_images AS i ON i.product_id = best.id AND i.is_primary
    ),
    'categories', (
        SELECT coalesce(json_agg(json_build_object('id', id, 'name', name, 'slug', slug) ORDER BY name, id), '[]')
        FROM (
            SELECT c.id, c.name, c.slug FROM categories AS c
            WHERE
                (lower(c.name) ~>=~ %(typed)s::text AND lower(c.name) ~<~ (%(typed)s::text || chr(1114111)))
                OR (
                    lower(c.name) ~>=~ (SELECT text FROM understood)
                    AND lower(c.name) ~<~ (SELECT text || chr(1114111) FROM understood)
                )
            ORDER BY c.name, c.id LIMIT %(limit)s::int
        ) AS found
    ),
    'brands', (
        SELECT coalesce(json_agg(json_build_object('id', id, 'name', name, 'slug', slug) ORDER BY name, id), '[]')
        FROM (
            SELECT b.id, b.name, b.slug FROM brands AS b
            WHERE
                b.is_active
                AND (
                    (lower(b.name) ~>=~ %(typed)s::text AND lower(b.name) ~<~ (%(typed)s::text || chr(1114111)))
                    OR (
                        lower(b.name) ~>=~ (SELECT text FROM understood)
                        AND lower(b.name) ~<~ (SELECT text || chr(1114111) FROM understood)
                    )
                )
            ORDER BY b.name, b.id LIMIT %(limit)s::int
        ) AS found
    )
);

-- name: list_synonyms
-- All synonyms, or those of a word.
SELECT word, synonym FROM search_synonyms
WHERE word = coalesce(%(word)s::text, word)
ORDER BY word, synonym;

-- name: add_synonyms
-- Pairs of a word and a synonym; those that are there stay.
INSERT INTO search_synonyms (word, synonym)
SELECT word, synonym FROM unnest(%(words)s::text[], %(synonyms)s::text[]) AS given (word, synonym)
ORDER BY word, synonym
ON CONFLICT DO NOTHING;

-- name: remove_synonyms
-- Those pairs that are there.
DELETE FROM search_synonyms AS s
USING unnest(%(words)s::text[], %(synonyms)s::text[]) AS given (word, synonym)
WHERE s.word = given.word AND s.synonym = given.synonym;

-- name: get_search_language
-- The language that the shop is searched in.
SELECT language, previous_language AS previous FROM search_settings;

-- name: search_language_exists
-- Whether the server can read texts in a language.
SELECT cfgname::text AS name FROM pg_ts_config
WHERE oid = (SELECT c.oid FROM pg_ts_config AS c WHERE c.cfgname = %(language)s::text AND pg_ts_config_is_visible(c.oid));

-- name: hold_product_texts
-- Waits for those who write products' texts and keeps others waiting, until the transaction ends.
LOCK TABLE product_search IN SHARE MODE;

-- name: set_search_language
-- Another language from now on; documents are found in the one before too.
UPDATE search_settings SET previous_language = language, language = %(language)s::text
WHERE language <> %(language)s::text AND previous_language IS NULL;

-- name: restem_words
-- The stems of words and synonyms in the shop's language.
WITH words AS (
    UPDATE search_words AS w SET lexeme = n.lexeme
    FROM (SELECT word, search_lexeme(search_language(), word) AS lexeme FROM search_words) AS n
    WHERE n.word = w.word AND n.lexeme <> w.lexeme
)

UPDATE search_synonyms SET word = word;

-- name: finish_search_language
-- No document is in the language before any more.
UPDATE search_settings SET previous_language = NULL
WHERE previous_language IS NOT NULL AND language = %(language)s::text;

-- name: next_products_to_rewrite
-- The products of a batch, with the documents held that they have; before these are computed.
WITH batch AS MATERIALIZED (
    SELECT id FROM products WHERE id > %(after)s::uuid ORDER BY id LIMIT %(size)s::int
),
held AS MATERIALIZED (
    SELECT product_id FROM product_search
    WHERE product_id IN (SELECT id FROM batch)
    ORDER BY product_id FOR NO KEY UPDATE
)
SELECT max(id::text)::uuid AS last, count(*) AS seen, (SELECT count(*) FROM held) AS held
FROM batch;

-- name: rewrite_products
-- Documents that are not as they should be, of the products of a batch; and those too many.
WITH wanted AS MATERIALIZED (
    SELECT
        p.id,
        CASE WHEN p.is_active AND p.deleted_at IS NULL
            THEN search_document(search.language, p.name, b.name, p.tags, p.description)
        END AS document
    FROM products AS p
    CROSS JOIN (SELECT search_language() AS language) AS search
    LEFT JOIN brands AS b ON b.id = p.brand_id
    WHERE p.id > %(after)s::uuid AND p.id <= %(last)s::uuid
),
gone AS (
    DELETE FROM product_search AS s USING wanted AS w
    WHERE w.id = s.product_id AND w.document IS NULL
    RETURNING s.product_id
),
changed AS (
    UPDATE product_search AS s SET document = w.document
    FROM wanted AS w
    WHERE w.id = s.product_id AND w.document <> s.document
    RETURNING s.product_id
),
added AS (
    INSERT INTO product_search (product_id, document)
    SELECT w.id, w.document FROM wanted AS w
    WHERE
        w.document IS NOT NULL
        AND NOT EXISTS (SELECT FROM product_search AS s WHERE s.product_id = w.id)
    ON CONFLICT DO NOTHING
    RETURNING product_id
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM changed) + (SELECT count(*) FROM added) AS count;

-- name: hold_search_words
-- Waits for the transaction that writes to search_words; others leave their words to the worker.
SELECT pg_advisory_xact_lock(search_words_lock())::text AS held;

-- name: take_new_words
-- Words that were left to the worker become known; how many.
WITH taken AS (
    DELETE FROM search_new_words
    WHERE id IN (SELECT id FROM search_new_words LIMIT %(size)s::int)
    RETURNING word
),
added AS (
    INSERT INTO search_words (word, lexeme)
    SELECT DISTINCT word, search_lexeme(search_language(), word) FROM taken ORDER BY word
    ON CONFLICT DO NOTHING
)
SELECT count(*) AS count FROM taken;

-- name: count_words
-- How many products of a batch have each word.
WITH batch AS MATERIALIZED (
    SELECT p.id, p.name, b.name AS brand, p.tags, p.description, p.is_active AND p.deleted_at IS NULL AS listed
    FROM products AS p LEFT JOIN brands AS b ON b.id = p.brand_id
    WHERE p.id > %(after)s::uuid
    ORDER BY p.id LIMIT %(size)s::int
)
SELECT json_build_object(
    'last', (SELECT max(id::text) FROM batch),
    'products', (
        SELECT coalesce(json_object_agg(word, products), '{}')
        FROM (
            SELECT word, count(*) AS products
            FROM batch AS p
            CROSS JOIN unnest(search_words_in(p.name, p.brand, p.tags, p.description)) AS word
            WHERE p.listed
            GROUP BY word
        ) AS counted
    )
);

-- name: known_words
-- All words.
SELECT word FROM search_words;

-- name: write_word_counts
-- How many products have these words now.
INSERT INTO search_words AS w (word, lexeme, products)
SELECT word, search_lexeme(search_language(), word), products
FROM unnest(%(words)s::text[], %(products)s::bigint[]) AS given (word, products)
ORDER BY word
ON CONFLICT (word) DO UPDATE SET products = EXCLUDED.products
WHERE w.products <> EXCLUDED.products;

-- name: forget_words
-- Words that no product has any more.
DELETE FROM search_words WHERE word = ANY(%(words)s::text[]);

-- name: refresh_popularity
-- The popularity of the products of a batch; those being changed are left for the next time.
WITH batch AS MATERIALIZED (
    SELECT s.product_id, s.popularity
    FROM product_search AS s
    WHERE s.product_id > %(after)s::uuid
    ORDER BY s.product_id LIMIT %(size)s::int
),
counted AS (
    SELECT b.product_id, least(64, floor(log(2, 1 + t.sold_count + t.rating_count)))::smallint AS popularity
    FROM batch AS b JOIN product_stats AS t ON t.product_id = b.product_id
    WHERE b.popularity <> least(64, floor(log(2, 1 + t.sold_count + t.rating_count)))
),
held AS MATERIALIZED (
    SELECT s.product_id FROM product_search AS s
    WHERE s.product_id IN (SELECT product_id FROM counted)
    ORDER BY s.product_id FOR NO KEY UPDATE SKIP LOCKED
),
changed AS (
    UPDATE product_search AS s SET popularity = c.popularity
    FROM counted AS c
    WHERE s.product_id = c.product_id AND s.product_id IN (SELECT product_id FROM held)
    RETURNING s.product_id
)
SELECT (SELECT max(product_id::text)::uuid FROM batch) AS last, (SELECT count(*) FROM changed) AS count;

-- name: get_embedding_dimensions
-- How long the vectors are; no row where search by meaning is not switched on.
SELECT atttypmod AS dimensions FROM pg_attribute
WHERE attrelid = to_regclass('product_embeddings') AND attname = 'embedding';

-- name: drop_embeddings
-- Search by meaning is switched off.
DROP TABLE IF EXISTS product_embeddings;

-- name: texts_to_embed
-- A batch of products without a vector of their text as it is now.
SELECT
    s.product_id, s.changed_at::text AS changed_at,
    concat_ws(E'\n', p.name, b.name, array_to_string(p.tags, ', '), p.description) AS text
FROM product_search AS s
JOIN products AS p ON p.id = s.product_id
LEFT JOIN brands AS b ON b.id = p.brand_id
LEFT JOIN product_embeddings AS e ON e.product_id = s.product_id
WHERE s.product_id > %(after)s::uuid AND e.made_from IS DISTINCT FROM s.changed_at
ORDER BY s.product_id LIMIT %(size)s::int;

-- name: write_embeddings
-- The vectors of a batch, of the products that are still listed.
INSERT INTO product_embeddings (product_id, made_from, embedding)
SELECT given.id, given.made_from, given.vector::vector
FROM unnest(%(ids)s::uuid[], %(made_from)s::timestamptz[], %(vectors)s::text[]) AS given (id, made_from, vector)
JOIN product_search AS s ON s.product_id = given.id
ORDER BY given.id
ON CONFLICT (product_id) DO UPDATE SET made_from = EXCLUDED.made_from, embedding = EXCLUDED.embedding;
