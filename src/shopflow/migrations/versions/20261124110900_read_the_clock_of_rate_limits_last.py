"""Read the clock of take_rate_limits after the rows: a wait is never longer than a period."""

from alembic import op

revision = "20261124110900"
down_revision = "20261124110640"


def upgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION take_rate_limits(names text[], attempts integer[], periods interval[])
        RETURNS interval LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            moment timestamptz;
            wait interval;
        BEGIN
            -- Who has to be refused writes nothing and waits for nobody. The time is later than of
            -- whoever is seen here, so that nobody is told to wait for longer than it takes.
            SELECT max(r.theoretical_arrival + k.step - k.period - clock_timestamp()) INTO wait
            FROM rate_limit_keys(names, attempts, periods) AS k
            JOIN rate_limits AS r ON r.key_hash = k.key_hash;
            IF wait > interval '0' THEN
                RETURN wait;
            END IF;
            -- Everybody takes the rows in the order of their keys, and holds them to the end.
            INSERT INTO rate_limits AS r (key_hash, theoretical_arrival)
            SELECT k.key_hash, clock_timestamp() FROM rate_limit_keys(names, attempts, periods) AS k
            ORDER BY k.key_hash
            ON CONFLICT (key_hash) DO UPDATE SET theoretical_arrival = r.theoretical_arrival;
            -- Read again under the locks: whoever comes later never has an earlier time.
            moment := clock_timestamp();
            SELECT max(r.theoretical_arrival + k.step - k.period - moment) INTO wait
            FROM rate_limit_keys(names, attempts, periods) AS k
            JOIN rate_limits AS r ON r.key_hash = k.key_hash;
            IF wait > interval '0' THEN
                RETURN wait;
            END IF;
            UPDATE rate_limits AS r
            SET theoretical_arrival = greatest(r.theoretical_arrival, moment) + k.step
            FROM rate_limit_keys(names, attempts, periods) AS k
            WHERE r.key_hash = k.key_hash;
            RETURN NULL;
        END
        $$
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION take_rate_limits(names text[], attempts integer[], periods interval[])
        RETURNS interval LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            moment timestamptz := clock_timestamp();
            wait interval;
        BEGIN
            -- Who has to be refused writes nothing and waits for nobody.
            SELECT max(r.theoretical_arrival + k.step - k.period - moment) INTO wait
            FROM rate_limit_keys(names, attempts, periods) AS k
            JOIN rate_limits AS r ON r.key_hash = k.key_hash;
            IF wait > interval '0' THEN
                RETURN wait;
            END IF;
            -- Everybody takes the rows in the order of their keys, and holds them to the end.
            INSERT INTO rate_limits AS r (key_hash, theoretical_arrival)
            SELECT k.key_hash, moment FROM rate_limit_keys(names, attempts, periods) AS k
            ORDER BY k.key_hash
            ON CONFLICT (key_hash) DO UPDATE SET theoretical_arrival = r.theoretical_arrival;
            -- Read again under the locks: whoever comes later never has an earlier time.
            moment := clock_timestamp();
            SELECT max(r.theoretical_arrival + k.step - k.period - moment) INTO wait
            FROM rate_limit_keys(names, attempts, periods) AS k
            JOIN rate_limits AS r ON r.key_hash = k.key_hash;
            IF wait > interval '0' THEN
                RETURN wait;
            END IF;
            UPDATE rate_limits AS r
            SET theoretical_arrival = greatest(r.theoretical_arrival, moment) + k.step
            FROM rate_limit_keys(names, attempts, periods) AS k
            WHERE r.key_hash = k.key_hash;
            RETURN NULL;
        END
        $$
        """
    )
