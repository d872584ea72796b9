"""Create the rate_limits table, and the function that counts an attempt against it."""

from alembic import op

revision = "20261124100170"
down_revision = "20261124100160"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE rate_limits (
            key_hash BYTEA NOT NULL,
            theoretical_arrival TIMESTAMPTZ NOT NULL,
            CONSTRAINT rate_limits_pkey PRIMARY KEY (key_hash),
            CONSTRAINT rate_limits_key_hash_check CHECK (octet_length(key_hash) = 32)
        )
        WITH (fillfactor = 50)
        """
    )
    op.execute(
        "COMMENT ON TABLE rate_limits IS 'How much of a limit is taken, by the generic cell rate algorithm (GCRA): a sliding window in one row a key'"
    )
    op.execute(
        "COMMENT ON COLUMN rate_limits.key_hash IS 'SHA-256 of what is limited, such as sign-in to an account from a network address'"
    )
    op.execute(
        "COMMENT ON COLUMN rate_limits.theoretical_arrival IS 'When all that was taken is free again: an attempt moves it by period / attempts, and is refused where that would pass now + period'"
    )
    # Case is folded by the database, as it is where an account is looked for.
    op.execute(
        """
        CREATE FUNCTION rate_limit_keys(names text[], attempts integer[], periods interval[])
        RETURNS TABLE (key_hash bytea, period interval, step interval) LANGUAGE sql STABLE AS $$
            SELECT sha256(convert_to(lower(n.name), 'UTF8')), n.period, n.period / n.attempts
            FROM unnest(names, attempts, periods) AS n (name, attempts, period)
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION take_rate_limits(names text[], attempts integer[], periods interval[])
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
    op.execute(
        """
        CREATE FUNCTION return_rate_limits(names text[], attempts integer[], periods interval[])
        RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            PERFORM FROM rate_limits AS r
            JOIN rate_limit_keys(names, attempts, periods) AS k ON k.key_hash = r.key_hash
            ORDER BY r.key_hash FOR NO KEY UPDATE OF r;
            UPDATE rate_limits AS r SET theoretical_arrival = r.theoretical_arrival - k.step
            FROM rate_limit_keys(names, attempts, periods) AS k
            WHERE r.key_hash = k.key_hash;
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION rate_limit_keys(text[], integer[], interval[]) IS 'The keys of these limits, and how far one attempt moves each'"
    )
    op.execute(
        "COMMENT ON FUNCTION take_rate_limits(text[], integer[], interval[]) IS 'Counts an attempt against all of these limits, or against none where one is exhausted: NULL, or how long to wait'"
    )
    op.execute(
        "COMMENT ON FUNCTION return_rate_limits(text[], integer[], interval[]) IS 'Takes back an attempt that take_rate_limits counted'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION return_rate_limits(text[], integer[], interval[])")
    op.execute("DROP FUNCTION take_rate_limits(text[], integer[], interval[])")
    op.execute("DROP FUNCTION rate_limit_keys(text[], integer[], interval[])")
    op.execute("DROP TABLE rate_limits")
