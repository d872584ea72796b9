"""Index the words of products (§3.2), in place of an index on the products themselves."""

from alembic import op

revision = "20261124110330"
down_revision = "20261124110320"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_products_search")
        # Without fastupdate, whose list every search would read besides.
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_products_search
            ON product_search USING gin (document) WITH (fastupdate = off)
            """
        )
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_product_search_popularity
            ON product_search (popularity DESC, product_id DESC)
            """
        )
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_brands_name_prefix
            ON brands (lower(name) text_pattern_ops)
            """
        )
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_categories_name_prefix
            ON categories (lower(name) text_pattern_ops)
            """
        )
        # Before its first query: what it reads for a word depends on how many have it.
        op.execute("ANALYZE product_search, search_words")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_categories_name_prefix")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_brands_name_prefix")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_product_search_popularity")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_products_search")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_products_search ON products USING gin (
                to_tsvector('english', coalesce(name, '') || ' ' || coalesce(description, ''))
            )
            """
        )
