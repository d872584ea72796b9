"""Create the functions that make a query of what somebody typed: corrected, with synonyms."""

from alembic import op

revision = "20261124110340"
down_revision = "20261124110330"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION search_nearest_word(typed text) RETURNS text
        LANGUAGE sql STABLE PARALLEL SAFE
        SET search_path FROM CURRENT SET enable_seqscan = off AS $$
            SELECT word
            FROM (
                SELECT word, products, similarity(word, typed) AS alike FROM search_words
                WHERE word % typed AND lexeme <> ''
                UNION ALL
                -- Two letters in each other's place leave a short word few trigrams.
                SELECT word, products, similarity(word, typed) + 0.4 FROM search_words
                WHERE lexeme <> '' AND word IN (
                    SELECT left(typed, place - 1) || substr(typed, place + 1, 1)
                        || substr(typed, place, 1) || substr(typed, place + 2)
                    FROM generate_series(1, length(typed) - 1) AS place
                )
            ) AS near
            -- Of words about as near, the one that is more often meant.
            ORDER BY
                alike + least(0.15, ln(products) / 60) - abs(length(word) - length(typed)) / 50.0 DESC,
                word
            LIMIT 1
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_nearest_word(text) IS 'The word of the catalogue that was probably meant, NULL when none is near'"
    )
    op.execute(
        """
        CREATE FUNCTION search_is_known(typed text, wanted tsquery, is_prefix boolean)
        RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL SAFE
        SET search_path FROM CURRENT SET enable_seqscan = off AS $$
        DECLARE
            stems text[] := tsvector_to_array(to_tsvector(search_language(), typed));
        BEGIN
            RETURN (cardinality(stems) = 1 AND EXISTS (
                    SELECT FROM search_words WHERE lexeme = stems[1]
                ))
                OR (is_prefix AND EXISTS (
                    SELECT FROM search_words WHERE word >= typed AND word < typed || chr(1114111)
                ))
                -- A word that was not counted yet, which few products can have.
                OR EXISTS (SELECT FROM product_search WHERE document @@ wanted)
                OR EXISTS (
                    SELECT FROM search_synonyms
                    WHERE to_tsvector(search_language(), word) @@ plainto_tsquery(search_language(), typed)
                );
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_is_known(text, tsquery, boolean) IS 'Whether a word finds anything as it was typed'"
    )
    op.execute(
        """
        CREATE FUNCTION search_word_query(typed text, is_prefix boolean) RETURNS tsquery
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
        DECLARE
            settings search_settings;
            wanted tsquery;
            ending text[];
        BEGIN
            SELECT * INTO settings FROM search_settings;
            wanted := plainto_tsquery(settings.language::regconfig, typed);
            IF settings.previous_language IS NOT NULL THEN
                wanted := wanted || plainto_tsquery(settings.previous_language::regconfig, typed);
            END IF;
            IF is_prefix AND numnode(wanted) > 0 THEN
                wanted := wanted || to_tsquery('simple', quote_literal(typed) || ':*');
                -- A longer word's stem need not begin with what was typed of it.
                SELECT array_agg(DISTINCT lexeme) INTO ending
                FROM (
                    SELECT lexeme FROM search_words
                    WHERE word >= typed AND word < typed || chr(1114111) AND lexeme <> ''
                        AND NOT starts_with(lexeme, typed)
                    LIMIT 20
                ) AS longer;
                IF ending IS NOT NULL THEN
                    SELECT wanted || string_agg(quote_literal(lexeme), ' | ')::tsquery INTO wanted
                    FROM unnest(ending) AS lexeme;
                END IF;
            END IF;
            RETURN wanted;
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_word_query(text, boolean) IS 'What finds a word, or words that begin with it; empty for a stop word'"
    )
    op.execute(
        """
        CREATE FUNCTION search_phrase_query(phrase text) RETURNS tsquery
        LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
            SELECT CASE
                WHEN previous_language IS NULL THEN phraseto_tsquery(language::regconfig, phrase)
                ELSE phraseto_tsquery(language::regconfig, phrase)
                    || phraseto_tsquery(previous_language::regconfig, phrase)
            END
            FROM search_settings
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_phrase_query(text) IS 'What finds words one after the other'"
    )
    # IMMUTABLE, though it reads tables, so that the planner knows the query for whose words it
    # plans: a word of 200,000 products is read in the order of popularity, one of ten from the
    # index of words. All statements that call it are planned for their values, each time.
    op.execute(
        """
        CREATE FUNCTION search_understood(terms jsonb) RETURNS jsonb
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
        SET search_path FROM CURRENT SET client_min_messages = warning AS $$
        DECLARE
            total int := jsonb_array_length(terms);
            has_synonyms boolean := EXISTS (SELECT FROM search_synonyms);
            term jsonb;
            typed text;
            part tsquery;
            words text[] := '{}';
            parts tsquery[] := '{}';
            corrected text[] := array_fill(NULL::text, ARRAY[total]);
            found tsquery := ''::tsquery;
            other tsquery;
            place int := 1;
        BEGIN
            FOR i IN 1..total LOOP
                term := terms -> (i - 1);
                typed := lower(term ->> 'text');
                IF term ->> 'kind' = 'word' THEN
                    part := search_word_query(typed, (term ->> 'is_prefix')::boolean);
                    IF numnode(part) > 0
                        AND NOT search_is_known(typed, part, (term ->> 'is_prefix')::boolean)
                    THEN
                        corrected[i] := search_nearest_word(typed);
                        IF corrected[i] IS NOT NULL THEN
                            typed := corrected[i];
                            part := search_word_query(typed, false);
                        END IF;
                    END IF;
                    words[i] := typed;
                ELSE
                    part := search_phrase_query(typed);
                    IF term ->> 'kind' = 'without' AND numnode(part) > 0 THEN
                        part := !!part;
                    END IF;
                    words[i] := NULL;
                END IF;
                parts[i] := part;
            END LOOP;
            WHILE place <= total LOOP
                part := parts[place];
                IF has_synonyms AND words[place] IS NOT NULL THEN
                    -- The longest run of words that has synonyms; those of the run are not asked again.
                    FOR size IN REVERSE least(3, total - place + 1)..1 LOOP
                        CONTINUE WHEN array_position(words[place:place + size - 1], NULL) IS NOT NULL;
                        SELECT string_agg('(' || query::text || ')', ' | ')::tsquery INTO other
                        FROM (
                            SELECT search_phrase_query(synonym) AS query FROM search_synonyms
                            WHERE lexemes = plainto_tsquery(
                                search_language(),
                                array_to_string(words[place:place + size - 1], ' ')
                            )::text
                        ) AS meant
                        WHERE numnode(query) > 0;
                        CONTINUE WHEN other IS NULL;
                        FOR along IN place + 1..place + size - 1 LOOP
                            part := part && parts[along];
                        END LOOP;
                        part := part || other;
                        place := place + size - 1;
                        EXIT;
                    END LOOP;
                END IF;
                found := found && part;
                place := place + 1;
            END LOOP;
            RETURN jsonb_build_object(
                'query', found::text,
                'corrected', to_jsonb(corrected),
                'text', nullif(array_to_string(words, ' '), '')
            );
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION search_understood(jsonb) IS 'The query for the terms that were typed, and the words put in place of those that find nothing; only for statements planned for their values'"
    )
    op.execute(
        """
        CREATE FUNCTION search_query(terms jsonb) RETURNS tsquery
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS $$ SELECT (search_understood(terms) ->> 'query')::tsquery $$
        """
    )
    op.execute("COMMENT ON FUNCTION search_query(jsonb) IS 'The query of search_understood alone'")


def downgrade() -> None:
    op.execute("DROP FUNCTION search_query(jsonb)")
    op.execute("DROP FUNCTION search_understood(jsonb)")
    op.execute("DROP FUNCTION search_phrase_query(text)")
    op.execute("DROP FUNCTION search_word_query(text, boolean)")
    op.execute("DROP FUNCTION search_is_known(text, tsquery, boolean)")
    op.execute("DROP FUNCTION search_nearest_word(text)")
