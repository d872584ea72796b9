"""Add family_id and rotated_at to user_sessions: a refresh token is rotated at every use (§2.1)."""

from alembic import op

revision = "20261124100100"
down_revision = "20240120150100"


def upgrade() -> None:
    # The default afterwards: set with the column it would rewrite the table under its lock.
    op.execute("ALTER TABLE user_sessions ADD COLUMN family_id UUID")
    op.execute("ALTER TABLE user_sessions ALTER COLUMN family_id SET DEFAULT uuidv7()")
    op.execute("ALTER TABLE user_sessions ADD COLUMN rotated_at TIMESTAMPTZ")
    op.execute(
        "COMMENT ON TABLE user_sessions IS 'Refresh tokens: the one of each session that is in force, and those it was rotated from; rows are deleted when they expire or are revoked'"
    )
    op.execute(
        "COMMENT ON COLUMN user_sessions.family_id IS 'The session: all tokens that were rotated from the one of a sign-in; revoked together'"
    )
    op.execute(
        "COMMENT ON COLUMN user_sessions.rotated_at IS 'When another token took its place; NULL for the one in force. Kept until expires_at so that a second use is noticed'"
    )


def downgrade() -> None:
    op.execute(
        "COMMENT ON TABLE user_sessions IS 'Active refresh tokens; rows are deleted when they expire or are revoked'"
    )
    # Without the column they would be in force again.
    op.execute("DELETE FROM user_sessions WHERE rotated_at IS NOT NULL")
    op.execute("ALTER TABLE user_sessions DROP COLUMN rotated_at")
    op.execute("ALTER TABLE user_sessions DROP COLUMN family_id")
