"""Let a movement that is written change the stock, so that both are always in step."""

from alembic import op

revision = "20261124100330"
down_revision = "20261124100320"

# Each side writes the other: the setting, which only the triggers' functions make, keeps what they
# write from being answered. At depth 0 it is somebody else's, and does not count.
FROM_OUTSIDE = """(
    pg_trigger_depth() = 0
    OR current_setting('shopflow.stock_in_step', true) IS DISTINCT FROM 'on'
)"""


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION apply_stock_movements() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            of_variants boolean;
        BEGIN
            PERFORM set_config('shopflow.stock_in_step', 'on', true);
            of_variants := EXISTS (SELECT FROM moved WHERE variant_id IS NOT NULL);
            -- Locked in the order in which everybody does: variants by id, then products by id, those
            -- of the variants among them, whose sum is going to change.
            IF of_variants THEN
                PERFORM FROM product_variants
                WHERE id IN (SELECT variant_id FROM moved) ORDER BY id FOR NO KEY UPDATE;
            END IF;
            PERFORM FROM products
            WHERE id IN (SELECT product_id FROM moved) ORDER BY id FOR NO KEY UPDATE;
            IF of_variants THEN
                UPDATE product_variants AS v
                SET stock_quantity = v.stock_quantity + m.change
                FROM (
                    SELECT variant_id, sum(change) AS change
                    FROM moved WHERE variant_id IS NOT NULL GROUP BY variant_id
                ) AS m
                WHERE v.id = m.variant_id AND m.change <> 0;
            END IF;
            UPDATE products AS p
            SET stock_quantity = p.stock_quantity + m.change
            FROM (
                SELECT product_id, sum(change) AS change
                FROM moved WHERE variant_id IS NULL GROUP BY product_id
            ) AS m
            WHERE p.id = m.product_id AND m.change <> 0;
            PERFORM set_config('shopflow.stock_in_step', '', true);
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER stock_movements_apply AFTER INSERT ON stock_movements
        REFERENCING NEW TABLE AS moved FOR EACH STATEMENT
        WHEN {FROM_OUTSIDE} EXECUTE FUNCTION apply_stock_movements()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER stock_movements_apply ON stock_movements")
    op.execute("DROP FUNCTION apply_stock_movements()")
