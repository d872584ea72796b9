"""Correct orders.payment_status of the orders of before, while the shop goes on."""

from alembic import op

revision = "20261124100452"
down_revision = "20261124100450"

# Each digit that a key can end with is a transaction of its own: it looks first, and then locks
# only the orders that say something else, in key order, and looks again.
DIGITS = "0123456789abcdef"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for digit in DIGITS:
            op.execute(
                f"""
                DO $$
                DECLARE
                    others uuid[];
                BEGIN
                    SELECT array_agg(o.id) INTO others
                    FROM orders AS o
                    CROSS JOIN LATERAL derived_payment_status(o.id, o.total_amount) AS d
                    WHERE right(o.id::text, 1) = '{digit}' AND o.payment_status <> d.payment_status;
                    PERFORM FROM orders WHERE id = ANY (others) ORDER BY id FOR NO KEY UPDATE;
                    UPDATE orders AS o
                    SET payment_status = d.payment_status
                    FROM orders AS t
                    CROSS JOIN LATERAL derived_payment_status(t.id, t.total_amount) AS d
                    WHERE t.id = ANY (others) AND o.id = t.id AND o.payment_status <> d.payment_status;
                END
                $$
                """  # noqa: S608 a digit of ours
            )


def downgrade() -> None:
    """Leave the statuses: what they were before is not known any more."""
