"""Make a soft-deleted product leave carts and variants, whoever deletes it (§9.3)."""

from alembic import op

revision = "20240115100700"
down_revision = "20240115100610"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION lock_soft_deleted_product() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            PERFORM require_read_committed('deleting a product');
            -- Waits for cart lines being written, which hold FOR KEY SHARE: then they are seen below.
            PERFORM FROM products WHERE id = OLD.id FOR UPDATE;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION clear_soft_deleted_product() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM cart_items WHERE product_id = OLD.id;
            -- Their SKUs can be used again, as the product's own can.
            UPDATE product_variants SET is_active = false WHERE product_id = OLD.id AND is_active;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_soft_delete_lock BEFORE UPDATE OF deleted_at ON products
        FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
        EXECUTE FUNCTION lock_soft_deleted_product()
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_soft_delete AFTER UPDATE OF deleted_at ON products
        FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
        EXECUTE FUNCTION clear_soft_deleted_product()
        """
    )

    op.execute(
        """
        CREATE FUNCTION refuse_variant_of_deleted_product() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            gone timestamptz;
        BEGIN
            -- The lock that the foreign key takes anyway, against a deletion under way.
            SELECT deleted_at INTO gone FROM products WHERE id = NEW.product_id FOR KEY SHARE;
            IF gone IS NOT NULL THEN
                RAISE EXCEPTION 'product % is deleted: its variants stay inactive, their SKUs are free',
                    NEW.product_id
                    USING ERRCODE = 'check_violation',
                        CONSTRAINT = 'product_variants_product_not_deleted', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_product_not_deleted
        BEFORE INSERT OR UPDATE OF is_active, product_id ON product_variants
        FOR EACH ROW WHEN (NEW.is_active) EXECUTE FUNCTION refuse_variant_of_deleted_product()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER product_variants_product_not_deleted ON product_variants")
    op.execute("DROP FUNCTION refuse_variant_of_deleted_product()")
    op.execute("DROP TRIGGER products_soft_delete ON products")
    op.execute("DROP TRIGGER products_soft_delete_lock ON products")
    op.execute("DROP FUNCTION clear_soft_deleted_product()")
    op.execute("DROP FUNCTION lock_soft_deleted_product()")
