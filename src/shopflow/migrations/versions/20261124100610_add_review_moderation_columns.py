"""Add what moderation says about a review, and whether its author bought the product."""

from alembic import op

revision = "20261124100610"
down_revision = "20261124100600"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE product_reviews
            ADD COLUMN is_verified_purchase BOOLEAN NOT NULL DEFAULT false,
            ADD COLUMN rejection_reason TEXT,
            ADD COLUMN moderated_by UUID,
            ADD COLUMN moderated_at TIMESTAMPTZ,
            ADD CONSTRAINT product_reviews_rejected_check CHECK (
                rejection_reason IS NULL OR (btrim(rejection_reason) <> '' AND NOT is_approved)
            ) NOT VALID,
            ADD CONSTRAINT product_reviews_moderated_by_fkey FOREIGN KEY (moderated_by)
                REFERENCES users (id) ON DELETE SET NULL ON UPDATE CASCADE NOT VALID
        """
    )
    op.execute(
        "COMMENT ON COLUMN product_reviews.is_verified_purchase IS 'Whether its author had a paid or delivered order of the product when it was written or approved; kept by a trigger, and kept when the author is deleted'"
    )
    op.execute(
        "COMMENT ON COLUMN product_reviews.rejection_reason IS 'Why moderation turned it down; NULL while it waits or is approved'"
    )
    op.execute(
        "COMMENT ON COLUMN product_reviews.moderated_by IS 'Who approved or rejected it last; NULL while it waits'"
    )
    op.execute(
        "COMMENT ON COLUMN product_reviews.moderated_at IS 'When it was approved or rejected last; NULL while it waits'"
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE product_reviews DROP COLUMN moderated_at, DROP COLUMN moderated_by,
            DROP COLUMN rejection_reason, DROP COLUMN is_verified_purchase
        """
    )
