"""Refuse an address for a deleted user: an erasure takes them all, and none comes after it."""

from alembic import op

revision = "20261124100199"
down_revision = "20261124100190"


def upgrade() -> None:
    op.execute(
        """
        CREATE TRIGGER user_addresses_user_not_deleted BEFORE INSERT OR UPDATE OF user_id ON user_addresses
        FOR EACH ROW EXECUTE FUNCTION refuse_deleted_user()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER user_addresses_user_not_deleted ON user_addresses")
