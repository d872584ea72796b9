"""Let the database keep orders.payment_status from the order's payments and refunds."""

from alembic import op

revision = "20261124100450"
down_revision = "20261124100440"


def upgrade() -> None:
    # A table function of one query, without settings of its own: such a one is planned into the
    # statement that calls it, so that 2,500 orders are not 2,500 calls.
    op.execute(
        """
        CREATE FUNCTION derived_payment_status(order_id uuid, total numeric)
        RETURNS TABLE (payment_status text) LANGUAGE sql STABLE AS $$
            SELECT CASE
                WHEN coalesce(paid.captures, 0) = 0
                    THEN CASE WHEN paid.authorizations > 0 THEN 'authorized' ELSE 'unpaid' END
                WHEN paid.refunded > 0 AND paid.refunded >= paid.captured THEN 'refunded'
                WHEN paid.refunded > 0 THEN 'partially_refunded'
                WHEN paid.captured >= $2 THEN 'paid'
                ELSE 'partially_paid'
            END
            FROM (
                SELECT
                    count(*) FILTER (WHERE p.status = 'captured') AS captures,
                    count(*) FILTER (WHERE p.status = 'authorized') AS authorizations,
                    coalesce(sum(p.captured_amount), 0) AS captured,
                    coalesce(sum((
                        SELECT sum(r.amount) FROM refunds AS r
                        WHERE r.payment_id = p.id AND r.status = 'succeeded'
                    )), 0) AS refunded
                FROM payments AS p
                WHERE p.order_id = $1
            ) AS paid
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION derived_payment_status(uuid, numeric) IS 'What orders.payment_status of an order with this total has to be'"
    )
    op.execute(
        """
        CREATE FUNCTION keep_payment_status() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            touched uuid[];
            changed uuid[];
        BEGIN
            IF TG_TABLE_NAME = 'payments' AND TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT order_id) INTO touched
                FROM new_rows WHERE status IN ('authorized', 'captured');
            ELSIF TG_TABLE_NAME = 'payments' AND TG_OP = 'UPDATE' THEN
                SELECT array_agg(DISTINCT change.order_id) INTO touched
                FROM (
                    SELECT unnest(ARRAY[o.order_id, n.order_id]) AS order_id
                    FROM old_rows AS o FULL JOIN new_rows AS n USING (id)
                    WHERE (o.order_id, o.status, o.captured_amount)
                        IS DISTINCT FROM (n.order_id, n.status, n.captured_amount)
                ) AS change
                WHERE change.order_id IS NOT NULL;
            ELSIF TG_TABLE_NAME = 'payments' THEN
                SELECT array_agg(DISTINCT order_id) INTO touched FROM old_rows;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT payment_id) INTO changed
                FROM new_rows WHERE status = 'succeeded';
            ELSIF TG_OP = 'UPDATE' THEN
                SELECT array_agg(DISTINCT change.payment_id) INTO changed
                FROM (
                    SELECT unnest(ARRAY[o.payment_id, n.payment_id]) AS payment_id
                    FROM old_rows AS o FULL JOIN new_rows AS n USING (id)
                    WHERE (o.payment_id, o.amount, o.status)
                        IS DISTINCT FROM (n.payment_id, n.amount, n.status)
                ) AS change;
            ELSE
                SELECT array_agg(DISTINCT payment_id) INTO changed FROM old_rows;
            END IF;
            IF changed IS NOT NULL THEN
                -- By key: a join with so many rows as the session's first statement had would be
                -- planned for that many ever after.
                SELECT array_agg(DISTINCT order_id) INTO touched
                FROM payments WHERE id = ANY (changed);
            END IF;
            IF touched IS NULL THEN
                RETURN NULL;
            END IF;
            PERFORM require_read_committed('paying an order');
            -- First the locks, in key order; then a statement of its own, so that it sees the
            -- payments of a transaction that held a lock before us.
            PERFORM FROM orders WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
            UPDATE orders AS o
            SET payment_status = d.payment_status
            FROM orders AS t
            CROSS JOIN LATERAL derived_payment_status(t.id, t.total_amount) AS d
            WHERE t.id = ANY (touched) AND o.id = t.id AND o.payment_status <> d.payment_status;
            RETURN NULL;
        END
        $$
        """
    )
    for table in ("payments", "refunds"):
        op.execute(
            f"""
            CREATE TRIGGER {table}_keep_payment_status_insert AFTER INSERT ON {table}
            REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_payment_status()
            """
        )
        op.execute(
            f"""
            CREATE TRIGGER {table}_keep_payment_status_update AFTER UPDATE ON {table}
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION keep_payment_status()
            """
        )
        op.execute(
            f"""
            CREATE TRIGGER {table}_keep_payment_status_delete AFTER DELETE ON {table}
            REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_payment_status()
            """
        )
    op.execute(
        """
        CREATE FUNCTION refuse_other_payment_status() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            derived text;
        BEGIN
            PERFORM require_read_committed('changing what an order has to be paid');
            SELECT d.payment_status INTO derived
            FROM derived_payment_status(NEW.id, NEW.total_amount) AS d;
            -- Another total is another thing to pay.
            IF TG_WHEN = 'BEFORE' THEN
                NEW.payment_status := derived;
                RETURN NEW;
            END IF;
            IF NEW.payment_status <> derived THEN
                RAISE EXCEPTION 'order % is % by its payments and refunds, not %: change those',
                    NEW.id, derived, NEW.payment_status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_payment_status_derived',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_payment_status_begins_unpaid AFTER INSERT ON orders
        FOR EACH ROW WHEN (NEW.payment_status <> 'unpaid') EXECUTE FUNCTION refuse_other_payment_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_payment_status_derived AFTER UPDATE OF payment_status ON orders
        FOR EACH ROW WHEN (OLD.payment_status <> NEW.payment_status)
        EXECUTE FUNCTION refuse_other_payment_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_payment_status_of_total BEFORE UPDATE OF total_amount ON orders
        FOR EACH ROW WHEN (OLD.total_amount <> NEW.total_amount)
        EXECUTE FUNCTION refuse_other_payment_status()
        """
    )
    op.execute(
        "COMMENT ON COLUMN orders.payment_status IS 'What payments and refunds come to: kept by the database, and no other value is taken'"
    )


def downgrade() -> None:
    op.execute("COMMENT ON COLUMN orders.payment_status IS NULL")
    op.execute("DROP TRIGGER orders_payment_status_of_total ON orders")
    op.execute("DROP TRIGGER orders_payment_status_derived ON orders")
    op.execute("DROP TRIGGER orders_payment_status_begins_unpaid ON orders")
    op.execute("DROP FUNCTION refuse_other_payment_status()")
    for table in ("payments", "refunds"):
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER {table}_keep_payment_status_{event} ON {table}")
    op.execute("DROP FUNCTION keep_payment_status()")
    op.execute("DROP FUNCTION derived_payment_status(uuid, numeric)")
