"""Create what a search is understood by: its language, the catalogue's words, synonyms."""

from alembic import op

revision = "20261124110300"
down_revision = "20261124110230"


def upgrade() -> None:
    # A trusted extension: whoever may create in the database may make it. In public, which every
    # shop of the database has in its search_path; it stays when a shop goes.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")
    op.execute(
        """
        CREATE TABLE search_settings (
            is_only_row BOOLEAN NOT NULL DEFAULT true,
            language TEXT NOT NULL DEFAULT 'english',
            previous_language TEXT,
            CONSTRAINT search_settings_pkey PRIMARY KEY (is_only_row),
            CONSTRAINT search_settings_one_row CHECK (is_only_row),
            -- The cast raises for a configuration that is not there.
            CONSTRAINT search_settings_language_check CHECK (
                language ~ '^[a-z_][a-z0-9_.]*$' AND language::regconfig IS NOT NULL
            ),
            CONSTRAINT search_settings_previous_language_check CHECK (previous_language <> language)
        )
        """
    )
    op.execute("INSERT INTO search_settings DEFAULT VALUES")
    op.execute("COMMENT ON TABLE search_settings IS 'How the shop is searched: one row'")
    op.execute("COMMENT ON COLUMN search_settings.is_only_row IS 'True, so that there is one row'")
    op.execute(
        "COMMENT ON COLUMN search_settings.language IS 'Text search configuration of product_search.document, such as english or german'"
    )
    op.execute(
        "COMMENT ON COLUMN search_settings.previous_language IS 'What documents not yet rewritten are in after a change of language; NULL when all are in the new one'"
    )
    op.execute(
        """
        CREATE TABLE search_words (
            word VARCHAR(40) COLLATE "C" NOT NULL,
            lexeme TEXT COLLATE "C" NOT NULL,
            products BIGINT NOT NULL DEFAULT 1,
            CONSTRAINT search_words_pkey PRIMARY KEY (word),
            CONSTRAINT search_words_word_check CHECK (word <> ''),
            CONSTRAINT search_words_products_check CHECK (products > 0)
        )
        """
    )
    op.execute("CREATE INDEX idx_search_words_lexeme ON search_words (lexeme)")
    op.execute("CREATE INDEX idx_search_words_prefix ON search_words (word) INCLUDE (products)")
    op.execute(
        "CREATE INDEX idx_search_words_similar ON search_words USING gin (word gin_trgm_ops) WITH (fastupdate = off)"
    )
    op.execute(
        "COMMENT ON TABLE search_words IS 'The words of listed products, for what is completed and corrected; a worker counts them and removes those that are gone'"
    )
    op.execute("COMMENT ON COLUMN search_words.word IS 'As it is written, in lower case'")
    op.execute(
        "COMMENT ON COLUMN search_words.lexeme IS 'Its stem in the shop''s language, empty for a word that is not searched for'"
    )
    op.execute(
        "COMMENT ON COLUMN search_words.products IS 'How many products have it, as of the last count'"
    )
    op.execute(
        """
        CREATE TABLE search_new_words (
            id UUID NOT NULL DEFAULT uuidv7(),
            word VARCHAR(40) COLLATE "C" NOT NULL,
            CONSTRAINT search_new_words_pkey PRIMARY KEY (id)
        )
        """
    )
    op.execute("CREATE INDEX idx_search_new_words_word ON search_new_words (word)")
    op.execute(
        "COMMENT ON TABLE search_new_words IS 'Words met while another transaction wrote to search_words, where a worker puts them'"
    )
    op.execute("COMMENT ON COLUMN search_new_words.word IS 'May be there twice'")
    op.execute(
        """
        CREATE TABLE search_synonyms (
            word VARCHAR(100) NOT NULL,
            synonym VARCHAR(100) NOT NULL,
            lexemes TEXT NOT NULL,
            CONSTRAINT search_synonyms_pkey PRIMARY KEY (word, synonym),
            CONSTRAINT search_synonyms_different CHECK (word <> synonym),
            CONSTRAINT search_synonyms_word_check CHECK (word = lower(btrim(word)) AND word <> ''),
            CONSTRAINT search_synonyms_synonym_check CHECK (
                synonym = lower(btrim(synonym)) AND synonym <> ''
            ),
            CONSTRAINT search_synonyms_lexemes_check CHECK (lexemes <> '')
        )
        """
    )
    op.execute("CREATE INDEX idx_search_synonyms_lexemes ON search_synonyms (lexemes)")
    op.execute(
        "COMMENT ON TABLE search_synonyms IS 'Who searches for the word finds the synonym as well; a row for each direction'"
    )
    op.execute("COMMENT ON COLUMN search_synonyms.word IS 'One to three words, in lower case'")
    op.execute("COMMENT ON COLUMN search_synonyms.synonym IS 'One word or a phrase, in lower case'")
    op.execute(
        "COMMENT ON COLUMN search_synonyms.lexemes IS 'The word as a query in the shop''s language, kept by a trigger'"
    )
    _functions()


def _functions() -> None:
    op.execute(
        """
        CREATE FUNCTION search_language() RETURNS regconfig
        LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
        AS 'SELECT language::regconfig FROM search_settings'
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_language() IS 'The configuration that products and queries are read with'"
    )
    op.execute(
        """
        CREATE FUNCTION search_document(
            language regconfig, name text, brand text, tags text[], description text
        ) RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE AS $$
            SELECT setweight(to_tsvector(language, concat_ws(' ', name, brand)), 'A')
                || setweight(to_tsvector(language, array_to_string(tags, ' ')), 'B')
                -- A longer one could exceed what a tsvector holds.
                || setweight(to_tsvector(language, coalesce(left(description, 100000), '')), 'D')
        $$
        """
    )
    op.execute(
        """
        COMMENT ON FUNCTION search_document(regconfig, text, text, text[], text) IS
            'What a product is found by (§3.2): name and brand weigh most, then tags, then description'
        """
    )
    op.execute(
        r"""
        CREATE FUNCTION search_words_in(name text, brand text, tags text[], description text)
        RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
            SELECT coalesce(array_agg(word), '{}')
            FROM unnest(tsvector_to_array(to_tsvector(
                'simple',
                concat_ws(' ', name, brand, array_to_string(tags, ' '), left(description, 100000))
            ))) AS word
            -- No numbers, and nothing that nobody types.
            WHERE length(word) BETWEEN 2 AND 40 AND word ~ '^[^\W\d_]'
        $$
        """
    )
    op.execute(
        """
        COMMENT ON FUNCTION search_words_in(text, text, text[], text) IS
            'The words of a product as they are written, in lower case, each once'
        """
    )
    op.execute(
        """
        CREATE FUNCTION search_lexeme(language regconfig, word text) RETURNS text
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT coalesce((tsvector_to_array(to_tsvector(language, word)))[1], '') $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_lexeme(regconfig, text) IS 'The stem of a word, empty for a stop word'"
    )
    op.execute(
        """
        CREATE FUNCTION keep_search_synonym() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            NEW.lexemes := plainto_tsquery(search_language(), NEW.word)::text;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER search_synonyms_lexemes BEFORE INSERT OR UPDATE ON search_synonyms
        FOR EACH ROW EXECUTE FUNCTION keep_search_synonym()
        """
    )
    op.execute(
        """
        CREATE FUNCTION search_words_lock() RETURNS bigint
        LANGUAGE sql STABLE SET search_path FROM CURRENT
        AS $$ SELECT hashtextextended('search_words ' || 'search_words'::regclass::oid, 0) $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_words_lock() IS 'The advisory lock of who writes to search_words'"
    )
    # Two transactions with the same new word would wait for each other, or deadlock with several
    # statements each: only one of them writes, the others leave theirs to the worker.
    op.execute(
        """
        CREATE FUNCTION note_search_words(words text[], counts bigint[]) RETURNS void
        LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            language regconfig := search_language();
        BEGIN
            SELECT array_agg(given.word), array_agg(given.products) INTO words, counts
            FROM unnest(words, counts) AS given (word, products)
            WHERE NOT EXISTS (SELECT FROM search_words AS w WHERE w.word = given.word)
                AND NOT EXISTS (SELECT FROM search_new_words AS n WHERE n.word = given.word);
            IF words IS NULL THEN
                RETURN;
            END IF;
            IF pg_try_advisory_xact_lock(search_words_lock()) THEN
                INSERT INTO search_words (word, lexeme, products)
                SELECT given.word, search_lexeme(language, given.word), given.products
                FROM unnest(words, counts) AS given (word, products)
                ORDER BY given.word
                ON CONFLICT DO NOTHING;
            ELSE
                INSERT INTO search_new_words (word) SELECT unnest(words);
            END IF;
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION note_search_words(text[], bigint[]) IS 'Takes the words that are new to the catalogue, each given once with how many products have it; waits for nobody'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION note_search_words(text[], bigint[])")
    op.execute("DROP FUNCTION search_words_lock()")
    op.execute("DROP TABLE search_synonyms")
    op.execute("DROP FUNCTION keep_search_synonym()")
    op.execute("DROP FUNCTION search_lexeme(regconfig, text)")
    op.execute("DROP FUNCTION search_words_in(text, text, text[], text)")
    op.execute("DROP FUNCTION search_document(regconfig, text, text, text[], text)")
    op.execute("DROP FUNCTION search_language()")
    op.execute("DROP TABLE search_new_words")
    op.execute("DROP TABLE search_words")
    op.execute("DROP TABLE search_settings")
