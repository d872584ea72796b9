"""Say in one place which shipping zone an address is in (§2.6)."""

from alembic import op

revision = "20261124100240"
down_revision = "20261124100230"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION shipping_zone_of(country_code text, state text) RETURNS uuid
        LANGUAGE sql STABLE AS $$
            SELECT z.id
            FROM shipping_zones AS z
            WHERE z.is_active AND shipping_zone_of.country_code = ANY (z.countries)
                AND (z.states = '{}' OR shipping_zone_of.state = ANY (z.states))
            -- false before true: of equal priority the one that names states, then the oldest.
            ORDER BY z.priority DESC, z.states = '{}', z.id
            LIMIT 1
        $$
        """
    )
    op.execute(
        """
        COMMENT ON FUNCTION shipping_zone_of(text, text) IS
            'The active zone of an address: where several contain it that of the highest priority, then one that names states, then the oldest; NULL when none does'
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION shipping_zone_of(text, text)")
