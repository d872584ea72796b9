"""Say of the reviews that are there whether their authors bought the product."""

from alembic import op

revision = "20261124100640"
down_revision = "20261124100630"


def upgrade() -> None:
    # The trigger decides; what is looked for here only spares it the other rows.
    op.execute(
        """
        UPDATE product_reviews AS r SET is_verified_purchase = true
        WHERE NOT r.is_verified_purchase AND EXISTS (
            SELECT FROM orders AS o JOIN order_items AS i ON i.order_id = o.id
            WHERE o.user_id = r.user_id AND i.product_id = r.product_id
                AND o.status NOT IN ('cancelled', 'refunded')
                AND (o.status = 'delivered' OR o.payment_status IN ('paid', 'partially_refunded'))
        )
        """
    )


def downgrade() -> None:
    # What was found out stays with the column until that goes.
    pass
