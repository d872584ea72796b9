"""Create gateway_events: what gateways told us by webhook, each event applied once."""

from alembic import op

revision = "20261124100440"
down_revision = "20261124100430"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE gateway_events (
            gateway VARCHAR(50) NOT NULL,
            event_id VARCHAR(255) NOT NULL,
            kind VARCHAR(20) NOT NULL,
            status VARCHAR(20) NOT NULL,
            idempotency_key VARCHAR(255),
            authorization_reference VARCHAR(255) NOT NULL,
            gateway_reference VARCHAR(255) NOT NULL,
            amount NUMERIC(12, 2) NOT NULL,
            error_code VARCHAR(100),
            card_brand VARCHAR(20),
            card_last_four CHAR(4),
            occurred_at TIMESTAMPTZ NOT NULL,
            received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            applied_at TIMESTAMPTZ,
            problem TEXT,
            CONSTRAINT gateway_events_pkey PRIMARY KEY (gateway, event_id),
            CONSTRAINT gateway_events_kind_check CHECK (
                kind IN ('authorize', 'capture', 'void', 'refund')
            ),
            CONSTRAINT gateway_events_status_check CHECK (status IN ('succeeded', 'declined')),
            CONSTRAINT gateway_events_amount_positive CHECK (amount >= 0 AND amount < 'NaN'),
            CONSTRAINT gateway_events_error_code_check CHECK (
                (status = 'declined') = (error_code IS NOT NULL)
            ),
            CONSTRAINT gateway_events_card_last_four_check CHECK (card_last_four ~ '^[0-9]{4}$'),
            CONSTRAINT gateway_events_problem_check CHECK (applied_at IS NULL OR problem IS NULL)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX idx_gateway_events_waiting ON gateway_events (gateway, authorization_reference)
        WHERE applied_at IS NULL
        """
    )
    op.execute(
        "COMMENT ON TABLE gateway_events IS 'Webhooks of gateways: what is needed of each, and no more; an event is applied once, in whatever order they come'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.kind IS 'What it is about, as payment_operations.kind'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.idempotency_key IS 'Of our operation; NULL for what was done at the gateway without us'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.authorization_reference IS 'The gateway''s name for the authorization, as payments.gateway_reference'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.gateway_reference IS 'The gateway''s name for the operation'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.card_last_four IS 'Four digits, all of a card number that is ever stored; NULL again once it is applied'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.applied_at IS 'NULL while it waits, such as for what it refers to; recovery tries again'"
    )
    op.execute(
        "COMMENT ON COLUMN gateway_events.problem IS 'Why it could not be applied when last tried'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE gateway_events")
