"""How a facet is counted over the rows of its set, each standing for `weight` products."""

from __future__ import annotations

from psycopg import sql

BRANDS = sql.SQL(
    """
    SELECT coalesce(json_agg(
        json_build_object('id', id, 'name', name, 'count', round(n * weight)::int)
        ORDER BY n DESC, name, id
    ), '[]')
    FROM (
        SELECT b.id, b.name, counted.n
        FROM (SELECT brand_id, count(*) AS n FROM {rows} GROUP BY brand_id) AS counted
        JOIN brands AS b ON b.id = counted.brand_id
        ORDER BY counted.n DESC, b.name, b.id
        LIMIT 50
    ) AS shown
    CROSS JOIN (SELECT weight FROM {share}) AS share
    """
)
CATEGORIES = sql.SQL(
    """
    SELECT coalesce(json_agg(
        json_build_object(
            'id', c.id, 'name', c.name, 'slug', c.slug, 'count', round(n * weight)::int
        )
        ORDER BY c.sort_order, c.name, c.id
    ), '[]')
    FROM (
        SELECT b.child, sum(counted.n) AS n
        FROM (SELECT category_id, count(*) AS n FROM {rows} GROUP BY category_id) AS counted
        JOIN branches AS b ON b.id = counted.category_id
        GROUP BY b.child
    ) AS shown
    JOIN categories AS c ON c.id = shown.child
    CROSS JOIN (SELECT weight FROM {share}) AS share
    """
)
PRICES = sql.SQL(
    """
    SELECT coalesce(json_agg(
        json_build_object(
            'price_min', coalesce((%(edges)s::numeric[])[bucket], 0),
            'price_max', (%(edges)s::numeric[])[bucket + 1] - 0.01,
            'count', round(n * weight)::int
        )
        ORDER BY bucket
    ), '[]')
    FROM (
        SELECT width_bucket(price, %(edges)s::numeric[]) AS bucket, count(*) AS n
        FROM {rows} GROUP BY bucket
    ) AS shown
    CROSS JOIN (SELECT weight FROM {share}) AS share
    """
)
# OFFSET 0, here and for variants: a lookup for each row, however many the planner expects; it
# would rather read the whole table.
RATINGS = sql.SQL(
    """
    SELECT json_agg(
        json_build_object('rating_min', best.least, 'count', round(best.n * weight)::int)
        ORDER BY best.least DESC
    )
    FROM (
        SELECT ARRAY[
            count(*) FILTER (WHERE s.rating_average >= 1),
            count(*) FILTER (WHERE s.rating_average >= 2),
            count(*) FILTER (WHERE s.rating_average >= 3),
            count(*) FILTER (WHERE s.rating_average >= 4)
        ] AS counts
        FROM {rows} AS r
        CROSS JOIN LATERAL (
            SELECT ps.rating_average FROM product_stats AS ps
            WHERE ps.product_id = r.id AND ps.rating_count > 0
            OFFSET 0
        ) AS s
    ) AS counted
    CROSS JOIN unnest(counted.counts) WITH ORDINALITY AS best (n, least)
    CROSS JOIN (SELECT weight FROM {share}) AS share
    """
)
IN_STOCK = sql.SQL(
    "SELECT round((SELECT count(*) FROM {rows} WHERE in_stock) * weight)::int FROM {share}"
)
VARIANTS = sql.SQL(
    """
    {variants} AS MATERIALIZED (
        SELECT p.id, fit.option_values AS document
        FROM {rows} AS p
        CROSS JOIN LATERAL (
            SELECT v.option_values FROM product_variants AS v
            WHERE v.product_id = p.id AND {fitting}
            OFFSET 0
        ) AS fit
        WHERE p.has_variants
    )
    """
)
# Names first, then the values of each: 2.4 x as fast as jsonb_each_text.
NAMES = sql.SQL(
    """
    SELECT name FROM (SELECT jsonb_object_keys(document) AS name FROM {documents} AS d) AS used
    WHERE name <> ALL({chosen}::text[])
    GROUP BY name ORDER BY count(*) DESC, name LIMIT 20
    """
)
CHOSEN = sql.SQL("SELECT ({chosen}::text[])[{place}]")
# Equal ones are counted before they are looked into, as filters compare them: a list has each of
# its elements, zeros behind the point do not count, and an object cannot be asked for.
VALUES = sql.SQL(
    """
    SELECT f.name, v.n, v.shown
    FROM ({names}) AS f (name)
    CROSS JOIN LATERAL (
        SELECT
            round(sum(ranked.n) * min(weight)) AS n,
            json_agg(
                json_build_object('value', value, 'count', round(ranked.n * weight)::int)
                ORDER BY place
            ) FILTER (WHERE place <= 50) AS shown
        FROM (
            SELECT
                element.value,
                sum(held.n) AS n,
                row_number() OVER (ORDER BY sum(held.n) DESC, element.value) AS place
            FROM (
                SELECT document, count(*) AS n
                FROM (
                    SELECT {distinct} d.document -> f.name AS document FROM {documents} AS d
                ) AS one
                GROUP BY document
            ) AS held
            CROSS JOIN LATERAL (
                SELECT DISTINCT
                    CASE jsonb_typeof(one)
                        WHEN 'number' THEN trim_scale(one::numeric)::text ELSE one #>> '{{}}'
                    END AS value
                FROM jsonb_array_elements(
                    CASE jsonb_typeof(held.document)
                        WHEN 'array' THEN held.document ELSE jsonb_build_array(held.document)
                    END
                ) AS one
                WHERE jsonb_typeof(one) IN ('string', 'number', 'boolean')
            ) AS element
            GROUP BY element.value
        ) AS ranked
        CROSS JOIN (SELECT weight FROM {share}) AS share
    ) AS v
    WHERE v.n > 0
    """
)
NAMED = sql.SQL(
    """
    SELECT coalesce(json_agg(
        json_build_object('name', name, 'values', shown) ORDER BY n DESC, name
    ), '[]')
    FROM ({values}) AS named
    """
)
