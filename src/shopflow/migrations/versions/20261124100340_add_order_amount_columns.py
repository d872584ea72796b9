"""Add what a line and an order come to after discount and tax, and how much was sent and came back."""

from alembic import op

revision = "20261124100340"
down_revision = "20261124100330"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE orders ADD COLUMN included_tax_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            ADD CONSTRAINT orders_included_tax_amount_positive CHECK (
                included_tax_amount >= 0 AND included_tax_amount < 'NaN'
            ) NOT VALID
        """
    )
    op.execute(
        """
        ALTER TABLE order_items
            ADD COLUMN discount_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            ADD COLUMN tax_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            ADD COLUMN fulfilled_quantity INTEGER NOT NULL DEFAULT 0,
            ADD COLUMN returned_quantity INTEGER NOT NULL DEFAULT 0,
            ADD CONSTRAINT order_items_discount_amount_check CHECK (
                discount_amount = 0 OR (discount_amount > 0 AND discount_amount <= subtotal)
            ) NOT VALID,
            ADD CONSTRAINT order_items_tax_amount_positive CHECK (
                tax_amount >= 0 AND tax_amount < 'NaN'
            ) NOT VALID,
            ADD CONSTRAINT order_items_fulfilled_quantity_check CHECK (
                fulfilled_quantity BETWEEN 0 AND quantity
            ) NOT VALID,
            ADD CONSTRAINT order_items_returned_quantity_check CHECK (
                returned_quantity BETWEEN 0 AND fulfilled_quantity
            ) NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN orders.tax_amount IS 'Tax added to the prices; what they contain is included_tax_amount'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.included_tax_amount IS 'Tax contained in the prices, for the invoice; no part of the sum that total_amount is'"
    )
    op.execute(
        "COMMENT ON COLUMN order_items.discount_amount IS 'This line''s share of the order''s discount'"
    )
    op.execute(
        "COMMENT ON COLUMN order_items.tax_amount IS 'Tax on the line after its discount, added to it or contained in it'"
    )
    op.execute(
        "COMMENT ON COLUMN order_items.fulfilled_quantity IS 'Pieces that were sent, kept by a trigger on order_shipment_items'"
    )
    op.execute(
        "COMMENT ON COLUMN order_items.returned_quantity IS 'Pieces that came back, kept by a trigger on order_return_items'"
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE order_items DROP COLUMN returned_quantity, DROP COLUMN fulfilled_quantity,
            DROP COLUMN tax_amount, DROP COLUMN discount_amount
        """
    )
    op.execute("ALTER TABLE orders DROP COLUMN included_tax_amount")
    op.execute("COMMENT ON COLUMN orders.tax_amount IS NULL")
