"""Add the index of the reviews that wait for moderation, and that of who moderated."""

from alembic import op

revision = "20261124100660"
down_revision = "20261124100650"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_reviews_queue
            ON product_reviews (updated_at, id) WHERE NOT is_approved AND rejection_reason IS NULL
            """
        )
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_reviews_moderated_by
            ON product_reviews (moderated_by) WHERE moderated_by IS NOT NULL
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_reviews_moderated_by")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_reviews_queue")
