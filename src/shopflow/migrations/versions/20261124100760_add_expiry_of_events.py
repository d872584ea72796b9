"""Add expire_events: the app may delete no event, but have old ones deleted."""

from alembic import op

revision = "20261124100760"
down_revision = "20261124100750"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION expire_events(keep interval, keep_delivered interval, batch integer) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            oldest uuid;
            deliveries bigint;
            events bigint;
        BEGIN
            IF least(keep, keep_delivered) < interval '1 day' THEN
                RAISE EXCEPTION 'events are kept for a day at least'
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
            -- Arrays: whatever the planner thinks of the limit, the rows are looked up one by one.
            DELETE FROM event_deliveries WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM event_deliveries
                WHERE state = 'delivered' AND finished_at < now() - keep_delivered
                LIMIT batch FOR UPDATE SKIP LOCKED
            ));
            GET DIAGNOSTICS deliveries = ROW_COUNT;
            -- The smallest id of that moment: ids begin with their time.
            oldest := uuidv7(-keep);
            DELETE FROM outbox_events WHERE id = ANY (ARRAY(
                SELECT e.id FROM outbox_events AS e
                WHERE e.id < oldest AND NOT EXISTS (
                    SELECT FROM event_deliveries AS d
                    JOIN event_consumers AS c ON c.id = d.consumer_id
                    WHERE d.event_id = e.id AND (
                        (d.state = 'pending' AND c.is_active) OR d.finished_at >= now() - keep
                    )
                )
                ORDER BY e.id LIMIT batch FOR UPDATE OF e SKIP LOCKED
            ));
            GET DIAGNOSTICS events = ROW_COUNT;
            RETURN deliveries + events;
        END
        $$
        """
    )
    op.execute("REVOKE EXECUTE ON FUNCTION expire_events(interval, interval, integer) FROM PUBLIC")
    op.execute(
        """
        COMMENT ON FUNCTION expire_events(interval, interval, integer) IS
            'Deletes up to batch delivered deliveries and as many old events that nobody waits for; how many it were'
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION expire_events(interval, interval, integer)")
