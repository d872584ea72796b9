"""Create what several tables share: the trigger that keeps updated_at, and readable order numbers."""

from alembic import op

revision = "20240115095900"
down_revision = None
branch_labels = ("shopflow",)


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END
        $$
        """
    )
    op.execute("COMMENT ON FUNCTION set_updated_at() IS 'Keeps updated_at, whoever writes'")
    # A rule that locks and then looks again would look at the snapshot of the transaction's
    # beginning there, and miss what the lock was for.
    op.execute(
        """
        CREATE FUNCTION require_read_committed(what text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE EXCEPTION '% needs READ COMMITTED: at % it could miss what others have just committed',
                    what, upper(current_setting('transaction_isolation'))
                    USING ERRCODE = 'invalid_transaction_state';
            END IF;
        END
        $$
        """
    )
    op.execute(
        """
        COMMENT ON FUNCTION require_read_committed(text) IS
            'Refuses what can be kept right only where every statement sees what is committed'
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION require_read_committed(text)")
    op.execute("DROP FUNCTION set_updated_at()")
