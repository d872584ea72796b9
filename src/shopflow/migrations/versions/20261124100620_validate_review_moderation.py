"""Validate what moderation columns may hold while the shop goes on."""

from alembic import op

revision = "20261124100620"
down_revision = "20261124100610"

RULES = {
    "product_reviews_rejected_check": """
        CHECK (rejection_reason IS NULL OR (btrim(rejection_reason) <> '' AND NOT is_approved))
    """,
    "product_reviews_moderated_by_fkey": """
        FOREIGN KEY (moderated_by) REFERENCES users (id) ON DELETE SET NULL ON UPDATE CASCADE
    """,
}


def upgrade() -> None:
    for name in RULES:
        op.execute(f"ALTER TABLE product_reviews VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for name, rule in RULES.items():
        op.execute(f"ALTER TABLE product_reviews DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE product_reviews ADD CONSTRAINT {name} {rule} NOT VALID")
