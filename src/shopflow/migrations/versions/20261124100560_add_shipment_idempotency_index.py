"""Add the unique index of the shipments' idempotency keys."""

from alembic import op

revision = "20261124100560"
down_revision = "20261124100555"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS order_shipments_order_id_idempotency_key_key
            ON order_shipments (order_id, idempotency_key) WHERE idempotency_key IS NOT NULL
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS order_shipments_order_id_idempotency_key_key")
