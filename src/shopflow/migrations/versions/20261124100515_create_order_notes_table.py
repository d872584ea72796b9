"""Create the order_notes table: what people of the shop note about an order."""

from alembic import op

revision = "20261124100515"
down_revision = "20261124100510"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_notes (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            note TEXT NOT NULL,
            created_by UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_notes_pkey PRIMARY KEY (id),
            CONSTRAINT order_notes_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_notes_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT order_notes_note_check CHECK (note ~ '\\S')
        )
        """
    )
    op.execute("CREATE INDEX idx_order_notes_order_id ON order_notes (order_id, created_at)")
    op.execute(
        """
        CREATE INDEX idx_order_notes_created_by ON order_notes (created_by)
        WHERE created_by IS NOT NULL
        """
    )
    op.execute(
        "COMMENT ON TABLE order_notes IS 'What the shop notes about an order beside its steps, which alone are in order_status_history'"
    )
    op.execute("COMMENT ON COLUMN order_notes.created_by IS 'Who; NULL for the shop itself'")


def downgrade() -> None:
    op.execute("DROP TABLE order_notes")
