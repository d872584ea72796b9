"""Create category_paths: for each category, all that are below it, kept by the database."""

from alembic import op

revision = "20261124110200"
down_revision = "20261124110130"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE category_paths (
            ancestor_id UUID NOT NULL,
            descendant_id UUID NOT NULL,
            depth INTEGER NOT NULL,
            CONSTRAINT category_paths_pkey PRIMARY KEY (ancestor_id, descendant_id),
            CONSTRAINT category_paths_ancestor_id_fkey FOREIGN KEY (ancestor_id)
                REFERENCES categories (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT category_paths_descendant_id_fkey FOREIGN KEY (descendant_id)
                REFERENCES categories (id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT category_paths_depth_check CHECK (depth >= 0)
        )
        """
    )
    op.execute("CREATE INDEX idx_category_paths_descendant_id ON category_paths (descendant_id)")
    op.execute(
        """
        CREATE FUNCTION write_category_paths(ids uuid[]) RETURNS void
        LANGUAGE sql SET search_path FROM CURRENT AS $$
            WITH RECURSIVE above (descendant_id, ancestor_id, depth) AS (
                SELECT id, id, 0 FROM unnest(ids) AS id
                UNION ALL
                SELECT a.descendant_id, c.parent_id, a.depth + 1
                FROM above AS a
                JOIN categories AS c ON c.id = a.ancestor_id
                WHERE c.parent_id IS NOT NULL
            )
            INSERT INTO category_paths (ancestor_id, descendant_id, depth)
            SELECT ancestor_id, descendant_id, depth FROM above
            ON CONFLICT DO NOTHING
        $$
        """
    )
    # It takes the lock of categories_no_cycle: whoever adds below a category that is being moved
    # walks up the tree that holds the move. And the other way round: all are walked again from
    # the tree itself, so that several moves of one statement may come in any order.
    op.execute(
        """
        CREATE FUNCTION keep_category_paths() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            moved uuid[];
            in_tree boolean := true;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                -- A new root is below nothing that could be moved meanwhile.
                in_tree := EXISTS (SELECT FROM new_categories WHERE parent_id IS NOT NULL);
            END IF;
            IF in_tree THEN
                PERFORM require_read_committed('adding or moving a category');
                PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
            END IF;
            IF TG_OP = 'INSERT' THEN
                PERFORM write_category_paths(ARRAY(SELECT id FROM new_categories));
                RETURN NULL;
            END IF;
            moved := ARRAY(
                WITH RECURSIVE below (id) AS (
                    SELECT NEW.id
                    UNION
                    SELECT c.id FROM categories AS c JOIN below ON c.parent_id = below.id
                )
                SELECT id FROM below
            );
            DELETE FROM category_paths WHERE descendant_id = ANY (moved);
            PERFORM write_category_paths(moved);
            RETURN NULL;
        END
        $$
        """
    )
    # No cycle is walked: categories_no_cycle, for each row, has refused it before.
    op.execute(
        """
        CREATE TRIGGER categories_paths_insert AFTER INSERT ON categories
        REFERENCING NEW TABLE AS new_categories
        FOR EACH STATEMENT EXECUTE FUNCTION keep_category_paths()
        """
    )
    op.execute(
        """
        CREATE TRIGGER categories_paths_update AFTER UPDATE OF parent_id ON categories
        FOR EACH ROW WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id)
        EXECUTE FUNCTION keep_category_paths()
        """
    )
    op.execute("SELECT pg_advisory_xact_lock('categories'::regclass::oid::bigint)")
    op.execute("SELECT write_category_paths(ARRAY(SELECT id FROM categories))")
    op.execute(
        "COMMENT ON TABLE category_paths IS 'Each category with all that are above it and itself, kept by triggers on categories: its subtree without a recursive query'"
    )
    op.execute(
        "COMMENT ON COLUMN category_paths.depth IS 'Steps from the ancestor down; 0 to itself'"
    )
    op.execute(
        "COMMENT ON FUNCTION write_category_paths(uuid[]) IS 'Writes the paths of these categories to all that are above them'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER categories_paths_update ON categories")
    op.execute("DROP TRIGGER categories_paths_insert ON categories")
    op.execute("DROP FUNCTION keep_category_paths()")
    op.execute("DROP FUNCTION write_category_paths(uuid[])")
    op.execute("DROP TABLE category_paths")
