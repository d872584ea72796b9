"""Let the database say whether a review's author bought the product; no review by a deleted user."""

from alembic import op

revision = "20261124100630"
down_revision = "20261124100620"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION verify_purchase() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Once seen it stays: the orders of a deleted user no longer say whose they were.
            NEW.is_verified_purchase := (
                TG_OP = 'UPDATE' AND OLD.is_verified_purchase AND NEW.product_id = OLD.product_id
                AND (NEW.user_id IS NULL OR NEW.user_id IS NOT DISTINCT FROM OLD.user_id)
            ) OR EXISTS (
                SELECT FROM orders AS o JOIN order_items AS i ON i.order_id = o.id
                WHERE o.user_id = NEW.user_id AND i.product_id = NEW.product_id
                    AND o.status NOT IN ('cancelled', 'refunded')
                    AND (o.status = 'delivered' OR o.payment_status IN ('paid', 'partially_refunded'))
            );
            RETURN NEW;
        END
        $$
        """
    )
    # Written or approved, but not for every column: setting a moderator is no news.
    op.execute(
        """
        CREATE TRIGGER product_reviews_verify_purchase
        BEFORE INSERT OR UPDATE OF product_id, user_id, rating, title, content, is_approved, is_verified_purchase
        ON product_reviews FOR EACH ROW EXECUTE FUNCTION verify_purchase()
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_reviews_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON product_reviews
        FOR EACH ROW WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION refuse_deleted_user()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER product_reviews_user_not_deleted ON product_reviews")
    op.execute("DROP TRIGGER product_reviews_verify_purchase ON product_reviews")
    op.execute("DROP FUNCTION verify_purchase()")
