"""Create the order_returns table: goods that came back, and what they are worth."""

from alembic import op

revision = "20261124100505"
down_revision = "20261124100500"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_returns (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            reason TEXT,
            refund_amount NUMERIC(12, 2) NOT NULL,
            idempotency_key VARCHAR(255),
            idempotency_fingerprint BYTEA,
            created_by UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_returns_pkey PRIMARY KEY (id),
            CONSTRAINT order_returns_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_returns_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT order_returns_refund_amount_positive CHECK (
                refund_amount >= 0 AND refund_amount < 'NaN'
            ),
            CONSTRAINT order_returns_idempotency_fingerprint_check CHECK (
                idempotency_fingerprint IS NULL
                OR (idempotency_key IS NOT NULL AND octet_length(idempotency_fingerprint) = 32)
            )
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_order_returns_order_id ON order_returns (order_id, created_at DESC)"
    )
    op.execute(
        """
        CREATE UNIQUE INDEX order_returns_order_id_idempotency_key_key
        ON order_returns (order_id, idempotency_key) WHERE idempotency_key IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX idx_order_returns_created_by ON order_returns (created_by)
        WHERE created_by IS NOT NULL
        """
    )
    op.execute(
        "COMMENT ON TABLE order_returns IS 'Goods that came back, or that a lost parcel will not bring; their lines are order_return_items'"
    )
    op.execute(
        "COMMENT ON COLUMN order_returns.refund_amount IS 'What the lines are worth: their price after discount and with tax, without shipping; refunds say what was paid back'"
    )
    op.execute(
        "COMMENT ON COLUMN order_returns.idempotency_key IS 'The caller''s key: returning again with the same one answers with this return'"
    )
    op.execute(
        "COMMENT ON COLUMN order_returns.idempotency_fingerprint IS 'SHA-256 of the request, so that another request with the same key is refused'"
    )
    op.execute(
        "COMMENT ON COLUMN order_returns.created_by IS 'Who took the goods back; NULL for the shop itself'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE order_returns")
