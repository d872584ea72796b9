"""Create the password_resets table (§2.1)."""

from alembic import op

revision = "20240115100030"
down_revision = "20240115100020"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE password_resets (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID NOT NULL,
            token_hash BYTEA NOT NULL,
            expires_at TIMESTAMPTZ NOT NULL,
            used_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT password_resets_pkey PRIMARY KEY (id),
            CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash),
            CONSTRAINT password_resets_token_hash_check CHECK (octet_length(token_hash) = 32),
            CONSTRAINT password_resets_expires_at_check CHECK (expires_at > created_at)
        )
        """
    )
    op.execute("CREATE INDEX idx_password_resets_user_id ON password_resets (user_id)")
    op.execute("CREATE INDEX idx_password_resets_expires_at ON password_resets (expires_at)")
    op.execute(
        "COMMENT ON TABLE password_resets IS 'Password reset tokens, hashed; rows are deleted when they expire'"
    )
    op.execute(
        "COMMENT ON COLUMN password_resets.token_hash IS 'SHA-256 of the token, 32 bytes; the token itself is never stored'"
    )
    op.execute(
        "COMMENT ON COLUMN password_resets.used_at IS 'When it was used; kept until expires_at so that a second use is noticed'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE password_resets")
