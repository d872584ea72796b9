"""Create the order_shipment_items table: which lines of an order a shipment has, and how many."""

from alembic import op

revision = "20261124100500"
down_revision = "20261124100452"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_shipment_items (
            id UUID NOT NULL DEFAULT uuidv7(),
            shipment_id UUID NOT NULL,
            order_item_id UUID NOT NULL,
            quantity INTEGER NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_shipment_items_pkey PRIMARY KEY (id),
            CONSTRAINT order_shipment_items_shipment_id_fkey FOREIGN KEY (shipment_id)
                REFERENCES order_shipments (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_shipment_items_order_item_id_fkey FOREIGN KEY (order_item_id)
                REFERENCES order_items (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_shipment_items_shipment_id_order_item_id_key
                UNIQUE (shipment_id, order_item_id),
            CONSTRAINT order_shipment_items_quantity_positive CHECK (quantity > 0)
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_order_shipment_items_order_item_id ON order_shipment_items (order_item_id)"
    )
    op.execute(
        "COMMENT ON TABLE order_shipment_items IS 'What is in a parcel; a lost or returned parcel was sent all the same, its pieces come back by order_returns'"
    )
    op.execute("COMMENT ON COLUMN order_shipment_items.quantity IS 'Pieces of the line'")


def downgrade() -> None:
    op.execute("DROP TABLE order_shipment_items")
