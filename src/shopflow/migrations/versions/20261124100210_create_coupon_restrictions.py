"""Create coupon_products and coupon_categories: what a restricted coupon takes something off."""

from alembic import op

revision = "20261124100210"
down_revision = "20261124100200"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE coupon_products (
            coupon_id UUID NOT NULL,
            product_id UUID NOT NULL,
            CONSTRAINT coupon_products_pkey PRIMARY KEY (coupon_id, product_id),
            CONSTRAINT coupon_products_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES coupons (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT coupon_products_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX idx_coupon_products_product_id ON coupon_products (product_id)")
    op.execute(
        """
        CREATE TABLE coupon_categories (
            coupon_id UUID NOT NULL,
            category_id UUID NOT NULL,
            CONSTRAINT coupon_categories_pkey PRIMARY KEY (coupon_id, category_id),
            CONSTRAINT coupon_categories_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES coupons (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT coupon_categories_category_id_fkey FOREIGN KEY (category_id)
                REFERENCES categories (id) ON DELETE CASCADE ON UPDATE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX idx_coupon_categories_category_id ON coupon_categories (category_id)")
    op.execute(
        """
        CREATE FUNCTION restrict_coupon() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE coupons SET is_restricted = true WHERE id = NEW.coupon_id AND NOT is_restricted;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupon_products_restrict AFTER INSERT OR UPDATE OF coupon_id ON coupon_products
        FOR EACH ROW EXECUTE FUNCTION restrict_coupon()
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupon_categories_restrict AFTER INSERT OR UPDATE OF coupon_id ON coupon_categories
        FOR EACH ROW EXECUTE FUNCTION restrict_coupon()
        """
    )
    op.execute(
        "COMMENT ON TABLE coupon_products IS 'Products that a restricted coupon takes something off'"
    )
    op.execute(
        "COMMENT ON TABLE coupon_categories IS 'Categories that a restricted coupon takes something off'"
    )
    op.execute(
        "COMMENT ON COLUMN coupon_categories.category_id IS 'This category and all that are below it'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE coupon_categories")
    op.execute("DROP TABLE coupon_products")
    op.execute("DROP FUNCTION restrict_coupon()")
