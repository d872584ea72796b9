"""Create the price_changes table: every change of a price, whoever makes it."""

from alembic import op

revision = "20261124110630"
down_revision = "20261124110620"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE price_changes (
            id UUID NOT NULL DEFAULT uuidv7(),
            product_id UUID NOT NULL,
            variant_id UUID,
            old_price NUMERIC(12, 2) NOT NULL,
            new_price NUMERIC(12, 2) NOT NULL,
            old_compare_at_price NUMERIC(12, 2),
            new_compare_at_price NUMERIC(12, 2),
            bulk_change_id UUID,
            changed_by UUID,
            changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT price_changes_pkey PRIMARY KEY (id),
            CONSTRAINT price_changes_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT price_changes_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT price_changes_bulk_change_id_fkey FOREIGN KEY (bulk_change_id)
                REFERENCES bulk_changes (id) ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT price_changes_changed_by_fkey FOREIGN KEY (changed_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT price_changes_differs_check CHECK (
                (old_price, old_compare_at_price) IS DISTINCT FROM (new_price, new_compare_at_price)
            )
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_price_changes_product_id ON price_changes (product_id, variant_id, changed_at)"
    )
    op.execute(
        """
        CREATE INDEX idx_price_changes_bulk_change_id ON price_changes (bulk_change_id)
        WHERE bulk_change_id IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX idx_price_changes_changed_by ON price_changes (changed_by)
        WHERE changed_by IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_price_change() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- What the foreign keys do is let through: a row that it refers to is gone or has
            -- another key.
            IF TG_OP = 'DELETE' AND (
                NOT EXISTS (SELECT FROM products WHERE id = OLD.product_id)
                OR (OLD.variant_id IS NOT NULL AND NOT EXISTS (
                    SELECT FROM product_variants WHERE (product_id, id) = (OLD.product_id, OLD.variant_id)
                ))
            ) THEN
                RETURN OLD;
            END IF;
            IF TG_OP = 'UPDATE'
                AND (NEW.id, NEW.old_price, NEW.new_price, NEW.old_compare_at_price,
                    NEW.new_compare_at_price, NEW.changed_at)
                    IS NOT DISTINCT FROM (OLD.id, OLD.old_price, OLD.new_price, OLD.old_compare_at_price,
                    OLD.new_compare_at_price, OLD.changed_at)
                AND (NEW.variant_id IS NULL) = (OLD.variant_id IS NULL)
                AND ((NEW.product_id, NEW.variant_id) IS NOT DISTINCT FROM (OLD.product_id, OLD.variant_id)
                    OR NOT EXISTS (SELECT FROM products WHERE id = OLD.product_id)
                    OR (OLD.variant_id IS NOT NULL AND NOT EXISTS (
                        SELECT FROM product_variants
                        WHERE (product_id, id) = (OLD.product_id, OLD.variant_id)
                    )))
                AND (NEW.bulk_change_id IS NOT DISTINCT FROM OLD.bulk_change_id
                    OR NOT EXISTS (SELECT FROM bulk_changes WHERE id = OLD.bulk_change_id))
                AND (NEW.changed_by IS NOT DISTINCT FROM OLD.changed_by
                    OR NOT EXISTS (SELECT FROM users WHERE id = OLD.changed_by))
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'the history of prices is never changed'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'price_changes_append_only',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER price_changes_append_only BEFORE UPDATE OR DELETE ON price_changes
        FOR EACH ROW EXECUTE FUNCTION refuse_price_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER price_changes_no_truncate BEFORE TRUNCATE ON price_changes
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_price_change()
        """
    )
    op.execute(
        "COMMENT ON TABLE price_changes IS 'Every change of a price, written by triggers whoever changes it; what a product costs at first is the oldest old price'"
    )
    op.execute(
        "COMMENT ON COLUMN price_changes.variant_id IS 'Whose price it is; NULL for the product''s own'"
    )
    op.execute(
        "COMMENT ON COLUMN price_changes.bulk_change_id IS 'The bulk change that made it or took it back: the transaction''s setting shopflow.bulk_change; NULL for a direct change'"
    )
    op.execute(
        "COMMENT ON COLUMN price_changes.changed_by IS 'Who: the transaction''s setting shopflow.actor, a user; NULL for the shop itself'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE price_changes")
    op.execute("DROP FUNCTION refuse_price_change()")
