"""Create the product_variants table (§2.2)."""

from alembic import op

revision = "20240115100110"
down_revision = "20240115100100"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE product_variants (
            id UUID NOT NULL DEFAULT uuidv7(),
            product_id UUID NOT NULL,
            name VARCHAR(255) NOT NULL,
            sku VARCHAR(100) NOT NULL,
            price NUMERIC(12, 2) NOT NULL,
            compare_at_price NUMERIC(12, 2),
            stock_quantity INTEGER NOT NULL DEFAULT 0,
            option_values JSONB NOT NULL DEFAULT '{}',
            sort_order INTEGER NOT NULL DEFAULT 0,
            is_active BOOLEAN NOT NULL DEFAULT true,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT product_variants_pkey PRIMARY KEY (id),
            CONSTRAINT product_variants_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            -- What images, cart lines and order lines refer to, so that a variant is its product's own.
            CONSTRAINT product_variants_product_id_id_key UNIQUE (product_id, id),
            CONSTRAINT product_variants_name_check CHECK (btrim(name) <> ''),
            CONSTRAINT product_variants_sku_check CHECK (btrim(sku) <> ''),
            CONSTRAINT product_variants_price_positive CHECK (price >= 0 AND price < 'NaN'),
            CONSTRAINT product_variants_compare_price CHECK (
                compare_at_price IS NULL OR (compare_at_price > price AND compare_at_price < 'NaN')
            ),
            CONSTRAINT product_variants_stock_non_negative CHECK (stock_quantity >= 0),
            CONSTRAINT product_variants_option_values_check CHECK (jsonb_typeof(option_values) = 'object')
        )
        WITH (fillfactor = 90)
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX product_variants_sku_key ON product_variants (lower(sku)) WHERE is_active"
    )
    op.execute(
        """
        CREATE UNIQUE INDEX product_variants_option_values_key
        ON product_variants (product_id, option_values) WHERE is_active
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_set_updated_at BEFORE UPDATE ON product_variants
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE product_variants IS 'Size/color combinations'")
    op.execute(
        "COMMENT ON COLUMN product_variants.sku IS 'Stock keeping unit, unique without regard to case among active variants'"
    )
    op.execute(
        "COMMENT ON COLUMN product_variants.stock_quantity IS 'Pieces of this variant that can be sold'"
    )
    op.execute(
        """COMMENT ON COLUMN product_variants.option_values IS 'Option name to value: {"Size": "M", "Color": "Red"}'"""
    )
    op.execute(
        "COMMENT ON COLUMN product_variants.sort_order IS 'Place among the variants of the product, smallest first'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE product_variants")
