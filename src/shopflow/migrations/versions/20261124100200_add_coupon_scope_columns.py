"""Add coupons.first_order_only and coupons.is_restricted (§2.5)."""

from alembic import op

revision = "20261124100200"
down_revision = "20261124100199"


def upgrade() -> None:
    op.execute("ALTER TABLE coupons ADD COLUMN first_order_only BOOLEAN NOT NULL DEFAULT false")
    op.execute("ALTER TABLE coupons ADD COLUMN is_restricted BOOLEAN NOT NULL DEFAULT false")
    op.execute(
        "COMMENT ON COLUMN coupons.first_order_only IS 'Valid only for a user without another order that is not cancelled'"
    )
    # A flag, and not the existence of rows: the last product deleted from the catalogue would
    # turn a coupon for one product into one for everything.
    op.execute(
        "COMMENT ON COLUMN coupons.is_restricted IS 'Whether it takes off only what coupon_products and coupon_categories name; set by naming one, never unset by a deletion'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.max_discount IS 'The most that it takes off the lines of one order; NULL without limit'"
    )


def downgrade() -> None:
    op.execute(
        "COMMENT ON COLUMN coupons.max_discount IS 'The most that a percentage takes off one order; NULL without limit'"
    )
    op.execute("ALTER TABLE coupons DROP COLUMN is_restricted")
    op.execute("ALTER TABLE coupons DROP COLUMN first_order_only")
