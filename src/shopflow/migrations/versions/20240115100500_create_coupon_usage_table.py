"""Create the coupon_usage table, which counts uses against the limit (§2.5)."""

from alembic import op

revision = "20240115100500"
down_revision = "20240115100460"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE coupon_usage (
            id UUID NOT NULL DEFAULT uuidv7(),
            coupon_id UUID NOT NULL,
            user_id UUID,
            order_id UUID NOT NULL,
            discount_amount NUMERIC(12, 2) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT coupon_usage_pkey PRIMARY KEY (id),
            CONSTRAINT coupon_usage_coupon_id_fkey FOREIGN KEY (coupon_id) REFERENCES coupons (id)
                ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT coupon_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT coupon_usage_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT coupon_usage_coupon_id_order_id_key UNIQUE (coupon_id, order_id),
            CONSTRAINT coupon_usage_discount_amount_positive CHECK (
                discount_amount >= 0 AND discount_amount < 'NaN'
            )
        )
        """
    )
    op.execute("CREATE INDEX idx_coupon_usage_user_id ON coupon_usage (user_id, coupon_id)")
    op.execute("CREATE INDEX idx_coupon_usage_order_id ON coupon_usage (order_id)")
    op.execute(
        """
        CREATE FUNCTION count_coupon_usage() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                UPDATE coupons SET used_count = 0 WHERE used_count > 0;
                RETURN NULL;
            END IF;
            IF TG_OP <> 'INSERT' THEN
                UPDATE coupons SET used_count = used_count - 1
                WHERE id = OLD.coupon_id AND usage_limit IS NOT NULL;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                -- The lock the foreign key takes anyway, so that a limit being set is waited for;
                -- a coupon without a limit is locked no harder than that.
                PERFORM FROM coupons WHERE id = NEW.coupon_id FOR KEY SHARE;
                UPDATE coupons SET used_count = used_count + 1
                WHERE id = NEW.coupon_id AND usage_limit IS NOT NULL;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupon_usage_count AFTER INSERT OR DELETE OR UPDATE OF coupon_id ON coupon_usage
        FOR EACH ROW EXECUTE FUNCTION count_coupon_usage()
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupon_usage_count_truncate AFTER TRUNCATE ON coupon_usage
        FOR EACH STATEMENT EXECUTE FUNCTION count_coupon_usage()
        """
    )
    op.execute(
        """
        CREATE FUNCTION recount_coupon_usage() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            PERFORM require_read_committed('limiting a coupon that had no limit');
            -- FOR UPDATE waits for uses under way, which hold FOR KEY SHARE and did not count.
            PERFORM FROM coupons WHERE id = OLD.id FOR UPDATE;
            SELECT count(*) INTO NEW.used_count FROM coupon_usage WHERE coupon_id = OLD.id;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER coupons_recount BEFORE UPDATE OF usage_limit ON coupons
        FOR EACH ROW WHEN (OLD.usage_limit IS NULL AND NEW.usage_limit IS NOT NULL)
        EXECUTE FUNCTION recount_coupon_usage()
        """
    )
    op.execute(
        "COMMENT ON TABLE coupon_usage IS 'Coupon usage tracking: one row for each order that used a coupon'"
    )
    op.execute(
        "COMMENT ON COLUMN coupon_usage.user_id IS 'Who used it; NULL for a guest, and once the user is erased'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER coupons_recount ON coupons")
    op.execute("DROP FUNCTION recount_coupon_usage()")
    op.execute("DROP TABLE coupon_usage")
    op.execute("DROP FUNCTION count_coupon_usage()")
