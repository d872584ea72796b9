"""Let place_orders() look at a coupon's dates when the order is written, not only when priced."""

from alembic import op

revision = "20261124110120"
down_revision = "20261124110110"

# The clock itself: the statement may have waited for locks since it began.
DATES = """ AND cp.is_active
                            AND coalesce(cp.starts_at <= clock_timestamp(), true)
                            AND coalesce(cp.expires_at > clock_timestamp(), true)"""


def upgrade() -> None:
    _replace(" AND cp.is_active", DATES)


def downgrade() -> None:
    _replace(DATES, " AND cp.is_active")


def _replace(old: str, new: str) -> None:
    # The rest of the function stays as it is: see 20261124100380.
    op.execute(
        f"""
        DO $change$
        DECLARE
            before text := pg_get_functiondef('place_orders(jsonb, boolean)'::regprocedure);
            after text := replace(before, $part${old}$part$, $part${new}$part$);
        BEGIN
            IF after = before THEN
                RAISE EXCEPTION 'place_orders() is not as it was made';
            END IF;
            EXECUTE after;
        END
        $change$
        """
    )
