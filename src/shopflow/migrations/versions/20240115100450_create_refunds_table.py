"""Create the refunds table; never more than was captured (§2.4)."""

from alembic import op

revision = "20240115100450"
down_revision = "20240115100440"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE refunds (
            id UUID NOT NULL DEFAULT uuidv7(),
            payment_id UUID NOT NULL,
            amount NUMERIC(12, 2) NOT NULL,
            status VARCHAR(20) NOT NULL DEFAULT 'pending',
            reason TEXT,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT refunds_pkey PRIMARY KEY (id),
            CONSTRAINT refunds_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id)
                ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT refunds_amount_positive CHECK (amount > 0 AND amount < 'NaN'),
            CONSTRAINT refunds_status_check CHECK (status IN ('pending', 'succeeded', 'failed'))
        )
        """
    )
    op.execute("CREATE INDEX idx_refunds_payment_id ON refunds (payment_id)")
    op.execute(
        """
        CREATE TRIGGER refunds_set_updated_at BEFORE UPDATE ON refunds
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    # One function for both sides: NEW is a refund that grew or a payment that shrank.
    op.execute(
        """
        CREATE FUNCTION refuse_refund_above_captured() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            payment uuid;
            paid record;
            refunded numeric;
        BEGIN
            IF TG_TABLE_NAME = 'payments' THEN
                payment := NEW.id;
            ELSE
                payment := NEW.payment_id;
            END IF;
            -- First the payment is written, then comes a statement of its own: it sees the refunds
            -- of whoever held the row before us, and at REPEATABLE READ, where it would not, the
            -- write fails instead.
            UPDATE payments SET updated_at = now() WHERE id = payment
            RETURNING status, captured_amount INTO paid;
            SELECT coalesce(sum(amount), 0) INTO refunded
            FROM refunds WHERE payment_id = payment AND status <> 'failed';
            IF refunded > 0 AND paid.status <> 'captured' THEN
                RAISE EXCEPTION 'payment % is not captured, there is nothing to refund', payment
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_payment_captured',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF refunded > paid.captured_amount THEN
                RAISE EXCEPTION 'refunds of payment % come to %, above the % captured',
                    payment, refunded, paid.captured_amount
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_captured',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER refunds_within_captured AFTER INSERT OR UPDATE OF payment_id, amount, status ON refunds
        FOR EACH ROW EXECUTE FUNCTION refuse_refund_above_captured()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_cover_refunds AFTER UPDATE OF captured_amount, status ON payments
        FOR EACH ROW WHEN (NEW.captured_amount < OLD.captured_amount OR NEW.status <> OLD.status)
        EXECUTE FUNCTION refuse_refund_above_captured()
        """
    )
    op.execute("COMMENT ON TABLE refunds IS 'Refund transactions'")
    op.execute(
        "COMMENT ON COLUMN refunds.status IS 'Pending ones count against what was captured, failed ones do not'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER payments_cover_refunds ON payments")
    op.execute("DROP TABLE refunds")
    op.execute("DROP FUNCTION refuse_refund_above_captured()")
