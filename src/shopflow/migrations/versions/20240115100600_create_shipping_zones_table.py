"""Create the shipping_zones table (§2.6)."""

from alembic import op

revision = "20240115100600"
down_revision = "20240115100500"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE shipping_zones (
            id UUID NOT NULL DEFAULT uuidv7(),
            name VARCHAR(100) NOT NULL,
            countries TEXT[] NOT NULL,
            states TEXT[] NOT NULL DEFAULT '{}',
            priority INTEGER NOT NULL DEFAULT 0,
            is_active BOOLEAN NOT NULL DEFAULT true,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT shipping_zones_pkey PRIMARY KEY (id),
            CONSTRAINT shipping_zones_name_check CHECK (btrim(name) <> ''),
            CONSTRAINT shipping_zones_countries_check CHECK (
                array_ndims(countries) = 1
                AND array_to_string(countries, '|', '?') ~ '^[A-Z]{2}(\|[A-Z]{2})*$'
            )
        )
        """
    )
    op.execute(
        """
        CREATE TRIGGER shipping_zones_set_updated_at BEFORE UPDATE ON shipping_zones
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE shipping_zones IS 'Geographic regions'")
    op.execute(
        "COMMENT ON COLUMN shipping_zones.countries IS 'ISO 3166-1 alpha-2 codes, at least one'"
    )
    op.execute(
        "COMMENT ON COLUMN shipping_zones.states IS 'States of these countries; empty for all of them'"
    )
    op.execute(
        "COMMENT ON COLUMN shipping_zones.priority IS 'Where zones overlap the highest is taken'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE shipping_zones")
