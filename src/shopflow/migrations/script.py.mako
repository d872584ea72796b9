"""${message}."""

from alembic import op

revision = "${up_revision}"
down_revision = ${down_revision.__repr__().replace("'", '"')}
% if branch_labels:
branch_labels = ("${'", "'.join(branch_labels)}",)
% endif
% if depends_on:
depends_on = "${depends_on}"
% endif


def upgrade() -> None:
    # One statement an op.execute. On a table in use: CREATE INDEX CONCURRENTLY IF NOT EXISTS in
    # `with op.get_context().autocommit_block():`, constraints NOT VALID and validated later.
    op.execute("")


def downgrade() -> None:
    op.execute("")
