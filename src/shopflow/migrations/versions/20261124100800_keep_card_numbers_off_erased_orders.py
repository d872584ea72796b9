"""Keep the digits of a card off the orders of erased users, also of a payment that comes later."""

from alembic import op

revision = "20261124100800"
down_revision = "20261124100760"


def upgrade() -> None:
    # A payment that was under way during the erasure, or that is made for such an order later.
    op.execute(
        """
        CREATE FUNCTION forget_card_of_erased_order() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            address text;
        BEGIN
            -- The lock that an erasure takes, so that one of the two sees the other.
            SELECT customer_email INTO address FROM orders WHERE id = NEW.order_id FOR NO KEY UPDATE;
            IF address = 'erased@erased.invalid' THEN
                NEW.card_last_four := NULL;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_card_of_erased_order
        BEFORE INSERT OR UPDATE OF card_last_four, order_id ON payments
        FOR EACH ROW WHEN (NEW.card_last_four IS NOT NULL) EXECUTE FUNCTION forget_card_of_erased_order()
        """
    )
    op.execute(
        """
        UPDATE payments AS p SET card_last_four = NULL
        FROM orders AS o
        WHERE o.id = p.order_id AND o.customer_email = 'erased@erased.invalid'
            AND p.card_last_four IS NOT NULL
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER payments_card_of_erased_order ON payments")
    op.execute("DROP FUNCTION forget_card_of_erased_order()")
