"""Cancel all but the newest unused reset token of a user: there will be one at most."""

from alembic import op

revision = "20261124100140"
down_revision = "20261124100130"


def upgrade() -> None:
    op.execute(
        """
        DELETE FROM password_resets AS old
        USING password_resets AS new
        WHERE old.user_id = new.user_id AND old.used_at IS NULL AND new.used_at IS NULL
            AND (old.created_at, old.id) < (new.created_at, new.id)
        """
    )


def downgrade() -> None:
    """Bring nothing back: a cancelled token is as good as one that expired."""
