"""Add to order lines whether their tax is contained in the price: one order may have both kinds."""

from alembic import op

revision = "20261124100362"
down_revision = "20261124100360"


def upgrade() -> None:
    # No line that is there already has any tax.
    op.execute(
        """
        ALTER TABLE order_items
            ADD COLUMN tax_included BOOLEAN NOT NULL DEFAULT false,
            ADD CONSTRAINT order_items_tax_included_check CHECK (
                NOT tax_included OR tax_amount <= subtotal - discount_amount
            ) NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN order_items.tax_included IS 'Whether the price contains tax_amount; otherwise it was added'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE order_items DROP COLUMN tax_included")
