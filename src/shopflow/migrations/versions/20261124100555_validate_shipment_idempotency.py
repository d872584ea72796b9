"""Validate the check of the shipments' fingerprints while the shop goes on."""

from alembic import op

revision = "20261124100555"
down_revision = "20261124100550"

NAME = "order_shipments_idempotency_fingerprint_check"


def upgrade() -> None:
    op.execute(f"ALTER TABLE order_shipments VALIDATE CONSTRAINT {NAME}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE order_shipments DROP CONSTRAINT {NAME}")
    op.execute(
        f"""
        ALTER TABLE order_shipments ADD CONSTRAINT {NAME} CHECK (
            idempotency_fingerprint IS NULL
            OR (idempotency_key IS NOT NULL AND octet_length(idempotency_fingerprint) = 32)
        ) NOT VALID
        """
    )
