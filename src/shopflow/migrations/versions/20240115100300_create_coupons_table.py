"""Create the coupons table (§2.5)."""

from alembic import op

revision = "20240115100300"
down_revision = "20240115100200"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE coupons (
            id UUID NOT NULL DEFAULT uuidv7(),
            code VARCHAR(50) NOT NULL,
            discount_type VARCHAR(20) NOT NULL,
            discount_value NUMERIC(12, 2) NOT NULL,
            min_order NUMERIC(12, 2),
            usage_limit INTEGER,
            per_user_limit INTEGER,
            used_count INTEGER NOT NULL DEFAULT 0,
            is_active BOOLEAN NOT NULL DEFAULT true,
            starts_at TIMESTAMPTZ,
            expires_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT coupons_pkey PRIMARY KEY (id),
            CONSTRAINT coupons_code_check CHECK (code ~ '^\S+$'),
            CONSTRAINT coupons_discount_type_check CHECK (
                discount_type IN ('percentage', 'fixed_amount', 'free_shipping')
            ),
            CONSTRAINT coupons_discount_value_positive CHECK (
                discount_value >= 0 AND discount_value < 'NaN'
            ),
            CONSTRAINT coupons_percentage_check CHECK (
                discount_type <> 'percentage' OR discount_value <= 100
            ),
            CONSTRAINT coupons_min_order_positive CHECK (min_order >= 0 AND min_order < 'NaN'),
            CONSTRAINT coupons_usage_limit_positive CHECK (usage_limit > 0),
            CONSTRAINT coupons_per_user_limit_positive CHECK (per_user_limit > 0),
            CONSTRAINT coupons_used_within_limit CHECK (
                used_count >= 0 AND (usage_limit IS NULL OR used_count <= usage_limit)
            ),
            CONSTRAINT coupons_dates_check CHECK (starts_at < expires_at)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX coupons_code_key ON coupons (lower(code))")
    op.execute(
        """
        CREATE TRIGGER coupons_set_updated_at BEFORE UPDATE ON coupons
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE coupons IS 'Discount codes'")
    op.execute(
        "COMMENT ON COLUMN coupons.code IS 'What the customer types, unique without regard to case'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.discount_value IS 'Percent for percentage, an amount for fixed_amount, unused for free_shipping'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.min_order IS 'Subtotal from which the code is valid; NULL for any'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.usage_limit IS 'How often the code can be used in all; NULL without limit'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.per_user_limit IS 'How often one user can use the code; NULL without limit'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.used_count IS 'Rows of coupon_usage, kept by a trigger while there is a usage_limit; not kept without one'"
    )
    op.execute(
        "COMMENT ON COLUMN coupons.starts_at IS 'Valid from this moment; NULL from the beginning'"
    )
    op.execute("COMMENT ON COLUMN coupons.expires_at IS 'Valid before this moment; NULL for ever'")


def downgrade() -> None:
    op.execute("DROP TABLE coupons")
