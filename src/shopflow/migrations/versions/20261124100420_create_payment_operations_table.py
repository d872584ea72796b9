"""Create payment_operations: each call of a gateway, written down before it is made."""

from alembic import op

revision = "20261124100420"
down_revision = "20261124100410"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE payment_operations (
            id UUID NOT NULL DEFAULT uuidv7(),
            payment_id UUID NOT NULL,
            refund_id UUID,
            kind VARCHAR(20) NOT NULL,
            amount NUMERIC(12, 2) NOT NULL,
            status VARCHAR(20) NOT NULL DEFAULT 'pending',
            idempotency_key VARCHAR(255) NOT NULL,
            gateway_reference VARCHAR(255),
            error_code VARCHAR(100),
            then_capture BOOLEAN NOT NULL DEFAULT false,
            closes_order BOOLEAN NOT NULL DEFAULT false,
            attempts INTEGER NOT NULL DEFAULT 0,
            attempted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT payment_operations_pkey PRIMARY KEY (id),
            CONSTRAINT payment_operations_payment_id_fkey FOREIGN KEY (payment_id)
                REFERENCES payments (id) ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT payment_operations_refund_id_fkey FOREIGN KEY (refund_id)
                REFERENCES refunds (id) ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT payment_operations_idempotency_key_key UNIQUE (idempotency_key),
            CONSTRAINT payment_operations_refund_id_key UNIQUE (refund_id),
            CONSTRAINT payment_operations_kind_check CHECK (
                kind IN ('authorize', 'capture', 'void', 'refund')
            ),
            CONSTRAINT payment_operations_status_check CHECK (
                status IN ('pending', 'unknown', 'succeeded', 'declined', 'failed')
            ),
            CONSTRAINT payment_operations_amount_positive CHECK (amount >= 0 AND amount < 'NaN'),
            CONSTRAINT payment_operations_refund_check CHECK (
                (kind = 'refund') = (refund_id IS NOT NULL)
            ),
            CONSTRAINT payment_operations_error_code_check CHECK (
                (status IN ('pending', 'succeeded')) = (error_code IS NULL)
            ),
            CONSTRAINT payment_operations_then_capture_check CHECK (
                kind = 'authorize' OR NOT then_capture
            ),
            CONSTRAINT payment_operations_closes_order_check CHECK (kind = 'refund' OR NOT closes_order),
            CONSTRAINT payment_operations_attempts_positive CHECK (attempts >= 0),
            CONSTRAINT payment_operations_idempotency_key_check CHECK (idempotency_key <> '')
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_payment_operations_payment_id ON payment_operations (payment_id, created_at)"
    )
    op.execute(
        """
        CREATE UNIQUE INDEX payment_operations_authorize_key ON payment_operations (payment_id)
        WHERE kind = 'authorize'
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX payment_operations_reference_key
        ON payment_operations (payment_id, kind, gateway_reference) WHERE gateway_reference IS NOT NULL
        """
    )
    # What recovery looks through: nearly empty, however many operations there are.
    op.execute(
        """
        CREATE INDEX idx_payment_operations_open ON payment_operations (attempted_at)
        WHERE status IN ('pending', 'unknown')
        """
    )
    op.execute(
        """
        CREATE TRIGGER payment_operations_set_updated_at BEFORE UPDATE ON payment_operations
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        "COMMENT ON TABLE payment_operations IS 'What was asked of a gateway: written and committed before the call, its result after it'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.refund_id IS 'The refund that it executes; whose status is then this one''s'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.status IS 'pending: not answered yet; unknown: the call was made and its answer lost; declined: refused by the gateway; failed: it never happened'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.idempotency_key IS 'Our name for it, at the gateway too: however often it is asked for, it happens once'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.gateway_reference IS 'The gateway''s own name for it'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.error_code IS 'Why it was declined or failed, or why its outcome is unknown'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.then_capture IS 'Whether what is authorized is to be captured at once'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.closes_order IS 'Whether the order becomes refunded once all that was captured is given back'"
    )
    op.execute(
        "COMMENT ON COLUMN payment_operations.attempted_at IS 'When the gateway was last asked, or is being asked: recovery leaves it alone for a while after that'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE payment_operations")
