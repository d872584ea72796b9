"""Create the order_return_items table: which lines came back, how many, and whether they are sold again."""

from alembic import op

revision = "20261124100510"
down_revision = "20261124100505"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_return_items (
            id UUID NOT NULL DEFAULT uuidv7(),
            return_id UUID NOT NULL,
            order_item_id UUID NOT NULL,
            quantity INTEGER NOT NULL,
            restock BOOLEAN NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_return_items_pkey PRIMARY KEY (id),
            CONSTRAINT order_return_items_return_id_fkey FOREIGN KEY (return_id)
                REFERENCES order_returns (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_return_items_order_item_id_fkey FOREIGN KEY (order_item_id)
                REFERENCES order_items (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_return_items_return_id_order_item_id_restock_key
                UNIQUE (return_id, order_item_id, restock),
            CONSTRAINT order_return_items_quantity_positive CHECK (quantity > 0)
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_order_return_items_order_item_id ON order_return_items (order_item_id)"
    )
    op.execute(
        "COMMENT ON TABLE order_return_items IS 'Lines of a return; of one line some pieces may be sold again and others not'"
    )
    op.execute("COMMENT ON COLUMN order_return_items.quantity IS 'Pieces of the line'")
    op.execute(
        "COMMENT ON COLUMN order_return_items.restock IS 'Whether the pieces are for sale again: a trigger then writes a stock movement, where the line took stock'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE order_return_items")
