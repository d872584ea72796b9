"""Create the order_items table (§2.4)."""

from alembic import op

revision = "20240115100410"
down_revision = "20240115100400"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_items (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            product_id UUID NOT NULL,
            variant_id UUID,
            product_name VARCHAR(255) NOT NULL,
            variant_name VARCHAR(255),
            sku VARCHAR(100) NOT NULL,
            quantity INTEGER NOT NULL,
            unit_price NUMERIC(12, 2) NOT NULL,
            subtotal NUMERIC(12, 2) NOT NULL,
            image_url TEXT,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_items_pkey PRIMARY KEY (id),
            CONSTRAINT order_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_items_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT order_items_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id) ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT order_items_quantity_positive CHECK (quantity > 0),
            CONSTRAINT order_items_unit_price_positive CHECK (unit_price >= 0 AND unit_price < 'NaN'),
            CONSTRAINT order_items_subtotal_check CHECK (subtotal = quantity * unit_price)
        )
        """
    )
    op.execute("CREATE INDEX idx_order_items_order_id ON order_items (order_id)")
    op.execute("CREATE INDEX idx_order_items_product_id ON order_items (product_id, variant_id)")
    op.execute(
        "COMMENT ON TABLE order_items IS 'Order line items, with names and prices as they were when ordered'"
    )
    op.execute(
        "COMMENT ON COLUMN order_items.subtotal IS 'quantity x unit_price, before the order''s discount'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE order_items")
