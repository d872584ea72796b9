"""Create the bulk_changes table: changes of many prices or stocks that are previewed and undone."""

from alembic import op

revision = "20261124110600"
down_revision = "20261124110340"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE bulk_changes (
            id UUID NOT NULL DEFAULT uuidv7(),
            kind VARCHAR(10) NOT NULL,
            description TEXT NOT NULL,
            rule JSONB,
            status VARCHAR(20) NOT NULL DEFAULT 'draft',
            starts_at TIMESTAMPTZ,
            ends_at TIMESTAMPTZ,
            created_by UUID,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT bulk_changes_pkey PRIMARY KEY (id),
            -- What the lines refer to, so that they are of its kind.
            CONSTRAINT bulk_changes_id_kind_key UNIQUE (id, kind),
            CONSTRAINT bulk_changes_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT bulk_changes_kind_check CHECK (kind IN ('price', 'stock')),
            CONSTRAINT bulk_changes_description_check CHECK (btrim(description) <> ''),
            CONSTRAINT bulk_changes_rule_check CHECK (jsonb_typeof(rule) = 'object'),
            CONSTRAINT bulk_changes_status_check CHECK (
                status IN ('draft', 'scheduled', 'running', 'done', 'undoing', 'undone', 'cancelled')
            ),
            CONSTRAINT bulk_changes_starts_at_check CHECK (status <> 'scheduled' OR starts_at IS NOT NULL),
            CONSTRAINT bulk_changes_ends_at_check CHECK (
                ends_at IS NULL OR (starts_at IS NOT NULL AND ends_at > starts_at)
            ),
            CONSTRAINT bulk_changes_stock_at_once CHECK (kind = 'price' OR starts_at IS NULL)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX idx_bulk_changes_open ON bulk_changes (starts_at)
        WHERE status IN ('scheduled', 'running', 'done', 'undoing') AND starts_at IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE INDEX idx_bulk_changes_created_by ON bulk_changes (created_by)
        WHERE created_by IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_changes_set_updated_at BEFORE UPDATE ON bulk_changes
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_bulk_step() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a bulk change goes from draft by scheduled and running to done, and by undoing to undone; its rule stays, and its time once it runs'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'bulk_changes_steps', TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_changes_first_step BEFORE INSERT ON bulk_changes
        FOR EACH ROW WHEN (NEW.status <> 'draft') EXECUTE FUNCTION refuse_bulk_step()
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_changes_steps BEFORE UPDATE ON bulk_changes
        FOR EACH ROW WHEN (
            NEW.rule IS DISTINCT FROM OLD.rule
            OR ((NEW.starts_at, NEW.ends_at) IS DISTINCT FROM (OLD.starts_at, OLD.ends_at)
                AND OLD.status NOT IN ('draft', 'scheduled'))
            OR (NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
                ('draft', 'scheduled'), ('draft', 'running'), ('draft', 'cancelled'),
                ('scheduled', 'running'), ('scheduled', 'cancelled'),
                ('running', 'done'), ('running', 'undoing'),
                ('done', 'undoing'), ('undoing', 'undone')
            ))
        )
        EXECUTE FUNCTION refuse_bulk_step()
        """
    )
    op.execute(
        "COMMENT ON TABLE bulk_changes IS 'Changes of many prices or stocks: previewed as drafts, applied at once or at a time, and undone'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_changes.rule IS 'The selection and the change its lines were made by, to be read by people; NULL for a file'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_changes.status IS 'running and undoing: begun, and some lines are still to be done; done: applied, until ends_at where there is one'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_changes.starts_at IS 'When the worker applies it; NULL for one that is applied by hand'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_changes.ends_at IS 'When the worker undoes it, as a sale ends; NULL for one that lasts'"
    )
    op.execute("COMMENT ON COLUMN bulk_changes.created_by IS 'Who; NULL for the shop itself'")


def downgrade() -> None:
    op.execute("DROP TABLE bulk_changes")
    op.execute("DROP FUNCTION refuse_bulk_step()")
