-- Everything in a schema that a migration can make, one row an object, privileges left out.
-- Names are unqualified because the schema is first in the search_path of whoever asks; the
-- pretty forms of pg_get_*def are the ones that honour it.
WITH schema_wanted AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname = %(schema)s
), of_extensions AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS (
    SELECT c.* FROM pg_class AS c JOIN schema_wanted AS s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (
        SELECT FROM of_extensions AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
    )
), functions AS (
    SELECT p.* FROM pg_proc AS p JOIN schema_wanted AS s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (
        SELECT FROM of_extensions AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid
    )
), types AS (
    SELECT t.* FROM pg_type AS t JOIN schema_wanted AS s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r')
      AND NOT EXISTS (
        SELECT FROM of_extensions AS e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
    )
), objects AS (
    SELECT
        'table' AS kind, c.relname::text AS owner, c.relname::text AS name,
        concat_ws(
            ', ',
            CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                           ELSE 'foreign table' END,
            CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
            'partitioned by ' || pg_get_partkeydef(c.oid),
            pg_get_expr(c.relpartbound, c.oid, true),
            'with (' || array_to_string(c.reloptions, ', ') || ')',
            CASE WHEN c.relrowsecurity THEN 'row security' END,
            CASE WHEN c.relforcerowsecurity THEN 'forced row security' END
        ) AS definition
    FROM relations AS c WHERE c.relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT
        CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, c.relname, c.relname,
        concat_ws(', ', 'with (' || array_to_string(c.reloptions, ', ') || ')',
                  pg_get_viewdef(c.oid, true))
    FROM relations AS c WHERE c.relkind IN ('v', 'm')
    UNION ALL
    SELECT
        'column', c.relname, c.relname || '.' || a.attname,
        concat_ws(
            ' ',
            format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation
                 THEN 'COLLATE ' || a.attcollation::regcollation END,
            CASE WHEN a.attnotnull THEN 'NOT NULL' END,
            CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END,
            CASE a.attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
            CASE WHEN a.attgenerated = '' THEN 'DEFAULT ' ELSE 'GENERATED AS ' END
                || pg_get_expr(d.adbin, d.adrelid, true)
        )
    FROM relations AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
    UNION ALL
    SELECT 'constraint', c.relname, c.relname || '.' || k.conname,
           pg_get_constraintdef(k.oid, true)
    FROM relations AS c JOIN pg_constraint AS k ON k.conrelid = c.oid
    UNION ALL
    SELECT
        'index', t.relname, c.relname,
        concat_ws(', ', pg_get_indexdef(c.oid, 0, true),
                  CASE WHEN NOT i.indisvalid THEN 'INVALID' END)
    FROM relations AS c
    JOIN pg_index AS i ON i.indexrelid = c.oid
    JOIN pg_class AS t ON t.oid = i.indrelid
    UNION ALL
    SELECT
        'trigger', c.relname, c.relname || '.' || g.tgname,
        concat_ws(', ', pg_get_triggerdef(g.oid, true),
                  CASE g.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA ONLY'
                                   WHEN 'A' THEN 'ALWAYS' END)
    FROM relations AS c JOIN pg_trigger AS g ON g.tgrelid = c.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 'rule', c.relname, c.relname || '.' || r.rulename, pg_get_ruledef(r.oid, true)
    FROM relations AS c JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'
    UNION ALL
    SELECT
        'policy', c.relname, c.relname || '.' || p.polname,
        concat_ws(' ', p.polcmd::text, CASE WHEN NOT p.polpermissive THEN 'RESTRICTIVE' END,
                  'USING ' || pg_get_expr(p.polqual, p.polrelid, true),
                  'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid, true))
    FROM relations AS c JOIN pg_policy AS p ON p.polrelid = c.oid
    UNION ALL
    SELECT
        'statistics', c.relname, x.stxname,
        array_to_string(x.stxkind, '') || ' ON ' || pg_get_statisticsobjdef_columns(x.oid)
    FROM relations AS c JOIN pg_statistic_ext AS x ON x.stxrelid = c.oid
    UNION ALL
    SELECT
        'sequence', NULL, c.relname,
        concat_ws(' ', format_type(q.seqtypid, NULL), 'START', q.seqstart, 'INCREMENT',
                  q.seqincrement, 'MIN', q.seqmin, 'MAX', q.seqmax, 'CACHE', q.seqcache,
                  CASE WHEN q.seqcycle THEN 'CYCLE' END)
    FROM relations AS c JOIN pg_sequence AS q ON q.seqrelid = c.oid
    UNION ALL
    SELECT
        'function', NULL, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        concat_ws(
            ', ',
            'arguments (' || pg_get_function_arguments(p.oid) || ')',
            'returns ' || pg_get_function_result(p.oid),
            'language ' || l.lanname,
            CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
                           WHEN 'w' THEN 'window' END,
            CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
            'parallel ' || p.proparallel::text,
            CASE WHEN p.proisstrict THEN 'strict' END,
            CASE WHEN p.prosecdef THEN 'security definer' END,
            CASE WHEN p.proleakproof THEN 'leakproof' END,
            'cost ' || p.procost,
            'rows ' || nullif(p.prorows, 0),
            -- SET search_path FROM CURRENT has written the schema's name down, as the first.
            'set ' || (SELECT string_agg(regexp_replace(
                                  o.setting, '^(search_path=)"?' || s.nspname || '"?(?=,|$)',
                                  '\1<schema>'), '; ')
                       FROM unnest(p.proconfig) AS o (setting)),
            'body ' || md5(concat(p.prosrc, p.probin, pg_get_function_sqlbody(p.oid)))
        )
    FROM functions AS p
    JOIN pg_language AS l ON l.oid = p.prolang
    CROSS JOIN schema_wanted AS s
    UNION ALL
    SELECT
        'type', NULL, t.typname,
        concat_ws(
            ' ',
            CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range' END,
            (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
             FROM pg_enum AS e WHERE e.enumtypid = t.oid),
            CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
            'DEFAULT ' || t.typdefault,
            (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid, true), ', '
                               ORDER BY k.conname)
             FROM pg_constraint AS k WHERE k.contypid = t.oid),
            (SELECT format_type(r.rngsubtype, NULL) FROM pg_range AS r WHERE r.rngtypid = t.oid)
        )
    FROM types AS t
    UNION ALL
    SELECT 'comment', x.owner, pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
    FROM (
        SELECT 'pg_class'::regclass AS class, c.oid, coalesce(t.relname, c.relname)::text AS owner
        FROM relations AS c
        LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
        LEFT JOIN pg_class AS t ON t.oid = i.indrelid
        UNION ALL
        SELECT 'pg_constraint'::regclass, k.oid, c.relname
        FROM relations AS c JOIN pg_constraint AS k ON k.conrelid = c.oid
        UNION ALL
        SELECT 'pg_trigger'::regclass, g.oid, c.relname
        FROM relations AS c JOIN pg_trigger AS g ON g.tgrelid = c.oid AND NOT g.tgisinternal
        UNION ALL
        SELECT 'pg_policy'::regclass, p.oid, c.relname
        FROM relations AS c JOIN pg_policy AS p ON p.polrelid = c.oid
        UNION ALL
        SELECT 'pg_proc'::regclass, p.oid, NULL FROM functions AS p
        UNION ALL
        SELECT 'pg_type'::regclass, t.oid, NULL FROM types AS t
    ) AS x
    JOIN pg_description AS d ON d.classoid = x.class AND d.objoid = x.oid
)
SELECT kind, owner, name, definition FROM objects ORDER BY kind, name, definition
