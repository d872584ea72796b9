"""Refuse movements of a product's own stock while it has variants, also those that sum to nothing."""

from alembic import op

revision = "20261124110100"
down_revision = "20261124100902"

# As it was, to the letter: what goes down leaves what was there.
BEFORE = """
        CREATE OR REPLACE FUNCTION apply_stock_movements() RETURNS trigger
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
AFTER = """
CREATE OR REPLACE FUNCTION apply_stock_movements() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    of_variants boolean;
    parents uuid[];
BEGIN
    PERFORM set_config('shopflow.stock_in_step', 'on', true);
    of_variants := EXISTS (SELECT FROM moved WHERE variant_id IS NOT NULL);
    -- Locked in the order in which everybody does: variants by id, then products by id, those
    -- of the variants among them, whose sum is going to change.
    IF of_variants THEN
        PERFORM FROM product_variants
        WHERE id IN (SELECT variant_id FROM moved) ORDER BY id FOR NO KEY UPDATE;
    END IF;
    SELECT array_agg(p.id) FILTER (WHERE p.has_variants) INTO parents
    FROM (
        SELECT id, has_variants FROM products
        WHERE id IN (SELECT product_id FROM moved) ORDER BY id FOR NO KEY UPDATE
    ) AS p;
    IF parents IS NOT NULL
        AND EXISTS (SELECT FROM moved WHERE variant_id IS NULL AND product_id = ANY (parents))
    THEN
        RAISE EXCEPTION 'a product with variants has no stock of its own: name the variant that is moved'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stock_movements_of_the_variant',
                TABLE = TG_TABLE_NAME;
    END IF;
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


def upgrade() -> None:
    op.execute(AFTER)


def downgrade() -> None:
    op.execute(BEFORE)
