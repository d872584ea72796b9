-- name: connection_limits
-- How many connections the server has, and how many of them others cannot take.
SELECT current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int
       + current_setting('reserved_connections')::int AS reserved;
