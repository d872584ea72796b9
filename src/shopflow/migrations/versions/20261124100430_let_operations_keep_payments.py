"""Let the database keep the amounts and the status of a payment from its operations."""

from alembic import op

revision = "20261124100430"
down_revision = "20261124100420"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION payment_state(payment uuid) RETURNS TABLE (
            captured_amount numeric, voided_amount numeric, live_amount numeric,
            authorized boolean, status text
        )
        LANGUAGE sql STABLE AS $$
            SELECT sums.captured_amount, sums.voided_amount, sums.live_amount, sums.authorized,
                CASE
                    WHEN sums.captured THEN 'captured'
                    WHEN sums.authorized AND sums.voided_amount < p.amount THEN 'authorized'
                    WHEN sums.voided THEN 'voided'
                    WHEN sums.given_up AND NOT sums.live THEN 'failed'
                    ELSE 'pending'
                END
            FROM payments AS p
            CROSS JOIN LATERAL (
                SELECT
                    coalesce(sum(o.amount) FILTER (WHERE o.kind = 'capture' AND o.status = 'succeeded'), 0)
                        AS captured_amount,
                    coalesce(sum(o.amount) FILTER (WHERE o.kind = 'void' AND o.status = 'succeeded'), 0)
                        AS voided_amount,
                    coalesce(sum(o.amount) FILTER (
                        WHERE o.kind IN ('capture', 'void') AND o.status IN ('pending', 'unknown', 'succeeded')
                    ), 0) AS live_amount,
                    coalesce(bool_or(o.kind = 'capture' AND o.status = 'succeeded'), false) AS captured,
                    coalesce(bool_or(o.kind = 'void' AND o.status = 'succeeded'), false) AS voided,
                    coalesce(bool_or(o.kind = 'authorize' AND o.status = 'succeeded'), false) AS authorized,
                    coalesce(bool_or(o.status IN ('pending', 'unknown')), false) AS live,
                    coalesce(bool_or(o.status IN ('declined', 'failed')), false) AS given_up
                FROM payment_operations AS o
                WHERE o.payment_id = p.id
            ) AS sums
            WHERE p.id = payment
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION payment_state(uuid) IS 'What the operations of a payment come to; live_amount is what is captured or voided, or may yet be'"
    )
    op.execute(
        """
        CREATE FUNCTION payment_operation_steps() RETURNS TABLE (from_status text, to_status text)
        LANGUAGE sql IMMUTABLE AS $$
            VALUES
                ('pending', 'unknown'), ('pending', 'succeeded'), ('pending', 'declined'),
                ('pending', 'failed'),
                ('unknown', 'succeeded'), ('unknown', 'declined'), ('unknown', 'failed'),
                -- Given up by us, and then the gateway said that it had happened after all.
                ('failed', 'succeeded')
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION payment_operation_steps() IS 'Every step that a payment operation may take from one status to another'"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_operation_change() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
                RAISE EXCEPTION 'a payment operation is never deleted'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_kept',
                        TABLE = TG_TABLE_NAME;
            END IF;
            -- Its payment or refund renumbered is let through, and what other constraints refuse.
            IF (NEW.id, NEW.kind, NEW.amount, NEW.idempotency_key)
                    <> (OLD.id, OLD.kind, OLD.amount, OLD.idempotency_key)
                OR (SELECT count(*) FROM payments WHERE id IN (OLD.payment_id, NEW.payment_id)) > 1
                OR (SELECT count(*) FROM refunds WHERE id IN (OLD.refund_id, NEW.refund_id)) > 1
            THEN
                RAISE EXCEPTION 'what payment operation % is for is never changed', OLD.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_kept',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF NEW.status <> OLD.status AND NOT EXISTS (
                SELECT FROM payment_operation_steps()
                WHERE from_status = OLD.status AND to_status = NEW.status
            ) THEN
                RAISE EXCEPTION 'a payment operation cannot go from % to %', OLD.status, NEW.status
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_step',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payment_operations_kept BEFORE UPDATE OR DELETE ON payment_operations
        FOR EACH ROW EXECUTE FUNCTION refuse_operation_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payment_operations_no_truncate BEFORE TRUNCATE ON payment_operations
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_operation_change()
        """
    )
    op.execute(
        """
        CREATE FUNCTION apply_payment_operation() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            payment record;
            refund record;
            state record;
        BEGIN
            PERFORM require_read_committed('a payment operation');
            -- First the lock; then a statement of its own, so that the sums see what a transaction
            -- that held it before us has committed.
            SELECT id, gateway, amount, status INTO payment
            FROM payments WHERE id = NEW.payment_id FOR NO KEY UPDATE;
            IF NEW.kind = 'refund' THEN
                SELECT payment_id, amount, status INTO refund
                FROM refunds WHERE id = NEW.refund_id FOR NO KEY UPDATE;
                IF (refund.payment_id, refund.amount) IS DISTINCT FROM (NEW.payment_id, NEW.amount)
                    OR (TG_OP = 'INSERT' AND refund.status <> 'pending')
                THEN
                    RAISE EXCEPTION 'payment operation % is not of its refund: another payment or amount, or it is no longer pending',
                        NEW.id
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_of_refund',
                            TABLE = TG_TABLE_NAME;
                END IF;
                UPDATE refunds AS r
                SET status = s.status
                FROM (
                    SELECT CASE NEW.status
                        WHEN 'succeeded' THEN 'succeeded'
                        WHEN 'declined' THEN 'failed'
                        WHEN 'failed' THEN 'failed'
                        ELSE 'pending'
                    END AS status
                ) AS s
                WHERE r.id = NEW.refund_id AND r.status <> s.status;
                RETURN NULL;
            END IF;
            SELECT * INTO state FROM payment_state(NEW.payment_id);
            IF payment.gateway IS NULL
                OR (NEW.kind IN ('capture', 'void') AND payment.gateway <> 'manual' AND NOT state.authorized)
            THEN
                RAISE EXCEPTION 'payment % is not authorized, there is nothing to %', payment.id, NEW.kind
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_authorized',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF NEW.kind = 'authorize' AND NEW.amount <> payment.amount THEN
                RAISE EXCEPTION 'payment % is of %, not of %', payment.id, payment.amount, NEW.amount
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_within_amount',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF state.live_amount > payment.amount THEN
                RAISE EXCEPTION 'captures and voids of payment % come to %, above its %',
                    payment.id, state.live_amount, payment.amount
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_operations_within_amount',
                        TABLE = TG_TABLE_NAME;
            END IF;
            UPDATE payments AS p
            SET captured_amount = state.captured_amount,
                voided_amount = state.voided_amount,
                status = state.status,
                captured_at = CASE WHEN state.status = 'captured' THEN coalesce(p.captured_at, now()) END,
                authorized_at = CASE WHEN state.authorized THEN coalesce(p.authorized_at, now()) END,
                failure_code = CASE WHEN state.status = 'failed' THEN coalesce(NEW.error_code, p.failure_code) END
            WHERE p.id = NEW.payment_id
                AND (p.captured_amount, p.voided_amount, p.status, p.authorized_at IS NOT NULL)
                    IS DISTINCT FROM
                    (state.captured_amount, state.voided_amount, state.status, state.authorized);
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payment_operations_apply_insert AFTER INSERT ON payment_operations
        FOR EACH ROW EXECUTE FUNCTION apply_payment_operation()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payment_operations_apply_update AFTER UPDATE OF status ON payment_operations
        FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION apply_payment_operation()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_payment_sums() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            state record;
        BEGIN
            SELECT * INTO state FROM payment_state(NEW.id);
            IF (NEW.captured_amount, NEW.voided_amount, NEW.status)
                    IS DISTINCT FROM (state.captured_amount, state.voided_amount, state.status)
            THEN
                RAISE EXCEPTION 'payment % is what its operations come to, % with % captured and % voided: change those',
                    NEW.id, state.status, state.captured_amount, state.voided_amount
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_match_operations',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    # The condition keeps the function away from payments that were recorded as they were.
    op.execute(
        """
        CREATE TRIGGER payments_match_operations_insert AFTER INSERT ON payments
        FOR EACH ROW WHEN (NEW.gateway IS NOT NULL AND (NEW.status <> 'pending' OR NEW.voided_amount <> 0))
        EXECUTE FUNCTION refuse_other_payment_sums()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_match_operations_update
        AFTER UPDATE OF gateway, captured_amount, voided_amount, status ON payments
        FOR EACH ROW WHEN (
            (OLD.gateway IS NOT NULL OR NEW.gateway IS NOT NULL)
            AND (OLD.gateway, OLD.captured_amount, OLD.voided_amount, OLD.status)
                IS DISTINCT FROM (NEW.gateway, NEW.captured_amount, NEW.voided_amount, NEW.status)
        )
        EXECUTE FUNCTION refuse_other_payment_sums()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_payment() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- An operation that is being written holds the payment's row, which we have now.
            PERFORM require_read_committed('changing what a payment is for');
            -- Its order renumbered is let through.
            IF ((OLD.amount, OLD.gateway) IS DISTINCT FROM (NEW.amount, NEW.gateway)
                    OR EXISTS (SELECT FROM orders WHERE id = OLD.order_id AND id <> NEW.order_id))
                AND EXISTS (SELECT FROM payment_operations WHERE payment_id = NEW.id)
            THEN
                RAISE EXCEPTION 'payment % has operations: its order, amount and gateway stay', NEW.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_kept_for_operations',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_kept_for_operations AFTER UPDATE OF order_id, amount, gateway ON payments
        FOR EACH ROW WHEN (
            (OLD.order_id, OLD.amount, OLD.gateway)
                IS DISTINCT FROM (NEW.order_id, NEW.amount, NEW.gateway)
        )
        EXECUTE FUNCTION refuse_other_payment()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_refund_status() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM payment_operations AS o
                WHERE o.refund_id = NEW.id
                    AND ((o.payment_id, o.amount) IS DISTINCT FROM (NEW.payment_id, NEW.amount)
                        OR NEW.status <> CASE o.status
                            WHEN 'succeeded' THEN 'succeeded'
                            WHEN 'declined' THEN 'failed'
                            WHEN 'failed' THEN 'failed'
                            ELSE 'pending'
                        END)
            ) THEN
                RAISE EXCEPTION 'refund % is what its payment operation says: change that', NEW.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_match_operation',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER refunds_match_operation AFTER UPDATE OF payment_id, amount, status ON refunds
        FOR EACH ROW WHEN ((OLD.payment_id, OLD.amount, OLD.status)
            IS DISTINCT FROM (NEW.payment_id, NEW.amount, NEW.status))
        EXECUTE FUNCTION refuse_other_refund_status()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_payment_above_total() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            paid_for record;
            asked numeric;
        BEGIN
            -- Its order got another key, nothing else.
            IF TG_OP = 'UPDATE' AND (OLD.amount, OLD.gateway) IS NOT DISTINCT FROM (NEW.amount, NEW.gateway)
                AND NOT EXISTS (SELECT FROM orders WHERE id = OLD.order_id)
            THEN
                RETURN NULL;
            END IF;
            PERFORM require_read_committed('a payment at a gateway');
            SELECT status, total_amount INTO paid_for
            FROM orders WHERE id = NEW.order_id FOR NO KEY UPDATE;
            IF paid_for.status = 'cancelled' THEN
                RAISE EXCEPTION 'order % is cancelled, no payment of it begins', NEW.order_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_order_not_cancelled',
                        TABLE = TG_TABLE_NAME;
            END IF;
            SELECT coalesce(sum(CASE
                WHEN gateway IS NULL THEN captured_amount
                WHEN status IN ('pending', 'authorized', 'captured') THEN amount - voided_amount
                ELSE 0
            END), 0) INTO asked FROM payments WHERE order_id = NEW.order_id;
            IF asked > paid_for.total_amount THEN
                RAISE EXCEPTION 'payments of order %, with those under way, would come to %, above its total of %',
                    NEW.order_id, asked, paid_for.total_amount
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_within_total',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    # Only what is new: what a gateway tells us later has happened, whatever the order says by then.
    op.execute(
        """
        CREATE TRIGGER payments_within_total AFTER INSERT ON payments
        FOR EACH ROW WHEN (NEW.gateway IS NOT NULL) EXECUTE FUNCTION refuse_payment_above_total()
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_within_total_update AFTER UPDATE OF order_id, amount, gateway ON payments
        FOR EACH ROW WHEN (
            NEW.gateway IS NOT NULL
            AND (OLD.order_id, OLD.amount, OLD.gateway)
                IS DISTINCT FROM (NEW.order_id, NEW.amount, NEW.gateway)
        )
        EXECUTE FUNCTION refuse_payment_above_total()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER payments_within_total_update ON payments")
    op.execute("DROP TRIGGER payments_within_total ON payments")
    op.execute("DROP FUNCTION refuse_payment_above_total()")
    op.execute("DROP TRIGGER refunds_match_operation ON refunds")
    op.execute("DROP FUNCTION refuse_other_refund_status()")
    op.execute("DROP TRIGGER payments_kept_for_operations ON payments")
    op.execute("DROP FUNCTION refuse_other_payment()")
    op.execute("DROP TRIGGER payments_match_operations_update ON payments")
    op.execute("DROP TRIGGER payments_match_operations_insert ON payments")
    op.execute("DROP FUNCTION refuse_other_payment_sums()")
    op.execute("DROP TRIGGER payment_operations_apply_update ON payment_operations")
    op.execute("DROP TRIGGER payment_operations_apply_insert ON payment_operations")
    op.execute("DROP FUNCTION apply_payment_operation()")
    op.execute("DROP TRIGGER payment_operations_no_truncate ON payment_operations")
    op.execute("DROP TRIGGER payment_operations_kept ON payment_operations")
    op.execute("DROP FUNCTION refuse_operation_change()")
    op.execute("DROP FUNCTION payment_operation_steps()")
    op.execute("DROP FUNCTION payment_state(uuid)")
