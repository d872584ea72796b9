"""Keep the gateway's name for a payment, by which everything later is asked for."""

from alembic import op

revision = "20261124110110"
down_revision = "20261124110100"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_other_gateway_reference() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            RAISE EXCEPTION 'payment % is % at its gateway, and stays that', OLD.id, OLD.gateway_reference
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_gateway_reference_kept',
                    TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER payments_gateway_reference_kept AFTER UPDATE OF gateway_reference ON payments
        FOR EACH ROW WHEN (
            OLD.gateway_reference IS NOT NULL
            AND NEW.gateway_reference IS DISTINCT FROM OLD.gateway_reference
        )
        EXECUTE FUNCTION refuse_other_gateway_reference()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER payments_gateway_reference_kept ON payments")
    op.execute("DROP FUNCTION refuse_other_gateway_reference()")
