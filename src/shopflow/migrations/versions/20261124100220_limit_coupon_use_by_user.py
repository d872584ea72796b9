"""Let the database keep coupons.per_user_limit and first_order_only, however many order at once."""

from alembic import op

revision = "20261124100220"
down_revision = "20261124100210"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION limit_coupon_use_by_user() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            coupon record;
        BEGIN
            -- The user was erased, or nothing that is counted here has changed.
            IF TG_OP = 'UPDATE' AND NEW.coupon_id = OLD.coupon_id
                AND (NEW.user_id IS NULL OR NEW.user_id = OLD.user_id) THEN
                RETURN NEW;
            END IF;
            -- The lock that the foreign key takes anyway, so that a limit being set is waited for; a
            -- coupon that is not limited by user takes no other.
            SELECT code, per_user_limit, first_order_only INTO coupon
            FROM coupons WHERE id = NEW.coupon_id FOR KEY SHARE;
            IF NOT FOUND OR (coupon.per_user_limit IS NULL AND NOT coupon.first_order_only) THEN
                RETURN NEW;
            END IF;
            PERFORM require_read_committed('using a coupon that is limited by user');
            IF NEW.user_id IS NULL THEN
                RAISE EXCEPTION 'coupon % is limited by user, a guest cannot use it', coupon.code
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'coupon_usage_user_required',
                        TABLE = TG_TABLE_NAME;
            END IF;
            -- Two uses by one user meet here, and the second sees the first.
            PERFORM FROM users WHERE id = NEW.user_id FOR NO KEY UPDATE;
            IF coupon.per_user_limit <= (
                SELECT count(*) FROM coupon_usage
                WHERE user_id = NEW.user_id AND coupon_id = NEW.coupon_id AND id <> NEW.id
            ) THEN
                RAISE EXCEPTION 'coupon % can be used % times by a user, and this one has', coupon.code,
                    coupon.per_user_limit
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'coupon_usage_within_user_limit',
                        TABLE = TG_TABLE_NAME;
            END IF;
            IF coupon.first_order_only AND EXISTS (
                SELECT FROM orders
                WHERE user_id = NEW.user_id AND id <> NEW.order_id AND status <> 'cancelled'
            ) THEN
                RAISE EXCEPTION 'coupon % is for the first order of a user, and this is another', coupon.code
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'coupon_usage_first_order_only',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupon_usage_limit_by_user
        BEFORE INSERT OR UPDATE OF coupon_id, user_id ON coupon_usage
        FOR EACH ROW EXECUTE FUNCTION limit_coupon_use_by_user()
        """
    )
    op.execute(
        """
        CREATE FUNCTION lock_coupon_being_limited() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Waits for uses under way, which hold FOR KEY SHARE and did not look at the user.
            PERFORM FROM coupons WHERE id = OLD.id FOR UPDATE;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupons_limit_by_user BEFORE UPDATE OF per_user_limit, first_order_only ON coupons
        FOR EACH ROW WHEN (
            OLD.per_user_limit IS NULL AND NOT OLD.first_order_only
            AND (NEW.per_user_limit IS NOT NULL OR NEW.first_order_only)
        )
        EXECUTE FUNCTION lock_coupon_being_limited()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER coupons_limit_by_user ON coupons")
    op.execute("DROP FUNCTION lock_coupon_being_limited()")
    op.execute("DROP TRIGGER coupon_usage_limit_by_user ON coupon_usage")
    op.execute("DROP FUNCTION limit_coupon_use_by_user()")
