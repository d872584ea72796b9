"""Add the functions that erase a person and keep what bookkeeping needs (GDPR, article 17)."""

from alembic import op

revision = "20261124100190"
down_revision = "20261124100180"


def upgrade() -> None:
    # They run as the owner, who alone reads deleted_user_orders. PUBLIC could call every new
    # function; the role that may is given the right by `roles.grant`.
    op.execute(
        """
        CREATE FUNCTION orders_of_user(subject uuid) RETURNS SETOF uuid
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 20 SET search_path FROM CURRENT AS $$
            SELECT o.id FROM orders AS o WHERE o.user_id = subject
            UNION
            -- Unless it was given to another account since.
            SELECT o.id FROM deleted_user_orders AS d JOIN orders AS o ON o.id = d.order_id
            WHERE d.user_id = subject AND o.user_id IS NULL
        $$
        """
    )
    op.execute("REVOKE EXECUTE ON FUNCTION orders_of_user(uuid) FROM PUBLIC")
    op.execute(
        """
        CREATE FUNCTION anonymise_user(subject uuid) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            theirs uuid[];
        BEGIN
            PERFORM require_read_committed('erasing a user');
            -- Waits for what is being written for this user, as a soft delete does.
            PERFORM FROM users WHERE id = subject FOR UPDATE;
            IF NOT FOUND THEN
                RETURN false;
            END IF;
            -- The triggers of a soft delete clear carts, sessions and tokens and unlink the orders.
            UPDATE users
            SET email = 'erased-' || id || '@erased.invalid', password_hash = '!',
                first_name = '', last_name = '', role = 'customer', email_verified = false,
                deleted_at = coalesce(deleted_at, now())
            WHERE id = subject;
            DELETE FROM user_addresses WHERE user_id = subject;
            SELECT array_agg(id) INTO theirs FROM orders_of_user(subject) AS o (id);
            PERFORM FROM orders WHERE id = ANY(theirs) ORDER BY id FOR NO KEY UPDATE;
            UPDATE orders
            SET customer_email = 'erased@erased.invalid', idempotency_fingerprint = NULL
            WHERE id = ANY(theirs);
            -- Amounts, country, state and the region of the postal code stay: for the tax.
            UPDATE order_addresses
            SET first_name = '', last_name = '', address_line_1 = '', address_line_2 = NULL,
                city = '', postal_code = left(postal_code, 3)
            WHERE order_id = ANY(theirs);
            UPDATE payments SET card_last_four = NULL
            WHERE order_id = ANY(theirs) AND card_last_four IS NOT NULL;
            -- Once applied they have none.
            UPDATE gateway_events AS e SET card_brand = NULL, card_last_four = NULL
            FROM payments AS p
            WHERE p.order_id = ANY(theirs) AND e.applied_at IS NULL AND e.gateway = p.gateway
                AND e.authorization_reference = p.gateway_reference;
            DELETE FROM order_notes WHERE order_id = ANY(theirs);
            -- What was approved is in the rating of the product; nobody else has seen the others.
            DELETE FROM product_reviews WHERE user_id = subject AND NOT is_approved;
            UPDATE product_reviews SET user_id = NULL, title = NULL, content = NULL
            WHERE user_id = subject;
            UPDATE coupon_usage SET user_id = NULL WHERE user_id = subject;
            RETURN true;
        END
        $$
        """
    )
    op.execute("REVOKE EXECUTE ON FUNCTION anonymise_user(uuid) FROM PUBLIC")
    op.execute(
        """
        CREATE FUNCTION erase_user(subject uuid, actor uuid, reason text) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            address text;
        BEGIN
            -- Of two that erase at once the second waits here, and finds it done.
            SELECT email INTO address FROM users WHERE id = subject FOR UPDATE;
            IF NOT anonymise_user(subject) THEN
                RETURN false;
            END IF;
            INSERT INTO erasure_log (user_id, erased_by, reason)
            SELECT subject, actor, erase_user.reason
            WHERE address <> 'erased-' || subject || '@erased.invalid';
            RETURN true;
        END
        $$
        """
    )
    op.execute("REVOKE EXECUTE ON FUNCTION erase_user(uuid, uuid, text) FROM PUBLIC")
    # Not as the owner: who calls it must be the owner.
    op.execute(
        """
        CREATE FUNCTION reapply_erasures(since timestamptz) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            erased bigint;
        BEGIN
            -- In the order of the keys, so that two who do it do not wait for each other.
            SELECT count(*) FILTER (WHERE anonymise_user(l.user_id)) INTO erased
            FROM (
                SELECT DISTINCT user_id FROM erasure_log WHERE erased_at >= since ORDER BY user_id
            ) AS l;
            RETURN erased;
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION orders_of_user(uuid) IS 'The orders of a user, also of one that is deleted'"
    )
    op.execute(
        "COMMENT ON FUNCTION anonymise_user(uuid) IS 'Empties and soft-deletes a user and takes the person out of the orders; false when there is no such user'"
    )
    op.execute(
        "COMMENT ON FUNCTION erase_user(uuid, uuid, text) IS 'Erases a person, once and for all, and logs it: whom, by whom, why; false when there is no such user'"
    )
    op.execute(
        "COMMENT ON FUNCTION reapply_erasures(timestamptz) IS 'Erases again what the log names since then, after a restore: how many users; for the owner'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION reapply_erasures(timestamptz)")
    op.execute("DROP FUNCTION erase_user(uuid, uuid, text)")
    op.execute("DROP FUNCTION anonymise_user(uuid)")
    op.execute("DROP FUNCTION orders_of_user(uuid)")
