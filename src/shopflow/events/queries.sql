-- name: add_webhook
-- Add a webhook; events that are written from now on are sent to it.
INSERT INTO event_consumers (name, kind, event_types, url, secret)
VALUES (%(name)s, 'webhook', %(event_types)s, %(url)s, %(secret)s)
RETURNING id;

-- name: register_consumer
-- The Python consumer of this name, made or brought to these types; no row when it is a webhook's.
INSERT INTO event_consumers AS c (name, kind, event_types)
VALUES (%(name)s, 'python', %(event_types)s)
ON CONFLICT (name) DO UPDATE SET event_types = excluded.event_types WHERE c.kind = 'python'
RETURNING id;

-- name: list_consumers
-- Every consumer and how much waits for it, by name.
SELECT
    c.id,
    c.name,
    c.kind,
    c.event_types,
    c.url,
    c.is_active,
    c.inactive_reason,
    c.created_at,
    (
        SELECT count(*) FROM event_deliveries AS d
        WHERE d.consumer_id = c.id AND d.state = 'pending'
    ) AS pending,
    (
        SELECT count(*) FROM event_deliveries AS d
        WHERE d.consumer_id = c.id AND d.state = 'dead'
    ) AS dead
FROM event_consumers AS c
ORDER BY c.name;

-- name: remove_consumer
-- Forget a consumer and all that waits for it.
DELETE FROM event_consumers WHERE name = %(name)s;

-- name: rotate_secret
-- Give a webhook a new secret; the one before signs as well for a while.
UPDATE event_consumers
SET
    previous_secret = secret,
    previous_secret_until = now() + make_interval(secs => %(seconds)s),
    secret = %(secret)s
WHERE name = %(name)s AND kind = 'webhook';

-- name: set_active
-- Switch a consumer on or off.
UPDATE event_consumers
SET is_active = %(is_active)s, inactive_reason = %(reason)s
WHERE name = %(name)s;

-- name: get_active_consumers
-- What a worker needs to know of the consumers that are on: those in Python by name, all webhooks.
SELECT
    id,
    name,
    kind,
    url,
    secret,
    CASE WHEN previous_secret_until > now() THEN previous_secret END AS previous_secret
FROM event_consumers
WHERE is_active AND (kind = 'webhook' OR name = ANY(%(names)s))
ORDER BY name;

-- name: claim_deliveries
-- Take what is due for a consumer: of each aggregate only the first that is pending. Two workers
-- never get the same one, and none gets the next before the one before is over.
WITH due AS MATERIALIZED (
    SELECT d.event_id
    FROM event_deliveries AS d
    WHERE
        d.consumer_id = %(consumer_id)s
        AND d.state = 'pending'
        AND d.next_attempt_at <= now()
        AND (d.leased_until IS NULL OR d.leased_until <= now())
        -- A scalar, so that it stays one look into the index for each, whatever the statistics.
        AND d.position = (
            SELECT min(f.position) FROM event_deliveries AS f
            WHERE
                f.consumer_id = d.consumer_id
                AND f.aggregate_id = d.aggregate_id
                AND f.state = 'pending'
        )
        AND EXISTS (SELECT FROM event_consumers AS c WHERE c.id = %(consumer_id)s AND c.is_active)
    ORDER BY d.next_attempt_at, d.position
    LIMIT %(limit)s
    FOR UPDATE OF d SKIP LOCKED
)

UPDATE event_deliveries AS d
SET
    lease = %(lease)s,
    leased_until = now() + make_interval(secs => %(seconds)s),
    attempts = d.attempts + 1
FROM outbox_events AS e
WHERE
    d.consumer_id = %(consumer_id)s
    -- An array: a few rows whatever the planner thinks of the limit, or it reads all events.
    AND d.event_id = ANY(ARRAY(SELECT due.event_id FROM due))
    AND e.id = d.event_id
RETURNING
    e.id, e.position, e.event_type, e.aggregate_type, e.aggregate_id, e.created_at, e.payload,
    d.attempts AS attempt;

-- name: record_delivered
-- It arrived; unless the lease ran out and another worker has it now.
UPDATE event_deliveries
SET
    state = 'delivered',
    finished_at = now(),
    lease = NULL,
    leased_until = NULL,
    last_status = %(status)s::smallint,
    last_error = NULL
WHERE consumer_id = %(consumer_id)s AND event_id = %(event_id)s AND lease = %(lease)s;

-- name: record_failed
-- It did not; it is due again after a while, and what waits behind it not before.
WITH failed AS (
    UPDATE event_deliveries
    SET
        next_attempt_at = now() + make_interval(secs => %(delay)s),
        lease = NULL,
        leased_until = NULL,
        last_status = %(status)s::smallint,
        last_error = %(error)s
    WHERE consumer_id = %(consumer_id)s AND event_id = %(event_id)s AND lease = %(lease)s
    RETURNING aggregate_id, position, next_attempt_at
)

UPDATE event_deliveries AS d
SET next_attempt_at = failed.next_attempt_at
FROM failed
WHERE
    d.consumer_id = %(consumer_id)s
    AND d.aggregate_id = failed.aggregate_id
    AND d.state = 'pending'
    AND d.position > failed.position
    AND d.next_attempt_at < failed.next_attempt_at;

-- name: record_dead
-- It never will: no longer tried, and no longer in the way of the next.
UPDATE event_deliveries
SET
    state = 'dead',
    finished_at = now(),
    lease = NULL,
    leased_until = NULL,
    last_status = %(status)s::smallint,
    last_error = %(error)s
WHERE consumer_id = %(consumer_id)s AND event_id = %(event_id)s AND lease = %(lease)s;

-- name: release_delivery
-- Give back what was taken and not tried to the end: another worker may have it at once.
UPDATE event_deliveries
SET lease = NULL, leased_until = NULL, attempts = greatest(0, attempts - 1)
WHERE consumer_id = %(consumer_id)s AND event_id = %(event_id)s AND lease = %(lease)s;

-- name: find_consumer
-- The consumer of a name.
SELECT id FROM event_consumers WHERE name = %(name)s;

-- name: list_dead
-- The dead letters, of one consumer or all, the latest first.
SELECT
    c.name AS consumer,
    e.id AS event_id,
    e.event_type,
    e.aggregate_type,
    e.aggregate_id,
    d.attempts,
    d.last_status,
    d.last_error,
    d.finished_at
FROM event_consumers AS c
JOIN event_deliveries AS d ON d.consumer_id = c.id AND d.state = 'dead'
JOIN outbox_events AS e ON e.id = d.event_id
WHERE c.name = coalesce(%(consumer)s, c.name)
ORDER BY d.finished_at DESC, e.position DESC
LIMIT %(limit)s;

-- name: retry_dead
-- Make dead letters pending again, as if never tried: of one consumer or all, one event or all.
UPDATE event_deliveries AS d
SET state = 'pending', finished_at = NULL, attempts = 0, next_attempt_at = now()
FROM event_consumers AS c
WHERE
    c.id = d.consumer_id
    AND c.name = coalesce(%(consumer)s, c.name)
    AND d.state = 'dead'
    AND d.event_id = coalesce(%(event_id)s::uuid, d.event_id);

-- name: get_channel
-- Where deliveries that are made are notified.
SELECT current_schema() || '_events' AS channel;

-- name: hold_bell
-- Have deliveries notified from now on. `busy`: a transaction under way made some that will not be;
-- `elsewhere`: another worker has the bell, and its notifications reach all.
SELECT CASE
    WHEN pg_try_advisory_lock(worker_bell()) THEN 'held'
    WHEN pg_try_advisory_lock_shared(worker_bell()) AND pg_advisory_unlock_shared(worker_bell())
        THEN 'busy'
    ELSE 'elsewhere'
END AS bell;

-- name: let_go_of_bell
-- Have them notified no longer: we look ourselves.
SELECT pg_advisory_unlock(worker_bell());

-- name: add_jobs
-- Make the rows of jobs that are new; they are due at once.
INSERT INTO worker_jobs (name) SELECT unnest(%(names)s::text[]) ON CONFLICT DO NOTHING;

-- name: claim_jobs
-- Take the jobs that are due and that no living worker has.
UPDATE worker_jobs AS j
SET
    lease = %(lease)s,
    leased_until = now() + make_interval(secs => %(seconds)s),
    started_at = now()
FROM (
    SELECT name FROM worker_jobs
    WHERE
        name = ANY(%(names)s)
        AND next_run_at <= now()
        AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY name
    FOR UPDATE SKIP LOCKED
) AS due
WHERE j.name = due.name
RETURNING j.name;

-- name: keep_job
-- Hold a job longer; no row when another worker has it.
UPDATE worker_jobs
SET leased_until = now() + make_interval(secs => %(seconds)s)
WHERE name = %(name)s AND lease = %(lease)s;

-- name: finish_job
-- Note how a job ended and when it is due again.
UPDATE worker_jobs
SET
    lease = NULL,
    leased_until = NULL,
    finished_at = now(),
    next_run_at = now() + make_interval(secs => %(seconds)s),
    last_count = %(count)s::bigint,
    last_error = %(error)s
WHERE name = %(name)s AND lease = %(lease)s;

-- name: release_job
-- Give a job back that was interrupted: it stays due.
UPDATE worker_jobs
SET lease = NULL, leased_until = NULL
WHERE name = %(name)s AND lease = %(lease)s;

-- name: expire_some_events
-- Delete a batch of deliveries and events that are old; how many it were.
SELECT expire_events(
    make_interval(days => %(keep)s), make_interval(days => %(keep_delivered)s), %(batch)s
) AS count;
