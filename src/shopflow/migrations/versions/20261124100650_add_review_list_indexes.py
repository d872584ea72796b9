"""Add an index for each order in which the approved reviews of a product are listed."""

from alembic import op

revision = "20261124100650"
down_revision = "20261124100640"

ORDERS = {
    "newest": "created_at DESC, id DESC",
    "rating": "rating DESC, created_at DESC, id DESC",
    "verified": "is_verified_purchase DESC, created_at DESC, id DESC",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, order in ORDERS.items():
            op.execute(
                f"""
                CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_reviews_{name}
                ON product_reviews (product_id, {order}) WHERE is_approved
                """
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in ORDERS:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS idx_reviews_{name}")
