"""Refuse two schedules that would change the same price at the same time."""

from alembic import op

revision = "20261124110620"
down_revision = "20261124110610"


def upgrade() -> None:
    # Lines are compared with what is there when they are applied: one made while a sale is on has
    # the sale's price as the old one, which is gone when the sale ends.
    op.execute(
        """
        CREATE FUNCTION overlapping_bulk_changes(
            id uuid, starts_at timestamptz, ends_at timestamptz
        )
        RETURNS TABLE (bulk_change_id uuid, product_id uuid, variant_id uuid)
        LANGUAGE sql STABLE
        BEGIN ATOMIC
            SELECT c.id, own.product_id, own.variant_id
            FROM bulk_change_lines AS own
            JOIN bulk_change_lines AS other
                ON other.product_id = own.product_id
                AND other.variant_id IS NOT DISTINCT FROM own.variant_id
                AND other.bulk_change_id <> own.bulk_change_id
            JOIN bulk_changes AS c ON c.id = other.bulk_change_id
            WHERE own.bulk_change_id = $1
                AND c.kind = 'price'
                AND other.status IN ('pending', 'applied')
                AND (
                    ((c.status IN ('scheduled', 'running')
                        OR (c.status IN ('done', 'undoing') AND c.ends_at IS NOT NULL))
                        AND tstzrange(c.starts_at, c.ends_at) && tstzrange($2, $3))
                    OR (c.status IN ('running', 'done', 'undoing')
                        AND c.ends_at IS NOT NULL
                        AND other.status = 'applied'
                        AND other.new_price = own.old_price
                        AND other.new_compare_at_price IS NOT DISTINCT FROM own.old_compare_at_price)
                );
        END
        """
    )
    op.execute(
        "COMMENT ON FUNCTION overlapping_bulk_changes(uuid, timestamptz, timestamptz) IS 'Which other bulk changes, scheduled or under way, change the same prices within this time'"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_overlapping_bulk_changes() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            other uuid;
            product uuid;
        BEGIN
            PERFORM require_read_committed('scheduling prices');
            -- One at a time, so that each sees the one before.
            PERFORM pg_advisory_xact_lock('bulk_changes'::regclass::oid::int, 1);
            SELECT o.bulk_change_id, o.product_id INTO other, product
            FROM overlapping_bulk_changes(NEW.id, NEW.starts_at, NEW.ends_at) AS o LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'bulk change % changes the price of product % in this time, too', other, product
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'bulk_changes_no_overlap', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_changes_no_overlap AFTER UPDATE OF status, starts_at, ends_at ON bulk_changes
        FOR EACH ROW WHEN (NEW.status = 'scheduled') EXECUTE FUNCTION refuse_overlapping_bulk_changes()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER bulk_changes_no_overlap ON bulk_changes")
    op.execute("DROP FUNCTION refuse_overlapping_bulk_changes()")
    op.execute("DROP FUNCTION overlapping_bulk_changes(uuid, timestamptz, timestamptz)")
