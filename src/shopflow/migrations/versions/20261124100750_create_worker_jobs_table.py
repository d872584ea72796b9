"""Create the worker_jobs table: what is done now and then, by one worker at a time."""

from alembic import op

revision = "20261124100750"
down_revision = "20261124100740"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE worker_jobs (
            name VARCHAR(100) NOT NULL,
            next_run_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            lease UUID,
            leased_until TIMESTAMPTZ,
            started_at TIMESTAMPTZ,
            finished_at TIMESTAMPTZ,
            last_count BIGINT,
            last_error VARCHAR(200),
            CONSTRAINT worker_jobs_pkey PRIMARY KEY (name),
            CONSTRAINT worker_jobs_lease_check CHECK (num_nonnulls(lease, leased_until) IN (0, 2))
        )
        """
    )
    op.execute(
        "COMMENT ON TABLE worker_jobs IS 'Periodic jobs of the workers, each run by one of them at a time'"
    )
    op.execute(
        "COMMENT ON COLUMN worker_jobs.lease IS 'Of the worker that runs it now; NULL when none does'"
    )
    op.execute(
        "COMMENT ON COLUMN worker_jobs.leased_until IS 'When another worker may run it, that one having died'"
    )
    op.execute("COMMENT ON COLUMN worker_jobs.started_at IS 'When it was last begun'")
    op.execute("COMMENT ON COLUMN worker_jobs.finished_at IS 'When it last ended, well or not'")
    op.execute(
        "COMMENT ON COLUMN worker_jobs.last_count IS 'How many things the last run dealt with; NULL when it failed'"
    )
    op.execute(
        "COMMENT ON COLUMN worker_jobs.last_error IS 'The kind of error that ended the last run; NULL when it went well'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE worker_jobs")
