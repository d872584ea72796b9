"""Create the bulk_change_lines table: each price or stock of a bulk change, before and after."""

from alembic import op

revision = "20261124110610"
down_revision = "20261124110600"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE bulk_change_lines (
            bulk_change_id UUID NOT NULL,
            position INTEGER NOT NULL,
            kind VARCHAR(10) NOT NULL,
            product_id UUID NOT NULL,
            variant_id UUID,
            old_price NUMERIC(12, 2),
            new_price NUMERIC(12, 2),
            old_compare_at_price NUMERIC(12, 2),
            new_compare_at_price NUMERIC(12, 2),
            old_stock INTEGER,
            new_stock INTEGER,
            status VARCHAR(10) NOT NULL DEFAULT 'pending',
            found_price NUMERIC(12, 2),
            found_compare_at_price NUMERIC(12, 2),
            found_stock INTEGER,
            changed_at TIMESTAMPTZ,
            CONSTRAINT bulk_change_lines_pkey PRIMARY KEY (bulk_change_id, position),
            CONSTRAINT bulk_change_lines_bulk_change_id_fkey FOREIGN KEY (kind, bulk_change_id)
                REFERENCES bulk_changes (kind, id) ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT bulk_change_lines_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT bulk_change_lines_variant_id_fkey FOREIGN KEY (product_id, variant_id)
                REFERENCES product_variants (product_id, id) ON DELETE CASCADE ON UPDATE CASCADE,
            -- Also what deleting a product or variant and finding overlaps look up by.
            CONSTRAINT bulk_change_lines_product_id_key
                UNIQUE NULLS NOT DISTINCT (product_id, variant_id, bulk_change_id),
            CONSTRAINT bulk_change_lines_values_check CHECK (
                CASE kind
                    WHEN 'price' THEN num_nonnulls(old_price, new_price) = 2
                        AND num_nonnulls(old_stock, new_stock, found_stock) = 0
                    ELSE num_nonnulls(old_stock, new_stock) = 2
                        AND num_nonnulls(old_price, new_price, old_compare_at_price,
                            new_compare_at_price, found_price, found_compare_at_price) = 0
                END
            ),
            CONSTRAINT bulk_change_lines_differs_check CHECK (
                (old_price, old_compare_at_price, old_stock)
                IS DISTINCT FROM (new_price, new_compare_at_price, new_stock)
            ),
            CONSTRAINT bulk_change_lines_new_price_check CHECK (new_price >= 0 AND new_price < 'NaN'),
            CONSTRAINT bulk_change_lines_new_compare_check CHECK (
                new_compare_at_price > new_price AND new_compare_at_price < 'NaN'
            ),
            CONSTRAINT bulk_change_lines_new_stock_check CHECK (new_stock >= 0),
            CONSTRAINT bulk_change_lines_status_check CHECK (
                status IN ('pending', 'applied', 'conflict', 'undone', 'kept')
            )
        )
        """
    )
    op.execute(
        """
        CREATE INDEX idx_bulk_change_lines_status
        ON bulk_change_lines (bulk_change_id, status, position)
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_bulk_line() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a line of a bulk change is pending, then applied or a conflict, and what was applied is undone or kept; its prices and stocks stay'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'bulk_change_lines_steps', TABLE = TG_TABLE_NAME;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_change_lines_steps BEFORE UPDATE ON bulk_change_lines
        FOR EACH ROW WHEN (
            (NEW.old_price, NEW.new_price, NEW.old_compare_at_price,
                NEW.new_compare_at_price, NEW.old_stock, NEW.new_stock)
            IS DISTINCT FROM (OLD.old_price, OLD.new_price, OLD.old_compare_at_price,
                OLD.new_compare_at_price, OLD.old_stock, OLD.new_stock)
            OR (NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
                ('pending', 'applied'), ('pending', 'conflict'),
                ('applied', 'undone'), ('applied', 'kept')
            ))
        )
        EXECUTE FUNCTION refuse_bulk_line()
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_change_lines_first_step BEFORE INSERT ON bulk_change_lines
        FOR EACH ROW WHEN (NEW.status <> 'pending') EXECUTE FUNCTION refuse_bulk_line()
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_late_bulk_lines() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Held until this commits, so that it stays the draft that it is.
            PERFORM FROM bulk_changes
            WHERE id IN (SELECT bulk_change_id FROM added) ORDER BY id FOR SHARE;
            IF EXISTS (
                SELECT FROM bulk_changes
                WHERE id IN (SELECT bulk_change_id FROM added) AND status <> 'draft'
            ) THEN
                RAISE EXCEPTION 'lines are added to drafts only: what was previewed is what is applied'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'bulk_change_lines_in_draft', TABLE = TG_TABLE_NAME;
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER bulk_change_lines_in_draft AFTER INSERT ON bulk_change_lines
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_late_bulk_lines()
        """
    )
    op.execute(
        "COMMENT ON TABLE bulk_change_lines IS 'What a bulk change makes of each price or stock, and what became of that'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.position IS 'The order in which they are applied: by product, so that its variants are near'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.variant_id IS 'Whose price or stock it is; NULL for the product''s own'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.new_stock IS 'Applied is its difference to old_stock, so that sales since the preview count'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.status IS 'conflict: not applied, as somebody else had changed it; kept: applied but not undone, for the same reason'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.found_price IS 'What was there instead, of a conflict or of what was kept; NULL also where the product was archived'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.found_compare_at_price IS 'As found_price, the price that is struck through'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.found_stock IS 'As found_price, the pieces: too few to take away, or too many to add to'"
    )
    op.execute(
        "COMMENT ON COLUMN bulk_change_lines.changed_at IS 'When its status changed last; NULL while it is pending'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE bulk_change_lines")
    op.execute("DROP FUNCTION refuse_late_bulk_lines()")
    op.execute("DROP FUNCTION refuse_bulk_line()")
