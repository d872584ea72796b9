"""Let the database keep a product's stock as the sum of its variants'."""

from alembic import op

revision = "20240115100150"
down_revision = "20240115100140"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION sum_variant_stock() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            touched uuid[];
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                UPDATE products SET stock_quantity = 0, has_variants = false WHERE has_variants;
                RETURN NULL;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT product_id) INTO touched FROM new_variants;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT product_id) INTO touched FROM old_variants;
            ELSE
                SELECT array_agg(DISTINCT product_id) INTO touched
                FROM (
                    SELECT unnest(ARRAY[o.product_id, n.product_id]) AS product_id
                    FROM old_variants AS o FULL JOIN new_variants AS n USING (id)
                    WHERE (o.product_id, o.stock_quantity, o.is_active)
                        IS DISTINCT FROM (n.product_id, n.stock_quantity, n.is_active)
                ) AS change
                WHERE product_id IS NOT NULL;
            END IF;
            IF touched IS NULL THEN
                RETURN NULL;
            END IF;
            -- First the locks, in key order; then a statement of its own, so that the sum sees what
            -- a transaction that held a lock before us has committed.
            PERFORM FROM products WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
            UPDATE products AS p
            SET stock_quantity = s.stock, has_variants = s.variants > 0
            FROM (
                SELECT t.id, count(v.id) AS variants,
                    coalesce(sum(v.stock_quantity) FILTER (WHERE v.is_active), 0) AS stock
                FROM unnest(touched) AS t (id) LEFT JOIN product_variants AS v ON v.product_id = t.id
                GROUP BY t.id
            ) AS s
            WHERE p.id = s.id
                AND (p.stock_quantity, p.has_variants) IS DISTINCT FROM (s.stock, s.variants > 0);
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_sum_insert AFTER INSERT ON product_variants
        REFERENCING NEW TABLE AS new_variants FOR EACH STATEMENT EXECUTE FUNCTION sum_variant_stock()
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_sum_update AFTER UPDATE ON product_variants
        REFERENCING OLD TABLE AS old_variants NEW TABLE AS new_variants
        FOR EACH STATEMENT EXECUTE FUNCTION sum_variant_stock()
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_sum_delete AFTER DELETE ON product_variants
        REFERENCING OLD TABLE AS old_variants FOR EACH STATEMENT EXECUTE FUNCTION sum_variant_stock()
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_variants_sum_truncate AFTER TRUNCATE ON product_variants
        FOR EACH STATEMENT EXECUTE FUNCTION sum_variant_stock()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_other_stock_sum() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            variants bigint;
            stock bigint;
        BEGIN
            SELECT count(*), coalesce(sum(stock_quantity) FILTER (WHERE is_active), 0)
            INTO variants, stock FROM product_variants WHERE product_id = NEW.id;
            IF NEW.has_variants <> (variants > 0) OR (NEW.has_variants AND NEW.stock_quantity <> stock) THEN
                RAISE EXCEPTION 'product % has % variants, and its stock is their sum, %: change product_variants',
                    NEW.id, variants, stock
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'products_stock_is_variant_sum',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_no_variants_at_first AFTER INSERT ON products
        FOR EACH ROW WHEN (NEW.has_variants) EXECUTE FUNCTION refuse_other_stock_sum()
        """
    )
    # The condition keeps the function away from products without variants.
    op.execute(
        """
        CREATE TRIGGER products_stock_is_variant_sum AFTER UPDATE OF stock_quantity, has_variants ON products
        FOR EACH ROW WHEN (
            (OLD.has_variants OR NEW.has_variants)
            AND (OLD.stock_quantity <> NEW.stock_quantity OR OLD.has_variants <> NEW.has_variants)
        )
        EXECUTE FUNCTION refuse_other_stock_sum()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER product_variants_sum_truncate ON product_variants")
    op.execute("DROP TRIGGER products_stock_is_variant_sum ON products")
    op.execute("DROP TRIGGER products_no_variants_at_first ON products")
    op.execute("DROP FUNCTION refuse_other_stock_sum()")
    op.execute("DROP TRIGGER product_variants_sum_delete ON product_variants")
    op.execute("DROP TRIGGER product_variants_sum_update ON product_variants")
    op.execute("DROP TRIGGER product_variants_sum_insert ON product_variants")
    op.execute("DROP FUNCTION sum_variant_stock()")
