"""Create the shipping_methods table (§2.6)."""

from alembic import op

revision = "20240115100610"
down_revision = "20240115100600"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE shipping_methods (
            id UUID NOT NULL DEFAULT uuidv7(),
            zone_id UUID NOT NULL,
            name VARCHAR(100) NOT NULL,
            carrier VARCHAR(100) NOT NULL,
            price NUMERIC(12, 2) NOT NULL,
            estimated_days INTEGER,
            free_above NUMERIC(12, 2),
            is_active BOOLEAN NOT NULL DEFAULT true,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT shipping_methods_pkey PRIMARY KEY (id),
            CONSTRAINT shipping_methods_zone_id_fkey FOREIGN KEY (zone_id) REFERENCES shipping_zones (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT shipping_methods_name_check CHECK (btrim(name) <> ''),
            CONSTRAINT shipping_methods_price_positive CHECK (price >= 0 AND price < 'NaN'),
            CONSTRAINT shipping_methods_free_above_positive CHECK (free_above >= 0 AND free_above < 'NaN'),
            CONSTRAINT shipping_methods_estimated_days_positive CHECK (estimated_days >= 0)
        )
        """
    )
    op.execute("CREATE INDEX idx_shipping_methods_zone_id ON shipping_methods (zone_id)")
    op.execute(
        """
        CREATE TRIGGER shipping_methods_set_updated_at BEFORE UPDATE ON shipping_methods
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE shipping_methods IS 'Available shipping options'")
    op.execute(
        "COMMENT ON COLUMN shipping_methods.free_above IS 'Subtotal from which it costs nothing; NULL for never'"
    )
    op.execute(
        "COMMENT ON COLUMN shipping_methods.estimated_days IS 'Days from shipment to delivery; NULL when not known'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE shipping_methods")
