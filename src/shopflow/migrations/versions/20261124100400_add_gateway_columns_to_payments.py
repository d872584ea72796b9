"""Add to payments which gateway they are with, and what it said."""

from alembic import op

revision = "20261124100400"
down_revision = "20261124100380"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE payments
            ADD COLUMN gateway VARCHAR(50),
            ADD COLUMN gateway_reference VARCHAR(255),
            ADD COLUMN failure_code VARCHAR(100),
            ADD COLUMN authorized_at TIMESTAMPTZ,
            ADD COLUMN authorization_expires_at TIMESTAMPTZ,
            ADD COLUMN voided_amount NUMERIC(12, 2) NOT NULL DEFAULT 0
        """
    )
    # NOT VALID: no scan under the lock; the next migration validates without one.
    op.execute(
        """
        ALTER TABLE payments
            ADD CONSTRAINT payments_gateway_check CHECK (gateway ~ '^[a-z][a-z0-9_]*$') NOT VALID,
            ADD CONSTRAINT payments_gateway_reference_check CHECK (
                gateway_reference IS NULL OR (gateway IS NOT NULL AND gateway_reference <> '')
            ) NOT VALID,
            ADD CONSTRAINT payments_authorized_check CHECK (
                gateway IS NULL OR status <> 'authorized' OR authorized_at IS NOT NULL
            ) NOT VALID,
            ADD CONSTRAINT payments_voided_amount_check CHECK (
                voided_amount >= 0 AND captured_amount + voided_amount <= amount
            ) NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN payments.gateway IS 'Who takes the money; NULL for a payment recorded as it was, which has no operations'"
    )
    op.execute(
        "COMMENT ON COLUMN payments.gateway_reference IS 'The gateway''s own name for the authorization'"
    )
    op.execute(
        "COMMENT ON COLUMN payments.failure_code IS 'Why it failed: the gateway''s code, or ours'"
    )
    op.execute(
        "COMMENT ON COLUMN payments.authorization_expires_at IS 'Until when the gateway keeps the authorization; NULL when it did not say'"
    )
    op.execute(
        "COMMENT ON COLUMN payments.voided_amount IS 'What of the authorization was given up: it can no longer be captured'"
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE payments
            DROP COLUMN voided_amount,
            DROP COLUMN authorization_expires_at,
            DROP COLUMN authorized_at,
            DROP COLUMN failure_code,
            DROP COLUMN gateway_reference,
            DROP COLUMN gateway
        """
    )
