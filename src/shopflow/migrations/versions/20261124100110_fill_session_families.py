"""Make each session that is there a family of its own."""

from alembic import op

revision = "20261124100110"
down_revision = "20261124100100"


def upgrade() -> None:
    op.execute("UPDATE user_sessions SET family_id = id WHERE family_id IS NULL")
    op.execute(
        """
        ALTER TABLE user_sessions ADD CONSTRAINT user_sessions_family_id_not_null
        NOT NULL family_id NOT VALID
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_family_id_not_null")
