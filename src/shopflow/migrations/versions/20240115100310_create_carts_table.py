"""Create the carts table (§2.3)."""

from alembic import op

revision = "20240115100310"
down_revision = "20240115100300"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE carts (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID,
            session_id VARCHAR(255),
            coupon_id UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT carts_pkey PRIMARY KEY (id),
            CONSTRAINT carts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT carts_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES coupons (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT carts_owner_check CHECK (user_id IS NOT NULL OR session_id IS NOT NULL),
            CONSTRAINT carts_session_id_check CHECK (session_id <> '')
        )
        """
    )
    # One cart a user and one a session: the named indexes of §3.2 are the unique ones.
    op.execute("CREATE UNIQUE INDEX idx_carts_user_id ON carts (user_id)")
    op.execute("CREATE UNIQUE INDEX idx_carts_session_id ON carts (session_id)")
    op.execute("CREATE INDEX idx_carts_coupon_id ON carts (coupon_id) WHERE coupon_id IS NOT NULL")
    op.execute(
        """
        CREATE TRIGGER carts_set_updated_at BEFORE UPDATE ON carts
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE carts IS 'Shopping carts'")
    op.execute("COMMENT ON COLUMN carts.user_id IS 'Whose it is; NULL for a guest'")
    op.execute(
        "COMMENT ON COLUMN carts.session_id IS 'The guest session it belongs to; NULL for a signed-in user'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE carts")
