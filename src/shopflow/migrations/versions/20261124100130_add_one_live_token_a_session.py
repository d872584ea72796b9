"""Allow one token in force a session, and find all of a session by index."""

from alembic import op

revision = "20261124100130"
down_revision = "20261124100120"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS user_sessions_live_token_key
            ON user_sessions (family_id) WHERE rotated_at IS NULL
            """
        )
        op.execute(
            """
            CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_user_sessions_family_id
            ON user_sessions (family_id)
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS idx_user_sessions_family_id")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS user_sessions_live_token_key")
