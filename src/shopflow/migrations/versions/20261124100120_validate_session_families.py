"""Validate that each session has a family, while the shop goes on."""

from alembic import op

revision = "20261124100120"
down_revision = "20261124100110"


def upgrade() -> None:
    op.execute("ALTER TABLE user_sessions VALIDATE CONSTRAINT user_sessions_family_id_not_null")


def downgrade() -> None:
    op.execute("ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_family_id_not_null")
    op.execute(
        """
        ALTER TABLE user_sessions ADD CONSTRAINT user_sessions_family_id_not_null
        NOT NULL family_id NOT VALID
        """
    )
