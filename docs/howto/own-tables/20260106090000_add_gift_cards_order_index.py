"""Add the index of gift cards by order, while the shop goes on."""

from alembic import op

revision = "20260106090000"
down_revision = "20260105120000"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS gift_cards_order_id ON gift_cards (order_id)"
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS gift_cards_order_id")
