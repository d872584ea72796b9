"""Create the event_consumers table: webhooks and Python programs that want events."""

from alembic import op

revision = "20261124100710"
down_revision = "20261124100700"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE event_consumers (
            id UUID NOT NULL DEFAULT uuidv7(),
            name VARCHAR(100) NOT NULL,
            kind VARCHAR(20) NOT NULL,
            event_types TEXT[] NOT NULL DEFAULT '{*}',
            url VARCHAR(2000),
            secret VARCHAR(200),
            previous_secret VARCHAR(200),
            previous_secret_until TIMESTAMPTZ,
            is_active BOOLEAN NOT NULL DEFAULT true,
            inactive_reason VARCHAR(200),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT event_consumers_pkey PRIMARY KEY (id),
            CONSTRAINT event_consumers_name_key UNIQUE (name),
            CONSTRAINT event_consumers_name_check CHECK (name ~ '^[a-z0-9][a-z0-9._-]*$'),
            CONSTRAINT event_consumers_kind_check CHECK (kind IN ('webhook', 'python')),
            CONSTRAINT event_consumers_event_types_check CHECK (
                array_ndims(event_types) = 1
                AND array_to_string(event_types, '|', '?')
                    ~ '^([*]|[a-z_]+[.]([*]|[a-z_]+))([|]([*]|[a-z_]+[.]([*]|[a-z_]+)))*$'
            ),
            -- No name and password before the host: they would go into every log on the way.
            CONSTRAINT event_consumers_url_check CHECK (url ~ '^https?://[^/?#@\s]+([/?#]\S*)?$'),
            CONSTRAINT event_consumers_secret_check CHECK (secret ~ '^whsec_[A-Za-z0-9+/]{32,}={0,2}$'),
            CONSTRAINT event_consumers_webhook_check CHECK (
                num_nonnulls(url, secret) = CASE kind WHEN 'webhook' THEN 2 ELSE 0 END
            ),
            CONSTRAINT event_consumers_previous_secret_check CHECK (
                num_nonnulls(previous_secret, previous_secret_until) IN (0, 2)
                AND (previous_secret IS NULL OR secret IS NOT NULL)
            )
        )
        """
    )
    op.execute(
        """
        CREATE TRIGGER event_consumers_set_updated_at BEFORE UPDATE ON event_consumers
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        """
        CREATE FUNCTION event_patterns(event_type text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
            SELECT ARRAY[event_type, split_part(event_type, '.', 1) || '.*', '*']
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION event_patterns(text) IS 'What a consumer may have in event_types to get an event of this type'"
    )
    op.execute(
        """
        CREATE FUNCTION is_listened_to(event_type text) RETURNS boolean
        LANGUAGE sql STABLE AS $$
            SELECT EXISTS (
                SELECT FROM event_consumers
                WHERE is_active AND event_types && event_patterns(event_type)
            )
        $$
        """
    )
    op.execute(
        "COMMENT ON TABLE event_consumers IS 'Webhooks and Python programs that are told what happens'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.event_types IS 'Types wanted: one, all of a kind (order.*) or all (*)'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.url IS 'Where a webhook is sent; who knows it may be able to post there'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.secret IS 'Signs what is sent (Standard Webhooks), so it is kept in clear'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.previous_secret IS 'Signs as well until previous_secret_until, so that the receiver can change over'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.is_active IS 'Whether new events are handed to it and waiting ones sent'"
    )
    op.execute(
        "COMMENT ON COLUMN event_consumers.inactive_reason IS 'Why it was switched off; NULL when somebody did it'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION is_listened_to(text)")
    op.execute("DROP FUNCTION event_patterns(text)")
    op.execute("DROP TABLE event_consumers")
