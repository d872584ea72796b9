"""Validate the check of coupons.max_discount while the shop goes on."""

from alembic import op

revision = "20240120150100"
down_revision = "20240120150000"


def upgrade() -> None:
    op.execute("ALTER TABLE coupons VALIDATE CONSTRAINT coupons_max_discount_positive")


def downgrade() -> None:
    op.execute("ALTER TABLE coupons DROP CONSTRAINT coupons_max_discount_positive")
    op.execute(
        """
        ALTER TABLE coupons ADD CONSTRAINT coupons_max_discount_positive CHECK (
            max_discount >= 0 AND max_discount < 'NaN'
        ) NOT VALID
        """
    )
