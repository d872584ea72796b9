"""Keep lines, shipments and returns with the order that they were made for."""

from alembic import op

revision = "20261124100545"
down_revision = "20261124100542"

TABLES = ("order_items", "order_shipments", "order_returns")


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_other_order() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Otherwise the order itself has got another key.
            IF EXISTS (SELECT FROM orders WHERE id = OLD.order_id) THEN
                RAISE EXCEPTION '% % stays with order %', TG_TABLE_NAME, OLD.id, OLD.order_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'order_parts_keep_their_order',
                        TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    for table in TABLES:
        op.execute(
            f"""
            CREATE TRIGGER {table}_keep_their_order AFTER UPDATE OF order_id ON {table}
            FOR EACH ROW WHEN (OLD.order_id <> NEW.order_id) EXECUTE FUNCTION refuse_other_order()
            """
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TRIGGER {table}_keep_their_order ON {table}")
    op.execute("DROP FUNCTION refuse_other_order()")
