"""Write the history of prices, whoever changes them."""

from alembic import op

revision = "20261124110640"
down_revision = "20261124110630"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION record_price() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            bulk uuid := nullif(current_setting('shopflow.bulk_change', true), '')::uuid;
            actor uuid := nullif(current_setting('shopflow.actor', true), '')::uuid;
        BEGIN
            IF TG_TABLE_NAME = 'products' THEN
                INSERT INTO price_changes (product_id, old_price, new_price, old_compare_at_price,
                    new_compare_at_price, bulk_change_id, changed_by)
                VALUES (NEW.id, OLD.price, NEW.price, OLD.compare_at_price, NEW.compare_at_price, bulk, actor);
            ELSE
                INSERT INTO price_changes (product_id, variant_id, old_price, new_price,
                    old_compare_at_price, new_compare_at_price, bulk_change_id, changed_by)
                VALUES (NEW.product_id, NEW.id, OLD.price, NEW.price, OLD.compare_at_price,
                    NEW.compare_at_price, bulk, actor);
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    # For each row: a trigger for each statement could not name the columns, and would cost every
    # sale, which changes stock alone.
    for table in ("products", "product_variants"):
        op.execute(
            f"""
            CREATE TRIGGER {table}_price_recorded AFTER UPDATE OF price, compare_at_price ON {table}
            FOR EACH ROW WHEN (
                (OLD.price, OLD.compare_at_price) IS DISTINCT FROM (NEW.price, NEW.compare_at_price)
            )
            EXECUTE FUNCTION record_price()
            """
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER product_variants_price_recorded ON product_variants")
    op.execute("DROP TRIGGER products_price_recorded ON products")
    op.execute("DROP FUNCTION record_price()")
