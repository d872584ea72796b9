"""Make a soft-deleted user lose cart and sessions and leave the orders, whoever deletes (§9.3)."""

from alembic import op

revision = "20240115100710"
down_revision = "20240115100700"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE deleted_user_orders (
            order_id UUID NOT NULL,
            user_id UUID NOT NULL,
            deleted_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            -- Again and again: an account can be restored, and deleted another time.
            CONSTRAINT deleted_user_orders_pkey PRIMARY KEY (order_id, deleted_at)
        )
        """
    )
    # No foreign keys: an audit row outlives what it is about.
    op.execute("CREATE INDEX idx_deleted_user_orders_user_id ON deleted_user_orders (user_id)")
    op.execute(
        """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit trail is never changed'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'deleted_user_orders_append_only',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER deleted_user_orders_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deleted_user_orders
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
        """
    )
    op.execute(
        """
        CREATE FUNCTION lock_soft_deleted_user() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            PERFORM require_read_committed('deleting a user');
            -- Waits for carts, sessions and orders being written, which hold FOR KEY SHARE.
            PERFORM FROM users WHERE id = OLD.id FOR UPDATE;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION clear_soft_deleted_user() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM carts WHERE user_id = OLD.id;
            DELETE FROM user_sessions WHERE user_id = OLD.id;
            DELETE FROM password_resets WHERE user_id = OLD.id;
            WITH unlinked AS (
                UPDATE orders SET user_id = NULL WHERE user_id = OLD.id RETURNING id
            )
            INSERT INTO deleted_user_orders (order_id, user_id) SELECT id, OLD.id FROM unlinked;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER users_soft_delete_lock BEFORE UPDATE OF deleted_at ON users
        FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
        EXECUTE FUNCTION lock_soft_deleted_user()
        """
    )
    op.execute(
        """
        CREATE TRIGGER users_soft_delete AFTER UPDATE OF deleted_at ON users
        FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
        EXECUTE FUNCTION clear_soft_deleted_user()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_deleted_user() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            gone timestamptz;
        BEGIN
            -- The lock that the foreign key takes anyway, taken first: a soft delete under way holds
            -- FOR UPDATE, so one of the two sees the other.
            SELECT deleted_at INTO gone FROM users WHERE id = NEW.user_id FOR KEY SHARE;
            IF gone IS NOT NULL THEN
                RAISE EXCEPTION 'user % is deleted', NEW.user_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_user_not_deleted',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER carts_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON carts
        FOR EACH ROW WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION refuse_deleted_user()
        """
    )
    op.execute(
        """
        CREATE TRIGGER user_sessions_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON user_sessions
        FOR EACH ROW EXECUTE FUNCTION refuse_deleted_user()
        """
    )
    op.execute(
        """
        CREATE TRIGGER password_resets_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON password_resets
        FOR EACH ROW EXECUTE FUNCTION refuse_deleted_user()
        """
    )
    op.execute(
        """
        CREATE TRIGGER orders_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON orders
        FOR EACH ROW WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION refuse_deleted_user()
        """
    )
    op.execute(
        "COMMENT ON TABLE deleted_user_orders IS 'Whose the orders of deleted users were: for the audit, read by the owner role alone'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER orders_user_not_deleted ON orders")
    op.execute("DROP TRIGGER password_resets_user_not_deleted ON password_resets")
    op.execute("DROP TRIGGER user_sessions_user_not_deleted ON user_sessions")
    op.execute("DROP TRIGGER carts_user_not_deleted ON carts")
    op.execute("DROP FUNCTION refuse_deleted_user()")
    op.execute("DROP TRIGGER users_soft_delete ON users")
    op.execute("DROP TRIGGER users_soft_delete_lock ON users")
    op.execute("DROP FUNCTION clear_soft_deleted_user()")
    op.execute("DROP FUNCTION lock_soft_deleted_user()")
    op.execute("DROP TABLE deleted_user_orders")
    op.execute("DROP FUNCTION refuse_audit_change()")
