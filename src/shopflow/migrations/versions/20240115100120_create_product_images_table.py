"""Create the product_images table (§2.2)."""

from alembic import op

revision = "20240115100120"
down_revision = "20240115100110"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE product_images (
            id UUID NOT NULL DEFAULT uuidv7(),
            product_id UUID NOT NULL,
            variant_id UUID,
            url TEXT NOT NULL,
            alt_text TEXT,
            sort_order INTEGER NOT NULL DEFAULT 0,
            is_primary BOOLEAN NOT NULL DEFAULT false,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT product_images_pkey PRIMARY KEY (id),
            CONSTRAINT product_images_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT product_images_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id)
                ON DELETE SET NULL (variant_id) ON UPDATE CASCADE,
            CONSTRAINT product_images_url_check CHECK (btrim(url) <> '')
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_product_images_product_id ON product_images (product_id, sort_order)"
    )
    op.execute(
        """
        CREATE INDEX idx_product_images_variant_id ON product_images (product_id, variant_id)
        WHERE variant_id IS NOT NULL
        """
    )
    # Covering: a listing takes the URL from the index alone.
    op.execute(
        """
        CREATE UNIQUE INDEX product_images_primary_key ON product_images (product_id) INCLUDE (url)
        WHERE is_primary
        """
    )
    op.execute("COMMENT ON TABLE product_images IS 'Product media'")
    op.execute(
        "COMMENT ON COLUMN product_images.variant_id IS 'The variant it shows; NULL for the product as a whole'"
    )
    op.execute(
        "COMMENT ON COLUMN product_images.is_primary IS 'The one shown in listings; at most one a product'"
    )
    op.execute(
        "COMMENT ON COLUMN product_images.sort_order IS 'Place among the images of the product, smallest first'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE product_images")
