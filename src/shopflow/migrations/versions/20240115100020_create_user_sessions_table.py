"""Create the user_sessions table (§2.1)."""

from alembic import op

revision = "20240115100020"
down_revision = "20240115100010"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_sessions (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID NOT NULL,
            refresh_token_hash BYTEA NOT NULL,
            expires_at TIMESTAMPTZ NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT user_sessions_pkey PRIMARY KEY (id),
            CONSTRAINT user_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT user_sessions_refresh_token_hash_key UNIQUE (refresh_token_hash),
            CONSTRAINT user_sessions_refresh_token_hash_check CHECK (octet_length(refresh_token_hash) = 32),
            CONSTRAINT user_sessions_expires_at_check CHECK (expires_at > created_at)
        )
        """
    )
    op.execute("CREATE INDEX idx_user_sessions_user_id ON user_sessions (user_id)")
    op.execute("CREATE INDEX idx_user_sessions_expires_at ON user_sessions (expires_at)")
    op.execute(
        "COMMENT ON TABLE user_sessions IS 'Active refresh tokens; rows are deleted when they expire or are revoked'"
    )
    op.execute(
        "COMMENT ON COLUMN user_sessions.refresh_token_hash IS 'SHA-256 of the token, 32 bytes; the token itself is never stored'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE user_sessions")
