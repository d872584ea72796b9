"""Make a cancelled order give back its stock and its use of a coupon, once, whoever cancels it."""

from alembic import op

revision = "20261124100360"
down_revision = "20261124100350"


def upgrade() -> None:
    # Statuses never lead back to where they were, so an order is cancelled once at most.
    op.execute(
        """
        CREATE FUNCTION give_back_cancelled_order() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- It may be somebody else's, to have the movements change nothing.
            IF pg_trigger_depth() = 1 THEN
                PERFORM set_config('shopflow.stock_in_step', '', true);
            END IF;
            PERFORM require_read_committed('cancelling an order');
            -- What was sent is with the customer. Never more than the order has taken: what took no
            -- stock has no movement to undo. A product that has got variants since has no stock of
            -- its own any more.
            INSERT INTO stock_movements (product_id, variant_id, change, reason, order_id, created_by)
            SELECT i.product_id, i.variant_id, least(i.quantity, taken.quantity), 'cancellation',
                NEW.id, nullif(current_setting('shopflow.actor', true), '')::uuid
            FROM (
                SELECT product_id, variant_id, sum(quantity - fulfilled_quantity) AS quantity
                FROM order_items WHERE order_id = NEW.id GROUP BY product_id, variant_id
            ) AS i
            JOIN products AS p ON p.id = i.product_id
            CROSS JOIN LATERAL (
                SELECT -sum(m.change) AS quantity
                FROM stock_movements AS m
                WHERE m.order_id = NEW.id AND m.product_id = i.product_id
                    AND m.variant_id IS NOT DISTINCT FROM i.variant_id
            ) AS taken
            WHERE (i.variant_id IS NOT NULL OR NOT p.has_variants)
                AND least(i.quantity, taken.quantity) > 0;
            DELETE FROM coupon_usage WHERE order_id = NEW.id;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_cancelled_gives_back AFTER UPDATE OF status ON orders
        FOR EACH ROW WHEN (NEW.status = 'cancelled' AND OLD.status <> 'cancelled')
        EXECUTE FUNCTION give_back_cancelled_order()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER orders_cancelled_gives_back ON orders")
    op.execute("DROP FUNCTION give_back_cancelled_order()")
