"""Let the database keep orders.fulfillment_status from what was sent and what came back."""

from alembic import op

revision = "20261124100540"
down_revision = "20261124100535"


def upgrade() -> None:
    # A table function of one query, without settings of its own: such a one is planned into the
    # statement that calls it.
    op.execute(
        """
        CREATE FUNCTION derived_fulfillment_status(order_id uuid)
        RETURNS TABLE (fulfillment_status text) LANGUAGE sql STABLE AS $$
            SELECT CASE
                WHEN coalesce(sum(i.fulfilled_quantity), 0) = 0 THEN 'unfulfilled'
                WHEN sum(i.returned_quantity) = sum(i.quantity) THEN 'returned'
                WHEN sum(i.returned_quantity) > 0 THEN 'partially_returned'
                WHEN sum(i.fulfilled_quantity) = sum(i.quantity) THEN 'fulfilled'
                ELSE 'partially_fulfilled'
            END
            FROM order_items AS i
            WHERE i.order_id = $1
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION derived_fulfillment_status(uuid) IS 'What orders.fulfillment_status of this order has to be'"
    )
    op.execute(
        """
        CREATE FUNCTION keep_fulfillment_status() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            touched uuid[];
        BEGIN
            IF TG_OP = 'INSERT' THEN
                -- A new order has sent nothing, which every checkout comes by: no lock for that.
                -- Whoever sends waits for lines that are being added, which hold the order's key.
                -- An old snapshot may not know what was sent.
                -- By key: a join with so many rows as the session's first statement had would
                -- be planned for that many ever after.
                SELECT array_agg(DISTINCT order_id) INTO touched FROM new_rows;
                SELECT array_agg(id) INTO touched
                FROM orders
                WHERE id = ANY (touched)
                    AND (fulfillment_status <> 'unfulfilled'
                        OR current_setting('transaction_isolation') <> 'read committed');
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT order_id) INTO touched FROM old_rows;
            ELSE
                SELECT array_agg(DISTINCT n.order_id) INTO touched
                FROM old_rows AS o FULL JOIN new_rows AS n USING (id)
                WHERE (o.quantity, o.fulfilled_quantity, o.returned_quantity)
                    IS DISTINCT FROM (n.quantity, n.fulfilled_quantity, n.returned_quantity)
                    AND n.order_id IS NOT NULL;
            END IF;
            IF touched IS NULL THEN
                RETURN NULL;
            END IF;
            PERFORM require_read_committed('changing what is to be sent of an order');
            -- First the locks, in key order; then a statement of its own, so that it sees the lines
            -- of a transaction that held a lock before us.
            PERFORM FROM orders WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
            UPDATE orders AS o
            SET fulfillment_status = d.fulfillment_status
            FROM orders AS t
            CROSS JOIN LATERAL derived_fulfillment_status(t.id) AS d
            WHERE t.id = ANY (touched) AND o.id = t.id
                AND o.fulfillment_status <> d.fulfillment_status;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_items_keep_fulfillment_status_insert AFTER INSERT ON order_items
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION keep_fulfillment_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_items_keep_fulfillment_status_update AFTER UPDATE ON order_items
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION keep_fulfillment_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_items_keep_fulfillment_status_delete AFTER DELETE ON order_items
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION keep_fulfillment_status()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_fulfillment_status() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            derived text;
        BEGIN
            SELECT d.fulfillment_status INTO derived FROM derived_fulfillment_status(NEW.id) AS d;
            IF NEW.fulfillment_status <> derived THEN
                RAISE EXCEPTION 'order % is % by its shipments and returns, not %: change those',
                    NEW.id, derived, NEW.fulfillment_status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_fulfillment_status_derived',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_fulfillment_status_begins_unfulfilled AFTER INSERT ON orders
        FOR EACH ROW WHEN (NEW.fulfillment_status <> 'unfulfilled')
        EXECUTE FUNCTION refuse_other_fulfillment_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_fulfillment_status_derived AFTER UPDATE OF fulfillment_status ON orders
        FOR EACH ROW WHEN (OLD.fulfillment_status <> NEW.fulfillment_status)
        EXECUTE FUNCTION refuse_other_fulfillment_status()
        """
    )
    op.execute(
        "COMMENT ON COLUMN orders.fulfillment_status IS 'What was sent and what came back: kept by the database, and no other value is taken'"
    )


def downgrade() -> None:
    op.execute("COMMENT ON COLUMN orders.fulfillment_status IS NULL")
    op.execute("DROP TRIGGER orders_fulfillment_status_derived ON orders")
    op.execute("DROP TRIGGER orders_fulfillment_status_begins_unfulfilled ON orders")
    op.execute("DROP FUNCTION refuse_other_fulfillment_status()")
    for event in ("delete", "update", "insert"):
        op.execute(f"DROP TRIGGER order_items_keep_fulfillment_status_{event} ON order_items")
    op.execute("DROP FUNCTION keep_fulfillment_status()")
    op.execute("DROP FUNCTION derived_fulfillment_status(uuid)")
