"""Create order_status_history and the order status machine (§2.4)."""

from alembic import op

revision = "20240115100460"
down_revision = "20240115100450"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_status_history (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            status VARCHAR(20) NOT NULL,
            notes TEXT,
            created_by UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT order_status_history_pkey PRIMARY KEY (id),
            CONSTRAINT order_status_history_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_status_history_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT order_status_history_status_check CHECK (status IN (
                'pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded'
            ))
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_order_status_history_order_id ON order_status_history (order_id, created_at)"
    )
    op.execute(
        """
        CREATE INDEX idx_order_status_history_created_by ON order_status_history (created_by)
        WHERE created_by IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE FUNCTION order_status_steps() RETURNS TABLE (from_status text, to_status text)
        LANGUAGE sql IMMUTABLE AS $$
            VALUES
                ('pending', 'confirmed'), ('pending', 'cancelled'),
                ('confirmed', 'processing'), ('confirmed', 'cancelled'), ('confirmed', 'refunded'),
                ('processing', 'shipped'), ('processing', 'cancelled'), ('processing', 'refunded'),
                ('shipped', 'delivered'), ('shipped', 'refunded'),
                ('delivered', 'refunded'),
                ('cancelled', 'refunded')
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION order_status_steps() IS 'Every step that an order may take from one status to another'"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_illegal_status() RETURNS trigger
        LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                RAISE EXCEPTION 'an order begins as pending, not as %', NEW.status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_status_step', TABLE = TG_TABLE_NAME;
            END IF;
            IF NOT EXISTS (
                SELECT FROM order_status_steps() WHERE from_status = OLD.status AND to_status = NEW.status
            ) THEN
                RAISE EXCEPTION 'an order cannot go from % to %', OLD.status, NEW.status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_status_step', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_status_begins_pending BEFORE INSERT ON orders
        FOR EACH ROW WHEN (NEW.status <> 'pending') EXECUTE FUNCTION refuse_illegal_status()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_status_step BEFORE UPDATE OF status ON orders
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION refuse_illegal_status()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_status_history() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            occurred_at text := nullif(current_setting('shopflow.occurred_at', true), '');
            -- We run as the owner: who called is the role set, or else the login.
            caller text := coalesce(nullif(current_setting('role'), 'none'), session_user);
        BEGIN
            IF occurred_at IS NOT NULL AND NOT pg_has_role(caller, current_user, 'USAGE') THEN
                RAISE EXCEPTION 'shopflow.occurred_at is for the owner, who brings orders in: % may not date a status', caller
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            INSERT INTO order_status_history (order_id, status, notes, created_by, created_at)
            VALUES (
                NEW.id,
                NEW.status,
                nullif(current_setting('shopflow.reason', true), ''),
                nullif(current_setting('shopflow.actor', true), '')::uuid,
                coalesce(occurred_at::timestamptz, clock_timestamp())
            );
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_status_history_insert AFTER INSERT ON orders
        FOR EACH ROW EXECUTE FUNCTION write_status_history()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_status_history_update AFTER UPDATE OF status ON orders
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION write_status_history()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_history_change() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- What the foreign keys do is let through: the order gone or renumbered, the author erased.
            IF TG_OP <> 'TRUNCATE' THEN
                IF NOT EXISTS (SELECT FROM orders WHERE id = OLD.order_id) THEN
                    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
                END IF;
                IF TG_OP = 'UPDATE' AND OLD.created_by IS NOT NULL
                    AND (NEW.id, NEW.order_id, NEW.status, NEW.notes, NEW.created_at)
                        IS NOT DISTINCT FROM (OLD.id, OLD.order_id, OLD.status, OLD.notes, OLD.created_at)
                    AND NOT EXISTS (SELECT FROM users WHERE id = OLD.created_by)
                THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION 'the history of an order is never changed'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'order_status_history_append_only',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_status_history_append_only BEFORE UPDATE OR DELETE ON order_status_history
        FOR EACH ROW EXECUTE FUNCTION refuse_history_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_status_history_no_truncate BEFORE TRUNCATE ON order_status_history
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change()
        """
    )
    op.execute(
        "COMMENT ON TABLE order_status_history IS 'Order status audit trail, written by a trigger on orders and never changed'"
    )
    op.execute(
        "COMMENT ON COLUMN order_status_history.notes IS 'Why: the transaction''s setting shopflow.reason'"
    )
    op.execute(
        "COMMENT ON COLUMN order_status_history.created_by IS 'Who: the transaction''s setting shopflow.actor, a user; NULL for the shop itself'"
    )
    op.execute(
        "COMMENT ON COLUMN order_status_history.created_at IS 'When; for orders brought in from elsewhere the transaction''s setting shopflow.occurred_at'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER orders_status_history_update ON orders")
    op.execute("DROP TRIGGER orders_status_history_insert ON orders")
    op.execute("DROP TRIGGER orders_status_step ON orders")
    op.execute("DROP TRIGGER orders_status_begins_pending ON orders")
    op.execute("DROP TABLE order_status_history")
    op.execute("DROP FUNCTION refuse_history_change()")
    op.execute("DROP FUNCTION write_status_history()")
    op.execute("DROP FUNCTION refuse_illegal_status()")
    op.execute("DROP FUNCTION order_status_steps()")
