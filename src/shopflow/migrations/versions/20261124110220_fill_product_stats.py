"""Give every product that is there its row of product_stats."""

from alembic import op

revision = "20261124110220"
down_revision = "20261124110210"


def upgrade() -> None:
    op.execute("ALTER TABLE product_stats VALIDATE CONSTRAINT product_stats_sold_count_check")
    op.execute(
        "INSERT INTO product_stats (product_id) SELECT id FROM products ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    # A row without ratings does no harm to an older ShopFlow.
    op.execute("ALTER TABLE product_stats DROP CONSTRAINT product_stats_sold_count_check")
    op.execute(
        "ALTER TABLE product_stats ADD CONSTRAINT product_stats_sold_count_check CHECK (sold_count >= 0) NOT VALID"
    )
