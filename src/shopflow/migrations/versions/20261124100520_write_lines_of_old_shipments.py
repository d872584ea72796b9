"""Write the lines of the shipments and returns that there were before lines were kept."""

from alembic import op

revision = "20261124100520"
down_revision = "20261124100515"


def upgrade() -> None:
    # An order that says it was sent was sent whole, in its first shipment; one that says it came
    # back came back whole. Of one in between nobody knows which lines it was.
    op.execute(
        """
        INSERT INTO order_shipment_items (shipment_id, order_item_id, quantity, created_at)
        SELECT s.id, i.id, i.quantity, s.created_at
        FROM orders AS o
        CROSS JOIN LATERAL (
            SELECT id, created_at FROM order_shipments
            WHERE order_id = o.id ORDER BY created_at, id LIMIT 1
        ) AS s
        JOIN order_items AS i ON i.order_id = o.id
        WHERE o.fulfillment_status IN ('fulfilled', 'partially_returned', 'returned')
        """
    )
    op.execute(
        """
        WITH sent_back AS (
            INSERT INTO order_returns (order_id, refund_amount)
            SELECT o.id, 0 FROM orders AS o
            WHERE o.fulfillment_status = 'returned'
                AND EXISTS (SELECT FROM order_shipments WHERE order_id = o.id)
            RETURNING id, order_id
        )
        INSERT INTO order_return_items (return_id, order_item_id, quantity, restock)
        SELECT b.id, i.id, i.quantity, false
        FROM sent_back AS b JOIN order_items AS i ON i.order_id = b.order_id
        """
    )
    op.execute(
        """
        UPDATE order_items AS i
        SET fulfilled_quantity = i.quantity,
            returned_quantity = CASE
                WHEN EXISTS (SELECT FROM order_return_items WHERE order_item_id = i.id)
                THEN i.quantity ELSE 0
            END
        WHERE EXISTS (SELECT FROM order_shipment_items WHERE order_item_id = i.id)
        """
    )


def downgrade() -> None:
    # The lines themselves go with their tables.
    op.execute(
        """
        UPDATE order_items SET fulfilled_quantity = 0, returned_quantity = 0
        WHERE fulfilled_quantity > 0
        """
    )
    op.execute("DELETE FROM order_return_items")
    op.execute("DELETE FROM order_returns")
    op.execute("DELETE FROM order_shipment_items")
