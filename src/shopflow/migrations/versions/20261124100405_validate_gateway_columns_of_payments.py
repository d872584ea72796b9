"""Validate the checks of the gateway columns while the shop goes on."""

from alembic import op

revision = "20261124100405"
down_revision = "20261124100400"

CHECKS = {
    "payments_gateway_check": "gateway ~ '^[a-z][a-z0-9_]*$'",
    "payments_gateway_reference_check": (
        "gateway_reference IS NULL OR (gateway IS NOT NULL AND gateway_reference <> '')"
    ),
    "payments_authorized_check": (
        "gateway IS NULL OR status <> 'authorized' OR authorized_at IS NOT NULL"
    ),
    "payments_voided_amount_check": (
        "voided_amount >= 0 AND captured_amount + voided_amount <= amount"
    ),
}


def upgrade() -> None:
    for name in CHECKS:
        op.execute(f"ALTER TABLE payments VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for name, condition in CHECKS.items():
        op.execute(f"ALTER TABLE payments DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE payments ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
