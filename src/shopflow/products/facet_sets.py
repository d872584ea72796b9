"""The sets of products that facets are counted over, as CTEs of one statement."""

from __future__ import annotations

from psycopg import sql

from shopflow.products.conditions import condition, in_stock_condition

# Which parts of the table are read. Its size is that of now, its rows a page those when it was last
# analysed; before that it says -1, and a product may well take 600 bytes.
SIZE = sql.SQL(
    """
    size AS MATERIALIZED (
        SELECT
            least(1, 2 * %(limit)s::int / n) AS probed,
            least(1, 20 * %(limit)s::int / n) AS largest
        FROM (
            SELECT
                greatest(
                    1,
                    pg_relation_size(oid) / current_setting('block_size')::int
                    * CASE WHEN reltuples > 0 THEN reltuples / greatest(relpages, 1) ELSE 12 END
                ) AS n
            FROM pg_class WHERE oid = 'products'::regclass
        ) AS estimate
    )
    """
)
# All rows up to `limit`. Up to four times as many: those whose id's hash is a multiple of the
# weight. Of more: the matches on pages of the table drawn at random, as many pages as `limit`
# matches are expected on by a smaller draw, and of at most twenty times as many rows. Each draw
# is the same every time, so that counts do not jump. The first rows that an index finds would be
# of one category or price.
_SET = sql.SQL(
    """
    {found} AS MATERIALIZED (
        SELECT {columns} FROM products AS p WHERE {conditions} LIMIT 4 * %(limit)s::int + 1
    ),
    {matches} AS MATERIALIZED (
        SELECT count(*) / (SELECT probed FROM size) AS n
        FROM products AS p TABLESAMPLE SYSTEM ((SELECT 100 * probed FROM size)) REPEATABLE (1)
        WHERE (SELECT count(*) FROM {found}) > 4 * %(limit)s::int AND {by_pages} AND {conditions}
    ),
    {share} AS MATERIALIZED (
        SELECT
            *,
            coalesce(100 / percent, greatest(1, ceil(least(n / %(limit)s::float8, 4)))) AS weight
        FROM (
            SELECT
                count(*) AS n,
                CASE WHEN count(*) > 4 * %(limit)s::int AND {by_pages} THEN
                    100 * least(
                        (SELECT largest FROM size),
                        %(limit)s::int / nullif((SELECT n FROM {matches}), 0)
                    )
                END AS percent
            FROM {found}
        ) AS counted
    ),
    {rows} AS MATERIALIZED (
        SELECT * FROM {found}
        WHERE
            (SELECT percent FROM {share}) IS NULL
            AND mod(uuid_hash(id), (SELECT weight FROM {share})::int) = 0
        UNION ALL
        SELECT {columns}
        FROM products AS p
        TABLESAMPLE SYSTEM ((SELECT coalesce(percent, 0) FROM {share})) REPEATABLE (2)
        WHERE (SELECT percent FROM {share}) IS NOT NULL AND {conditions}
    )
    """
)
_COLUMNS = sql.SQL(
    "p.id, p.brand_id, p.category_id, p.price, p.attributes, p.has_variants, p.track_inventory,"
    " {in_stock} AS in_stock"
)


def with_set(name: str, filters: tuple[str, ...]) -> sql.Composed:
    """Return the CTEs of the set with these filters; `rows` and `share` find it by its name."""
    # A text is not looked for on any page: without its index that takes too long.
    by_pages = "text" not in filters
    return _SET.format(
        found=sql.Identifier(f"{name}_found"),
        matches=sql.Identifier(f"{name}_matches"),
        share=share(name),
        rows=rows(name),
        columns=_COLUMNS.format(in_stock=in_stock_condition(filters)),
        conditions=condition(filters),
        by_pages=sql.SQL("TRUE" if by_pages else "FALSE"),
    )


def rows(name: str) -> sql.Identifier:
    """Return the name of the CTE that has the rows of a set."""
    return sql.Identifier(f"{name}_rows")


def share(name: str) -> sql.Identifier:
    """Return the name of the CTE that says how many products a row of the set stands for."""
    return sql.Identifier(f"{name}_share")
