"""Let the lines of shipments say how much of an order line was sent, whoever writes them."""

from alembic import op

revision = "20261124100525"
down_revision = "20261124100520"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION count_fulfilled_quantity() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            touched uuid[];
            fault record;
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                SELECT array_agg(id) INTO touched FROM order_items WHERE fulfilled_quantity > 0;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT order_item_id) INTO touched FROM new_rows;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT order_item_id) INTO touched FROM old_rows;
            ELSE
                SELECT array_agg(DISTINCT item) INTO touched
                FROM (
                    SELECT order_item_id AS item FROM old_rows
                    UNION ALL SELECT order_item_id FROM new_rows
                ) AS changed;
            END IF;
            IF touched IS NULL THEN
                RETURN NULL;
            END IF;
            PERFORM require_read_committed('sending an order');
            -- First the locks, in key order; then statements of their own, which see what whoever
            -- held a lock before us has sent. A cancellation waits for it, and so does who adds a
            -- line, whose foreign key holds FOR KEY SHARE.
            PERFORM FROM orders
            WHERE id IN (SELECT order_id FROM order_items WHERE id = ANY (touched))
            ORDER BY id FOR UPDATE;
            SELECT s.id AS shipment, s.order_id AS its_order, i.id AS item, i.order_id AS other_order
            INTO fault
            FROM order_shipment_items AS l
            JOIN order_shipments AS s ON s.id = l.shipment_id
            JOIN order_items AS i ON i.id = l.order_item_id
            WHERE i.id = ANY (touched) AND s.order_id <> i.order_id
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'shipment % is of order %, and line % of order %',
                    fault.shipment, fault.its_order, fault.item, fault.other_order
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'order_shipment_items_same_order',
                        TABLE = TG_TABLE_NAME;
            END IF;
            -- What a cancelled order had not sent was given back; so that has to stay as it was.
            SELECT o.id, o.status INTO fault
            FROM order_items AS i
            JOIN orders AS o ON o.id = i.order_id
            WHERE i.id = ANY (touched) AND o.status NOT IN ('confirmed', 'processing', 'shipped')
                AND i.fulfilled_quantity <> (
                    SELECT coalesce(sum(l.quantity), 0)
                    FROM order_shipment_items AS l WHERE l.order_item_id = i.id
                )
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'order % is %: its goods are sent while it is confirmed, processing or shipped',
                    fault.id, fault.status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'order_shipment_items_order_status',
                        TABLE = TG_TABLE_NAME;
            END IF;
            UPDATE order_items AS i
            SET fulfilled_quantity = sent.quantity
            FROM (
                SELECT t.id, coalesce(sum(l.quantity), 0) AS quantity
                FROM unnest(touched) AS t (id)
                LEFT JOIN order_shipment_items AS l ON l.order_item_id = t.id
                GROUP BY t.id
            ) AS sent
            WHERE i.id = sent.id AND i.fulfilled_quantity <> sent.quantity
                -- Otherwise the order is being deleted with all that it has.
                AND EXISTS (SELECT FROM orders AS o WHERE o.id = i.order_id);
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipment_items_count_insert AFTER INSERT ON order_shipment_items
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_fulfilled_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipment_items_count_update AFTER UPDATE ON order_shipment_items
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_fulfilled_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipment_items_count_delete AFTER DELETE ON order_shipment_items
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_fulfilled_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_shipment_items_count_truncate AFTER TRUNCATE ON order_shipment_items
        FOR EACH STATEMENT EXECUTE FUNCTION count_fulfilled_quantity()
        """
    )


def downgrade() -> None:
    for event in ("truncate", "delete", "update", "insert"):
        op.execute(f"DROP TRIGGER order_shipment_items_count_{event} ON order_shipment_items")
    op.execute("DROP FUNCTION count_fulfilled_quantity()")
