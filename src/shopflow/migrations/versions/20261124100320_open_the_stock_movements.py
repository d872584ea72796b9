"""Write what was in stock before movements were recorded as the first of them."""

from alembic import op

revision = "20261124100320"
down_revision = "20261124100310"


def upgrade() -> None:
    # Orders under way took their stock without a movement: cancelled, they give it back by one.
    op.execute(
        """
        WITH taken AS (
            SELECT i.product_id, i.variant_id, i.order_id, sum(i.quantity) AS quantity
            FROM orders AS o
            JOIN order_items AS i ON i.order_id = o.id
            JOIN products AS p ON p.id = i.product_id
            WHERE o.status IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered')
                AND p.track_inventory AND (i.variant_id IS NOT NULL OR NOT p.has_variants)
                AND NOT EXISTS (SELECT FROM stock_movements AS m WHERE m.order_id = o.id)
            GROUP BY i.product_id, i.variant_id, i.order_id
        )
        INSERT INTO stock_movements (product_id, variant_id, change, reason, order_id)
        SELECT product_id, variant_id, -quantity, 'sale', order_id FROM taken
        """
    )
    # No lock is needed: since the migration before, a change and its movement are one transaction,
    # so this statement's snapshot has both or neither.
    op.execute(
        """
        INSERT INTO stock_movements (product_id, change, reason)
        SELECT p.id, p.stock_quantity - coalesce(m.change, 0), 'initial'
        FROM products AS p
        LEFT JOIN (
            SELECT product_id, sum(change) AS change
            FROM stock_movements WHERE variant_id IS NULL GROUP BY product_id
        ) AS m ON m.product_id = p.id
        WHERE NOT p.has_variants AND p.stock_quantity <> coalesce(m.change, 0)
        """
    )
    op.execute(
        """
        INSERT INTO stock_movements (product_id, variant_id, change, reason)
        SELECT v.product_id, v.id, v.stock_quantity - coalesce(m.change, 0), 'initial'
        FROM product_variants AS v
        LEFT JOIN (
            SELECT variant_id, sum(change) AS change
            FROM stock_movements WHERE variant_id IS NOT NULL GROUP BY variant_id
        ) AS m ON m.variant_id = v.id
        WHERE v.stock_quantity <> coalesce(m.change, 0)
        """
    )


def downgrade() -> None:
    # Movements are never taken back; run again, upgrade() finds the sums right and adds nothing.
    pass
