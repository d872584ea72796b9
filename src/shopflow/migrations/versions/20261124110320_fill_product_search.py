"""Write the words of the products that are there, a slice of the table at a time."""

from alembic import op

revision = "20261124110320"
down_revision = "20261124110310"

# Each in a transaction of its own: an edit of a product waits for a slice, not for all.
SLICES = 64

INSERT = """
    INSERT INTO product_search (product_id, document)
    SELECT p.id, search_document(search.language, p.name, b.name, p.tags, p.description)
    FROM products AS p
    CROSS JOIN (SELECT search_language() AS language) AS search
    LEFT JOIN brands AS b ON b.id = p.brand_id
    WHERE {rows} AND p.is_active AND p.deleted_at IS NULL
    ON CONFLICT DO NOTHING
"""
PAGE = """(SELECT format('(%s,0)', pg_relation_size('products') / 8192 * {part} / {parts})::tid)"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for part in range(SLICES):
            first = PAGE.format(part=part, parts=SLICES)
            last = PAGE.format(part=part + 1, parts=SLICES)
            op.execute(INSERT.format(rows=f"p.ctid >= {first} AND p.ctid < {last}"))
        # Those that were moved to a page already read, by a change of something else.
        missing = "NOT EXISTS (SELECT FROM product_search AS s WHERE s.product_id = p.id)"
        op.execute(INSERT.format(rows=missing))
        op.execute(
            """
            INSERT INTO search_words (word, lexeme, products)
            SELECT word, search_lexeme(search_language(), word), ndoc
            FROM ts_stat($$
                SELECT array_to_tsvector(search_words_in(p.name, b.name, p.tags, p.description))
                FROM products AS p LEFT JOIN brands AS b ON b.id = p.brand_id
                WHERE p.is_active AND p.deleted_at IS NULL
            $$)
            ON CONFLICT DO NOTHING
            """
        )


def downgrade() -> None:
    # They go with their tables.
    pass
