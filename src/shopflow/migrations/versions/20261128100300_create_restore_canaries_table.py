"""Create the restore_canaries table: rows whose time is known, for restore drills to look for."""

from alembic import op

revision = "20261128100300"
down_revision = "20261124110900"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE restore_canaries (
            id UUID NOT NULL DEFAULT uuidv7(),
            written_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT restore_canaries_pkey PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        "COMMENT ON TABLE restore_canaries IS 'Rows that backups and drills write: a restore to a time has those written before and none written after'"
    )
    op.execute(
        "COMMENT ON COLUMN restore_canaries.written_at IS 'Before its commit, which follows at once'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE restore_canaries")
