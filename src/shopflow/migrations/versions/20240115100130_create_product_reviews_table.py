"""Create the product_reviews table (§2.2, §8.2)."""

from alembic import op

revision = "20240115100130"
down_revision = "20240115100120"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE product_reviews (
            id UUID NOT NULL DEFAULT uuidv7(),
            product_id UUID NOT NULL,
            user_id UUID,
            rating SMALLINT NOT NULL,
            title VARCHAR(255),
            content TEXT,
            is_approved BOOLEAN NOT NULL DEFAULT false,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT product_reviews_pkey PRIMARY KEY (id),
            CONSTRAINT product_reviews_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT product_reviews_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT product_reviews_product_id_user_id_key UNIQUE (product_id, user_id),
            CONSTRAINT reviews_rating_check CHECK (rating BETWEEN 1 AND 5)
        )
        """
    )
    op.execute("CREATE INDEX idx_reviews_product_id ON product_reviews (product_id)")
    op.execute(
        """
        CREATE INDEX idx_reviews_approved ON product_reviews (product_id, is_approved)
        WHERE is_approved = TRUE
        """
    )
    op.execute("CREATE INDEX idx_reviews_user_id ON product_reviews (user_id)")
    op.execute(
        """
        CREATE TRIGGER product_reviews_set_updated_at BEFORE UPDATE ON product_reviews
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE product_reviews IS 'Customer reviews'")
    op.execute(
        "COMMENT ON COLUMN product_reviews.user_id IS 'Who wrote it, at most one a product; NULL once that person is erased'"
    )
    op.execute(
        "COMMENT ON COLUMN product_reviews.is_approved IS 'Whether moderation has let it through; only these are shown and counted'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE product_reviews")
