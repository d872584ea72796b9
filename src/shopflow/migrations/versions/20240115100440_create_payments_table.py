"""Create the payments table (§2.4)."""

from alembic import op

revision = "20240115100440"
down_revision = "20240115100430"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE payments (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            amount NUMERIC(12, 2) NOT NULL,
            captured_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            status VARCHAR(20) NOT NULL DEFAULT 'pending',
            payment_method VARCHAR(50) NOT NULL,
            card_brand VARCHAR(20),
            card_last_four CHAR(4),
            captured_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT payments_pkey PRIMARY KEY (id),
            CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT payments_status_check CHECK (
                status IN ('pending', 'authorized', 'captured', 'failed', 'voided')
            ),
            CONSTRAINT payments_amount_positive CHECK (amount >= 0 AND amount < 'NaN'),
            CONSTRAINT payments_captured_amount_check CHECK (captured_amount BETWEEN 0 AND amount),
            CONSTRAINT payments_captured_check CHECK (
                (status = 'captured') = (captured_at IS NOT NULL)
                AND (status = 'captured' OR captured_amount = 0)
            ),
            CONSTRAINT payments_card_last_four_check CHECK (card_last_four ~ '^[0-9]{4}$')
        )
        """
    )
    op.execute("CREATE INDEX idx_payments_order_id ON payments (order_id, created_at DESC)")
    op.execute(
        """
        CREATE TRIGGER payments_set_updated_at BEFORE UPDATE ON payments
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE payments IS 'Payment transactions'")
    op.execute("COMMENT ON COLUMN payments.amount IS 'What was asked for'")
    op.execute(
        "COMMENT ON COLUMN payments.captured_amount IS 'What was really taken, at most amount'"
    )
    op.execute(
        "COMMENT ON COLUMN payments.card_last_four IS 'Four digits, all of a card number that is ever stored'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE payments")
