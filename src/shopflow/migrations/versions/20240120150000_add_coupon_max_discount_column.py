"""Add coupons.max_discount (§2.5, §6.1)."""

from alembic import op

revision = "20240120150000"
down_revision = "20240115100710"


def upgrade() -> None:
    op.execute("ALTER TABLE coupons ADD COLUMN max_discount NUMERIC(12, 2)")
    # NOT VALID: no scan under the lock; the next migration validates it without one.
    op.execute(
        """
        ALTER TABLE coupons ADD CONSTRAINT coupons_max_discount_positive CHECK (
            max_discount >= 0 AND max_discount < 'NaN'
        ) NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN coupons.max_discount IS 'The most that a percentage takes off one order; NULL without limit'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE coupons DROP COLUMN max_discount")
