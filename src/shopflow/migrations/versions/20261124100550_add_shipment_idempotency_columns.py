"""Add to shipments the key by which a repeated request is known again."""

from alembic import op

revision = "20261124100550"
down_revision = "20261124100545"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE order_shipments
            ADD COLUMN idempotency_key VARCHAR(255),
            ADD COLUMN idempotency_fingerprint BYTEA,
            ADD CONSTRAINT order_shipments_idempotency_fingerprint_check CHECK (
                idempotency_fingerprint IS NULL
                OR (idempotency_key IS NOT NULL AND octet_length(idempotency_fingerprint) = 32)
            ) NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN order_shipments.idempotency_key IS 'The caller''s key: shipping again with the same one answers with this shipment'"
    )
    op.execute(
        "COMMENT ON COLUMN order_shipments.idempotency_fingerprint IS 'SHA-256 of the request, so that another request with the same key is refused'"
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE order_shipments
            DROP COLUMN idempotency_fingerprint, DROP COLUMN idempotency_key
        """
    )
