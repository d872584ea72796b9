"""Create the order_shipments table (§2.4)."""

from alembic import op

revision = "20240115100430"
down_revision = "20240115100420"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_shipments (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            carrier VARCHAR(100) NOT NULL,
            tracking_number VARCHAR(100),
            status VARCHAR(20) NOT NULL DEFAULT 'pending',
            estimated_delivery DATE,
            shipped_at TIMESTAMPTZ,
            delivered_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_shipments_pkey PRIMARY KEY (id),
            CONSTRAINT order_shipments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_shipments_status_check CHECK (
                status IN ('pending', 'shipped', 'in_transit', 'delivered', 'returned', 'lost')
            ),
            CONSTRAINT order_shipments_delivered_check CHECK (
                status <> 'delivered' OR delivered_at IS NOT NULL
            )
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_order_shipments_order_id ON order_shipments (order_id, created_at DESC)"
    )
    op.execute(
        """
        CREATE TRIGGER order_shipments_set_updated_at BEFORE UPDATE ON order_shipments
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE order_shipments IS 'Shipment tracking'")
    op.execute(
        "COMMENT ON COLUMN order_shipments.estimated_delivery IS 'Day on which it should arrive; NULL when not known'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE order_shipments")
