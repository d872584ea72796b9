"""Allow one unused reset token a user: a new one takes the row of the old."""

from alembic import op

revision = "20261124100150"
down_revision = "20261124100140"


def upgrade() -> None:
    # Expired or not: an index cannot look at the clock, and a new token replaces either.
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS password_resets_unused_key
            ON password_resets (user_id) WHERE used_at IS NULL
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS password_resets_unused_key")
