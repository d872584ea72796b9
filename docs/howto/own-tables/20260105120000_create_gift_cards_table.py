"""Create the gift_cards table."""

from alembic import op

revision = "20260105120000"
down_revision = None
branch_labels = ("shop",)
depends_on = "20240115100400"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE gift_cards (
            id UUID NOT NULL DEFAULT uuidv7(),
            code TEXT NOT NULL,
            amount NUMERIC(10, 2) NOT NULL,
            order_id UUID NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT gift_cards_pkey PRIMARY KEY (id),
            CONSTRAINT gift_cards_code_key UNIQUE (code),
            CONSTRAINT gift_cards_amount_positive CHECK (amount > 0),
            CONSTRAINT gift_cards_order_id_fkey FOREIGN KEY (order_id)
                REFERENCES orders (id) ON DELETE RESTRICT
        )
        """
    )
    op.execute("COMMENT ON TABLE gift_cards IS 'Gift cards, each sold with an order'")


def downgrade() -> None:
    op.execute("DROP TABLE gift_cards")
