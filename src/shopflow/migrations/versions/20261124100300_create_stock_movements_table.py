"""Create the stock_movements table: every change of a stock, its reason and its order."""

from alembic import op

revision = "20261124100300"
down_revision = "20261124100240"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE stock_movements (
            id UUID NOT NULL DEFAULT uuidv7(),
            product_id UUID NOT NULL,
            variant_id UUID,
            change INTEGER NOT NULL,
            reason VARCHAR(20) NOT NULL,
            order_id UUID,
            notes TEXT,
            created_by UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT stock_movements_pkey PRIMARY KEY (id),
            CONSTRAINT stock_movements_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT stock_movements_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT stock_movements_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT stock_movements_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT stock_movements_change_check CHECK (change <> 0),
            CONSTRAINT stock_movements_reason_check CHECK (
                reason IN ('initial', 'import', 'sale', 'cancellation', 'return', 'correction')
            )
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_stock_movements_product_id ON stock_movements (product_id, variant_id, created_at)"
    )
    op.execute(
        "CREATE INDEX idx_stock_movements_order_id ON stock_movements (order_id) WHERE order_id IS NOT NULL"
    )
    op.execute(
        """
        CREATE INDEX idx_stock_movements_created_by ON stock_movements (created_by)
        WHERE created_by IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_movement_change() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- What the foreign keys do is let through: a row that a movement refers to is gone or
            -- has another key.
            IF TG_OP = 'DELETE' AND (
                NOT EXISTS (SELECT FROM products WHERE id = OLD.product_id)
                OR (OLD.variant_id IS NOT NULL AND NOT EXISTS (
                    SELECT FROM product_variants WHERE (product_id, id) = (OLD.product_id, OLD.variant_id)
                ))
            ) THEN
                RETURN OLD;
            END IF;
            IF TG_OP = 'UPDATE'
                AND (NEW.id, NEW.change, NEW.reason, NEW.notes, NEW.created_at)
                    IS NOT DISTINCT FROM (OLD.id, OLD.change, OLD.reason, OLD.notes, OLD.created_at)
                AND (NEW.variant_id IS NULL) = (OLD.variant_id IS NULL)
                AND ((NEW.product_id, NEW.variant_id) IS NOT DISTINCT FROM (OLD.product_id, OLD.variant_id)
                    OR NOT EXISTS (SELECT FROM products WHERE id = OLD.product_id)
                    OR (OLD.variant_id IS NOT NULL AND NOT EXISTS (
                        SELECT FROM product_variants
                        WHERE (product_id, id) = (OLD.product_id, OLD.variant_id)
                    )))
                AND (NEW.order_id IS NOT DISTINCT FROM OLD.order_id
                    OR NOT EXISTS (SELECT FROM orders WHERE id = OLD.order_id))
                AND (NEW.created_by IS NOT DISTINCT FROM OLD.created_by
                    OR NOT EXISTS (SELECT FROM users WHERE id = OLD.created_by))
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'a stock movement is never changed: write another one'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'stock_movements_append_only',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE ON stock_movements
        FOR EACH ROW EXECUTE FUNCTION refuse_movement_change()
        """
    )
    op.execute(
        """
        CREATE TRIGGER stock_movements_no_truncate BEFORE TRUNCATE ON stock_movements
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_movement_change()
        """
    )
    op.execute(
        "COMMENT ON TABLE stock_movements IS 'Every change of a stock: writing a row changes the stock, and changing a stock writes a row, so that each stock is the sum of its movements'"
    )
    op.execute(
        "COMMENT ON COLUMN stock_movements.variant_id IS 'Whose stock it is; NULL for that of a product without variants'"
    )
    op.execute(
        "COMMENT ON COLUMN stock_movements.change IS 'Pieces, above zero when they came in, below when they went out'"
    )
    op.execute(
        "COMMENT ON COLUMN stock_movements.reason IS 'For a stock that was changed directly: the transaction''s setting shopflow.stock_reason, otherwise initial for a new row and correction for an old one'"
    )
    op.execute(
        "COMMENT ON COLUMN stock_movements.order_id IS 'The order that took the pieces or gave them back'"
    )
    op.execute(
        "COMMENT ON COLUMN stock_movements.created_by IS 'Who: the transaction''s setting shopflow.actor, a user; NULL for the shop itself'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE stock_movements")
    op.execute("DROP FUNCTION refuse_movement_change()")
