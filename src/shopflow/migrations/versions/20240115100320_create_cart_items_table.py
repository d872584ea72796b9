"""Create the cart_items table (§2.3, §3.3, §8.2)."""

from alembic import op

revision = "20240115100320"
down_revision = "20240115100310"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE cart_items (
            id UUID NOT NULL DEFAULT uuidv7(),
            cart_id UUID NOT NULL,
            product_id UUID NOT NULL,
            variant_id UUID,
            quantity INTEGER NOT NULL,
            unit_price NUMERIC(12, 2) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT cart_items_pkey PRIMARY KEY (id),
            CONSTRAINT cart_items_cart_id_fkey FOREIGN KEY (cart_id) REFERENCES carts (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT cart_items_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT cart_items_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT cart_items_quantity_positive CHECK (quantity > 0),
            CONSTRAINT cart_items_unit_price_positive CHECK (unit_price >= 0 AND unit_price < 'NaN')
        )
        """
    )
    op.execute("CREATE INDEX idx_cart_items_cart_id ON cart_items (cart_id)")
    # NULLS NOT DISTINCT: a product without variants is one line, too.
    op.execute(
        """
        CREATE UNIQUE INDEX idx_cart_items_product_variant ON cart_items (cart_id, product_id, variant_id)
        NULLS NOT DISTINCT
        """
    )
    op.execute("CREATE INDEX idx_cart_items_product_id ON cart_items (product_id, variant_id)")
    op.execute(
        """
        CREATE TRIGGER cart_items_set_updated_at BEFORE UPDATE ON cart_items
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_unsellable_line() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            product record;
        BEGIN
            -- The lock that the foreign key takes anyway, taken first: a soft delete under way takes
            -- FOR UPDATE, so one of the two sees the other.
            SELECT deleted_at IS NOT NULL AS deleted, has_variants INTO product
            FROM products WHERE id = NEW.product_id FOR KEY SHARE;
            IF product.deleted THEN
                RAISE EXCEPTION 'product % is deleted', NEW.product_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'cart_items_product_not_deleted',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF product.has_variants AND NEW.variant_id IS NULL THEN
                RAISE EXCEPTION 'product % is sold in variants: name one', NEW.product_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'cart_items_variant_required',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER cart_items_sellable BEFORE INSERT OR UPDATE OF product_id, variant_id ON cart_items
        FOR EACH ROW EXECUTE FUNCTION refuse_unsellable_line()
        """
    )
    op.execute("COMMENT ON TABLE cart_items IS 'Cart line items'")
    op.execute(
        "COMMENT ON COLUMN cart_items.variant_id IS 'Which variant of the product; NULL when it has none'"
    )
    op.execute(
        "COMMENT ON COLUMN cart_items.unit_price IS 'The price when the line was last written; the product may cost another by now'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE cart_items")
    op.execute("DROP FUNCTION refuse_unsellable_line()")
