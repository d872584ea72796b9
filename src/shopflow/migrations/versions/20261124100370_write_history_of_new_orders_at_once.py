"""Write the first history row of all orders of a statement at once: who ordered is its actor."""

from alembic import op

revision = "20261124100370"
down_revision = "20261124100364"


def upgrade() -> None:
    op.execute("DROP TRIGGER orders_status_history_insert ON orders")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION write_status_history() RETURNS trigger
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
            IF TG_OP = 'INSERT' THEN
                INSERT INTO order_status_history (order_id, status, notes, created_by, created_at)
                SELECT
                    id,
                    status,
                    nullif(current_setting('shopflow.reason', true), ''),
                    coalesce(nullif(current_setting('shopflow.actor', true), '')::uuid, user_id),
                    coalesce(occurred_at::timestamptz, clock_timestamp())
                FROM new_orders;
                RETURN NULL;
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
        REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION write_status_history()
        """
    )
    op.execute(
        "COMMENT ON COLUMN order_status_history.created_by IS 'Who: the transaction''s setting shopflow.actor, a user, and without one who placed the order; NULL for the shop itself'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER orders_status_history_insert ON orders")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION write_status_history() RETURNS trigger
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
        "COMMENT ON COLUMN order_status_history.created_by IS 'Who: the transaction''s setting shopflow.actor, a user; NULL for the shop itself'"
    )
