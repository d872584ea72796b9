"""Add the full-text index of products (§3.2, §6.1)."""

from alembic import op

revision = "20240115100200"
down_revision = "20240115100150"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_products_search ON products USING gin (
                to_tsvector('english', coalesce(name, '') || ' ' || coalesce(description, ''))
            )
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_products_search")
