"""Create the email_verifications table: tokens that prove an address to be the user's."""

from alembic import op

revision = "20261124100160"
down_revision = "20261124100150"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE email_verifications (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID NOT NULL,
            email VARCHAR(255) NOT NULL,
            token_hash BYTEA NOT NULL,
            expires_at TIMESTAMPTZ NOT NULL,
            used_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT email_verifications_pkey PRIMARY KEY (id),
            CONSTRAINT email_verifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT email_verifications_token_hash_key UNIQUE (token_hash),
            CONSTRAINT email_verifications_token_hash_check CHECK (octet_length(token_hash) = 32),
            CONSTRAINT email_verifications_email_format CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
            CONSTRAINT email_verifications_expires_at_check CHECK (expires_at > created_at)
        )
        """
    )
    op.execute("CREATE INDEX idx_email_verifications_user_id ON email_verifications (user_id)")
    op.execute(
        "CREATE INDEX idx_email_verifications_expires_at ON email_verifications (expires_at)"
    )
    op.execute(
        """
        CREATE UNIQUE INDEX email_verifications_unused_key ON email_verifications (user_id)
        WHERE used_at IS NULL
        """
    )
    op.execute(
        """
        CREATE TRIGGER email_verifications_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON email_verifications
        FOR EACH ROW EXECUTE FUNCTION refuse_deleted_user()
        """
    )
    op.execute(
        """
        CREATE FUNCTION clear_verifications_of_deleted_user() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM email_verifications WHERE user_id = OLD.id;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER users_soft_delete_verifications AFTER UPDATE OF deleted_at ON users
        FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
        EXECUTE FUNCTION clear_verifications_of_deleted_user()
        """
    )
    op.execute(
        "COMMENT ON TABLE email_verifications IS 'Tokens that prove an e-mail address to be the user''s, hashed; rows are deleted when they expire'"
    )
    op.execute(
        "COMMENT ON COLUMN email_verifications.email IS 'The address that the token was sent to; it becomes the user''s when the token is used'"
    )
    op.execute(
        "COMMENT ON COLUMN email_verifications.token_hash IS 'SHA-256 of the token, 32 bytes; the token itself is never stored'"
    )
    op.execute(
        "COMMENT ON COLUMN email_verifications.used_at IS 'When it was used; kept until expires_at so that a second use is noticed'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER users_soft_delete_verifications ON users")
    op.execute("DROP FUNCTION clear_verifications_of_deleted_user()")
    op.execute("DROP TABLE email_verifications")
