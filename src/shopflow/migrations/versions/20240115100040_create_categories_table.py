"""Create the categories table, a tree without cycles (§2.2)."""

from alembic import op

revision = "20240115100040"
down_revision = "20240115100030"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE categories (
            id UUID NOT NULL DEFAULT uuidv7(),
            parent_id UUID,
            name VARCHAR(255) NOT NULL,
            slug VARCHAR(255) NOT NULL,
            sort_order INTEGER NOT NULL DEFAULT 0,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT categories_pkey PRIMARY KEY (id),
            CONSTRAINT categories_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES categories (id)
                ON DELETE RESTRICT ON UPDATE CASCADE,
            CONSTRAINT categories_name_check CHECK (btrim(name) <> ''),
            CONSTRAINT categories_slug_format CHECK (slug <> '' AND slug !~ '[\s/?#]')
        )
        """
    )
    # The named index of §3.2 is the unique one: a plain one beside it would be a copy.
    op.execute("CREATE UNIQUE INDEX idx_categories_slug ON categories (lower(slug))")
    op.execute("CREATE INDEX idx_categories_parent ON categories (parent_id)")
    op.execute(
        """
        CREATE FUNCTION refuse_category_cycle() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Two moves that are each fine can close a circle together: one waits for the other, and
            -- then walks a tree that holds the other's move.
            IF TG_OP = 'UPDATE' THEN
                PERFORM require_read_committed('moving a category');
            END IF;
            PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
            IF EXISTS (
                WITH RECURSIVE above (id) AS (
                    SELECT NEW.parent_id
                    UNION
                    SELECT parent_id FROM categories JOIN above USING (id) WHERE parent_id IS NOT NULL
                )
                SELECT FROM above WHERE id = NEW.id
            ) THEN
                RAISE EXCEPTION 'category % cannot be below itself', NEW.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'categories_no_cycle', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    # AFTER, because a cycle can be inserted in one statement of several rows.
    op.execute(
        """
        CREATE TRIGGER categories_no_cycle AFTER INSERT OR UPDATE OF id, parent_id ON categories
        FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION refuse_category_cycle()
        """
    )
    op.execute(
        """
        CREATE TRIGGER categories_set_updated_at BEFORE UPDATE ON categories
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE categories IS 'Product categories (hierarchical)'")
    op.execute("COMMENT ON COLUMN categories.parent_id IS 'The category above; NULL for a root'")
    op.execute(
        "COMMENT ON COLUMN categories.slug IS 'Its name in URLs, unique without regard to case'"
    )
    op.execute(
        "COMMENT ON COLUMN categories.sort_order IS 'Place among its siblings, smallest first'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE categories")
    op.execute("DROP FUNCTION refuse_category_cycle()")
