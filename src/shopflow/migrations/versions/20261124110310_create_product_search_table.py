"""Create the product_search table: the words of each listed product, kept by triggers."""

from alembic import op

revision = "20261124110310"
down_revision = "20261124110300"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE product_search (
            product_id UUID NOT NULL,
            popularity SMALLINT NOT NULL DEFAULT 0,
            document TSVECTOR NOT NULL,
            changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT product_search_pkey PRIMARY KEY (product_id),
            CONSTRAINT product_search_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT product_search_popularity_check CHECK (popularity BETWEEN 0 AND 64)
        )
        WITH (fillfactor = 90)
        """
    )
    op.execute(
        "COMMENT ON TABLE product_search IS 'What listed products are found by (§3.2), kept by triggers on products and brands; no row for one that is inactive or deleted'"
    )
    op.execute(
        "COMMENT ON COLUMN product_search.popularity IS 'The logarithm to the base of 2 of how often it was sold and rated, as a worker last counted; so coarse that it seldom changes, for a change writes all words to the index'"
    )
    op.execute(
        "COMMENT ON COLUMN product_search.document IS 'Stems of name and brand (A), tags (B) and description (D) in the shop''s language'"
    )
    op.execute(
        "COMMENT ON COLUMN product_search.changed_at IS 'When the product''s text was last changed'"
    )
    op.execute(
        """
        CREATE FUNCTION add_product_search() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            -- Whoever renames one of them meanwhile would not see these products.
            PERFORM FROM brands
            WHERE id IN (SELECT brand_id FROM new_products WHERE is_active AND deleted_at IS NULL)
            ORDER BY id FOR SHARE;
            INSERT INTO product_search (product_id, document)
            SELECT p.id, search_document(search.language, p.name, b.name, p.tags, p.description)
            FROM new_products AS p
            CROSS JOIN (SELECT search_language() AS language) AS search
            LEFT JOIN brands AS b ON b.id = p.brand_id
            WHERE p.is_active AND p.deleted_at IS NULL;
            PERFORM note_search_words(array_agg(word), array_agg(products))
            FROM (
                SELECT word, count(*) AS products
                FROM new_products AS p
                LEFT JOIN brands AS b ON b.id = p.brand_id
                CROSS JOIN unnest(search_words_in(p.name, b.name, p.tags, p.description)) AS word
                WHERE p.is_active AND p.deleted_at IS NULL
                GROUP BY word
            ) AS counted;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION change_product_search() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            brand text;
            words text[];
        BEGIN
            IF NOT NEW.is_active OR NEW.deleted_at IS NOT NULL THEN
                DELETE FROM product_search WHERE product_id = NEW.id;
                RETURN NULL;
            END IF;
            -- Whoever renames it meanwhile would rewrite the document from the old text.
            SELECT name INTO brand FROM brands WHERE id = NEW.brand_id FOR SHARE;
            INSERT INTO product_search AS s (product_id, document)
            VALUES (
                NEW.id,
                search_document(search_language(), NEW.name, brand, NEW.tags, NEW.description)
            )
            ON CONFLICT (product_id) DO UPDATE
            SET document = EXCLUDED.document, changed_at = EXCLUDED.changed_at;
            words := search_words_in(NEW.name, brand, NEW.tags, NEW.description);
            PERFORM note_search_words(words, array_fill(1::bigint, ARRAY[cardinality(words)]));
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION rename_brand_in_search() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            words text[];
        BEGIN
            UPDATE product_search AS s
            SET document = search_document(search_language(), p.name, NEW.name, p.tags, p.description),
                changed_at = DEFAULT
            FROM products AS p
            WHERE p.brand_id = NEW.id AND s.product_id = p.id;
            words := search_words_in(NULL, NEW.name, NULL, NULL);
            PERFORM note_search_words(words, array_fill(1::bigint, ARRAY[cardinality(words)]));
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_search_insert AFTER INSERT ON products
        REFERENCING NEW TABLE AS new_products FOR EACH STATEMENT EXECUTE FUNCTION add_product_search()
        """
    )
    # A row trigger, for transition tables would be filled by every sale too.
    op.execute(
        """
        CREATE TRIGGER products_search_update AFTER UPDATE OF
            name, description, tags, brand_id, is_active, deleted_at
        ON products
        FOR EACH ROW WHEN (
            (OLD.name, OLD.description, OLD.tags, OLD.brand_id, OLD.is_active, OLD.deleted_at)
            IS DISTINCT FROM
            (NEW.name, NEW.description, NEW.tags, NEW.brand_id, NEW.is_active, NEW.deleted_at)
        )
        EXECUTE FUNCTION change_product_search()
        """
    )
    op.execute(
        """
        CREATE TRIGGER brands_search_update AFTER UPDATE OF name ON brands
        FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION rename_brand_in_search()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER brands_search_update ON brands")
    op.execute("DROP TRIGGER products_search_update ON products")
    op.execute("DROP TRIGGER products_search_insert ON products")
    op.execute("DROP FUNCTION rename_brand_in_search()")
    op.execute("DROP FUNCTION change_product_search()")
    op.execute("DROP FUNCTION add_product_search()")
    op.execute("DROP TABLE product_search")
