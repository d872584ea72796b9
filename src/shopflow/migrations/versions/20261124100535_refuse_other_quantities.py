"""Refuse quantities sent and returned that shipments and returns do not have."""

from alembic import op

revision = "20261124100535"
down_revision = "20261124100530"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_other_quantities() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            fault record;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                fault := NEW;
            ELSE
                SELECT n.* INTO fault
                FROM new_rows AS n
                WHERE n.fulfilled_quantity <> (
                        SELECT coalesce(sum(quantity), 0)
                        FROM order_shipment_items WHERE order_item_id = n.id
                    )
                    OR n.returned_quantity <> (
                        SELECT coalesce(sum(quantity), 0)
                        FROM order_return_items WHERE order_item_id = n.id
                    )
                LIMIT 1;
                IF NOT FOUND THEN
                    RETURN NULL;
                END IF;
            END IF;
            RAISE EXCEPTION 'of order line % not % pieces were sent and % came back: change its shipments and returns',
                fault.id, fault.fulfilled_quantity, fault.returned_quantity
                USING ERRCODE = 'check_violation', CONSTRAINT = 'order_items_quantities_counted',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_items_begin_unsent AFTER INSERT ON order_items
        FOR EACH ROW WHEN (NEW.fulfilled_quantity <> 0 OR NEW.returned_quantity <> 0)
        EXECUTE FUNCTION refuse_other_quantities()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_items_quantities_counted AFTER UPDATE ON order_items
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_other_quantities()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER order_items_quantities_counted ON order_items")
    op.execute("DROP TRIGGER order_items_begin_unsent ON order_items")
    op.execute("DROP FUNCTION refuse_other_quantities()")
