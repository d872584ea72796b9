"""Write an event for what happens to orders, their payments, refunds and shipments."""

from alembic import op

revision = "20261124100730"
down_revision = "20261124100720"


def upgrade() -> None:
    # Neither the user nor the address: who ordered is no longer told once an account is deleted.
    op.execute(
        """
        CREATE FUNCTION write_order_events() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF is_brought_in() THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'INSERT' THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                SELECT 'order', id, 'order.placed', jsonb_build_object(
                    'order_number', order_number, 'status', status, 'payment_status', payment_status,
                    'fulfillment_status', fulfillment_status, 'currency_code', currency_code,
                    'total_amount', total_amount::text
                )
                FROM new_orders ORDER BY id;
                RETURN NULL;
            END IF;
            INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
            SELECT 'order', NEW.id, change.event_type, jsonb_build_object(
                'order_number', NEW.order_number, 'status', NEW.status,
                'payment_status', NEW.payment_status, 'fulfillment_status', NEW.fulfillment_status,
                'currency_code', NEW.currency_code, 'total_amount', NEW.total_amount::text,
                'previous', change.previous
            )
            FROM (VALUES
                (1, 'order.' || NEW.status, OLD.status, NEW.status),
                (2, 'order.payment_status_changed', OLD.payment_status, NEW.payment_status),
                (3, 'order.fulfillment_status_changed', OLD.fulfillment_status, NEW.fulfillment_status)
            ) AS change (place, event_type, previous, current)
            WHERE previous <> current
            ORDER BY place;
            RETURN NULL;
        END
        $$
        """
    )
    # A statement's orders together: the checkout places many in one.
    op.execute(
        """
        CREATE TRIGGER orders_events_insert AFTER INSERT ON orders
        REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION write_order_events()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_events_update AFTER UPDATE OF status, payment_status, fulfillment_status ON orders
        FOR EACH ROW WHEN (
            (OLD.status, OLD.payment_status, OLD.fulfillment_status)
            <> (NEW.status, NEW.payment_status, NEW.fulfillment_status)
        )
        EXECUTE FUNCTION write_order_events()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_payment_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF NOT is_brought_in() THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                VALUES ('order', NEW.order_id, 'payment.' || NEW.status, jsonb_build_object(
                    'payment_id', NEW.id, 'status', NEW.status, 'amount', NEW.amount::text,
                    'captured_amount', NEW.captured_amount::text
                ));
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_events_insert AFTER INSERT ON payments
        FOR EACH ROW EXECUTE FUNCTION write_payment_event()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_events_update AFTER UPDATE OF status, captured_amount ON payments
        FOR EACH ROW WHEN (
            OLD.status <> NEW.status OR OLD.captured_amount <> NEW.captured_amount
        )
        EXECUTE FUNCTION write_payment_event()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_refund_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF NOT is_brought_in() THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                SELECT 'order', order_id, 'refund.' || NEW.status, jsonb_build_object(
                    'refund_id', NEW.id, 'payment_id', NEW.payment_id, 'status', NEW.status,
                    'amount', NEW.amount::text
                )
                FROM payments WHERE id = NEW.payment_id;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER refunds_events_insert AFTER INSERT ON refunds
        FOR EACH ROW EXECUTE FUNCTION write_refund_event()
        """
    )
    op.execute(
        """
        CREATE TRIGGER refunds_events_update AFTER UPDATE OF status ON refunds
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION write_refund_event()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_shipment_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF NOT is_brought_in() THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                VALUES ('order', NEW.order_id, 'shipment.' || NEW.status, jsonb_build_object(
                    'shipment_id', NEW.id, 'status', NEW.status, 'carrier', NEW.carrier
                ));
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipments_events_insert AFTER INSERT ON order_shipments
        FOR EACH ROW EXECUTE FUNCTION write_shipment_event()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipments_events_update AFTER UPDATE OF status ON order_shipments
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION write_shipment_event()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER order_shipments_events_update ON order_shipments")
    op.execute("DROP TRIGGER order_shipments_events_insert ON order_shipments")
    op.execute("DROP TRIGGER refunds_events_update ON refunds")
    op.execute("DROP TRIGGER refunds_events_insert ON refunds")
    op.execute("DROP TRIGGER payments_events_update ON payments")
    op.execute("DROP TRIGGER payments_events_insert ON payments")
    op.execute("DROP TRIGGER orders_events_update ON orders")
    op.execute("DROP TRIGGER orders_events_insert ON orders")
    op.execute("DROP FUNCTION write_shipment_event()")
    op.execute("DROP FUNCTION write_refund_event()")
    op.execute("DROP FUNCTION write_payment_event()")
    op.execute("DROP FUNCTION write_order_events()")
