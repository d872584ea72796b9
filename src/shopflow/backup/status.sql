-- How the server's archiving stands: what waits, and since when something may be unarchived.
-- The server user's session; a segment's change times are those of its file.
WITH here AS (
    SELECT pg_current_wal_insert_lsn() AS lsn,
        (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment_size
), current AS (
    SELECT pg_walfile_name(lsn) AS name,
        -- A segment begins with a header of 40 bytes.
        (lsn - '0/0'::pg_lsn) % segment_size <= 40 AS empty
    FROM here
), ready AS (
    SELECT count(*) AS waiting, min(modification) AS since,
        left(min(name) FILTER (WHERE name ~ '^[0-9A-F]{24}\.ready$'), 24) AS segment,
        min(modification) FILTER (WHERE name ~ '^[0-9A-F]{24}\.ready$') AS finished_at
    FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
), files AS MATERIALIZED (
    SELECT name, modification FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'
)
SELECT clock_timestamp() AS now,
    (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
    current_setting('archive_mode') AS archive_mode,
    current_setting('archive_timeout')::interval AS archive_timeout,
    current_setting('checkpoint_timeout')::interval AS checkpoint_timeout,
    (SELECT last_archived_wal FROM pg_stat_archiver) AS last_archived,
    ready.waiting, ready.since AS waiting_since, ready.segment AS waiting_segment,
    ready.finished_at AS waiting_finished_at,
    current.empty AS nothing_written,
    -- The one before ended when the first that is not archived began.
    (SELECT modification FROM files WHERE name < coalesce(ready.segment, current.name)
     ORDER BY name DESC LIMIT 1) AS begun_at,
    (SELECT modification FROM files WHERE name = current.name) AS written_at
FROM current, ready
