"""Add to returns whether their worth is given back in another way than by refunds."""

from alembic import op

revision = "20261124100902"
down_revision = "20261124100800"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE order_returns ADD COLUMN refunded_elsewhere BOOLEAN NOT NULL DEFAULT false"
    )
    op.execute(
        "COMMENT ON COLUMN order_returns.refunded_elsewhere IS 'Whether refund_amount is given back in another way than by refunds of the order''s payments, such as store credit'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE order_returns DROP COLUMN refunded_elsewhere")
