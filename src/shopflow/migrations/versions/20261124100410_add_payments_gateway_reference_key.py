"""Let a gateway's reference stand for one payment only."""

from alembic import op

revision = "20261124100410"
down_revision = "20261124100405"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            """
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS payments_gateway_reference_key
            ON payments (gateway, gateway_reference) WHERE gateway_reference IS NOT NULL
            """
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS payments_gateway_reference_key")
