"""Write a movement for every stock that is changed directly, whoever changes it."""

from alembic import op

revision = "20261124100310"
down_revision = "20261124100300"

# Each side writes the other: the setting, which only the triggers' functions make, keeps what they
# write from being answered. At depth 0 it is somebody else's, and does not count.
FROM_OUTSIDE = """(
    pg_trigger_depth() = 0
    OR current_setting('shopflow.stock_in_step', true) IS DISTINCT FROM 'on'
)"""
# A product with variants has no stock of its own, only their sum.
OWN_STOCK_CHANGED = """
    (CASE WHEN NEW.has_variants THEN 0 ELSE NEW.stock_quantity END)
    <> (CASE WHEN OLD.has_variants THEN 0 ELSE OLD.stock_quantity END)
"""


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION record_stock() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            actor uuid := nullif(current_setting('shopflow.actor', true), '')::uuid;
            why text := nullif(current_setting('shopflow.reason', true), '');
            kind text := coalesce(
                nullif(current_setting('shopflow.stock_reason', true), ''),
                CASE TG_OP WHEN 'INSERT' THEN 'initial' ELSE 'correction' END
            );
        BEGIN
            PERFORM set_config('shopflow.stock_in_step', 'on', true);
            IF TG_OP = 'INSERT' AND TG_TABLE_NAME = 'products' THEN
                INSERT INTO stock_movements (product_id, change, reason, notes, created_by)
                SELECT id, stock_quantity, kind, why, actor
                FROM added WHERE stock_quantity <> 0 AND NOT has_variants;
            ELSIF TG_OP = 'INSERT' THEN
                INSERT INTO stock_movements (product_id, variant_id, change, reason, notes, created_by)
                SELECT product_id, id, stock_quantity, kind, why, actor
                FROM added WHERE stock_quantity <> 0;
            ELSIF TG_TABLE_NAME = 'products' THEN
                INSERT INTO stock_movements (product_id, change, reason, notes, created_by)
                VALUES (
                    NEW.id,
                    CASE WHEN NEW.has_variants THEN 0 ELSE NEW.stock_quantity END
                    - CASE WHEN OLD.has_variants THEN 0 ELSE OLD.stock_quantity END,
                    kind, why, actor
                );
            ELSE
                INSERT INTO stock_movements (product_id, variant_id, change, reason, notes, created_by)
                VALUES (NEW.product_id, NEW.id, NEW.stock_quantity - OLD.stock_quantity, kind, why, actor);
            END IF;
            PERFORM set_config('shopflow.stock_in_step', '', true);
            RETURN NULL;
        END
        $$
        """
    )
    for table in ("products", "product_variants"):
        op.execute(
            f"""
            CREATE TRIGGER {table}_stock_recorded_insert AFTER INSERT ON {table}
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION record_stock()
            """
        )
    op.execute(
        f"""
        CREATE TRIGGER products_stock_recorded AFTER UPDATE OF stock_quantity, has_variants ON products
        FOR EACH ROW WHEN ({OWN_STOCK_CHANGED} AND {FROM_OUTSIDE}) EXECUTE FUNCTION record_stock()
        """
    )
    op.execute(
        f"""
        CREATE TRIGGER product_variants_stock_recorded AFTER UPDATE OF stock_quantity ON product_variants
        FOR EACH ROW WHEN (NEW.stock_quantity <> OLD.stock_quantity AND {FROM_OUTSIDE})
        EXECUTE FUNCTION record_stock()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER product_variants_stock_recorded ON product_variants")
    op.execute("DROP TRIGGER products_stock_recorded ON products")
    op.execute("DROP TRIGGER product_variants_stock_recorded_insert ON product_variants")
    op.execute("DROP TRIGGER products_stock_recorded_insert ON products")
    op.execute("DROP FUNCTION record_stock()")
