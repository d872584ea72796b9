"""Validate the checks of the orders' amounts while the shop goes on."""

from alembic import op

revision = "20261124100350"
down_revision = "20261124100340"

CHECKS = {
    "orders_included_tax_amount_positive": (
        "orders",
        "included_tax_amount >= 0 AND included_tax_amount < 'NaN'",
    ),
    "order_items_discount_amount_check": (
        "order_items",
        "discount_amount = 0 OR (discount_amount > 0 AND discount_amount <= subtotal)",
    ),
    "order_items_tax_amount_positive": ("order_items", "tax_amount >= 0 AND tax_amount < 'NaN'"),
    "order_items_fulfilled_quantity_check": (
        "order_items",
        "fulfilled_quantity BETWEEN 0 AND quantity",
    ),
    "order_items_returned_quantity_check": (
        "order_items",
        "returned_quantity BETWEEN 0 AND fulfilled_quantity",
    ),
}


def upgrade() -> None:
    for name, (table, _) in CHECKS.items():
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for name, (table, condition) in CHECKS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
