"""Add the index by which orders that nobody has paid are found, the oldest first."""

from alembic import op

revision = "20261124100565"
down_revision = "20261124100560"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_unpaid ON orders (placed_at, id)
            WHERE status = 'pending' AND payment_status = 'unpaid'
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_orders_unpaid")
