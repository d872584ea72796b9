"""Create the erasure_log table: who was erased, when, by whom and why (GDPR, article 17)."""

from alembic import op

revision = "20261124100180"
down_revision = "20261124100170"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE erasure_log (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID NOT NULL,
            erased_by UUID,
            reason TEXT NOT NULL,
            erased_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT erasure_log_pkey PRIMARY KEY (id),
            CONSTRAINT erasure_log_reason_check CHECK (btrim(reason) <> '')
        )
        """
    )
    # No foreign keys: an audit row outlives what it is about.
    op.execute("CREATE INDEX idx_erasure_log_user_id ON erasure_log (user_id)")
    op.execute("CREATE INDEX idx_erasure_log_erased_at ON erasure_log (erased_at)")
    op.execute(
        """
        CREATE FUNCTION refuse_erasure_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the log of erasures is never changed'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'erasure_log_append_only',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER erasure_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_erasure_log_change()
        """
    )
    op.execute(
        "COMMENT ON TABLE erasure_log IS 'Every person that was erased, for the audit and for erasing again what a restore brought back; written by erase_user() and never changed'"
    )
    op.execute(
        "COMMENT ON COLUMN erasure_log.user_id IS 'Whose data it was: the key of an account that is empty now'"
    )
    op.execute(
        "COMMENT ON COLUMN erasure_log.erased_by IS 'Which user did it; NULL for the shop itself'"
    )
    op.execute("COMMENT ON COLUMN erasure_log.reason IS 'Why; no personal data'")


def downgrade() -> None:
    op.execute("DROP TABLE erasure_log")
    op.execute("DROP FUNCTION refuse_erasure_log_change()")
