"""Validate the check of tax that a line's price contains, while the shop goes on."""

from alembic import op

revision = "20261124100364"
down_revision = "20261124100362"

CONDITION = "NOT tax_included OR tax_amount <= subtotal - discount_amount"


def upgrade() -> None:
    op.execute("ALTER TABLE order_items VALIDATE CONSTRAINT order_items_tax_included_check")


def downgrade() -> None:
    op.execute("ALTER TABLE order_items DROP CONSTRAINT order_items_tax_included_check")
    op.execute(
        f"""
        ALTER TABLE order_items
        ADD CONSTRAINT order_items_tax_included_check CHECK ({CONDITION}) NOT VALID
        """
    )
