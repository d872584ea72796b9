-- What pg_dump would write for each object of a schema that may hold an expression, after what
-- takes the object itself out of the way, by the kinds and names of fingerprint.sql.
WITH relations AS (
    SELECT c.* FROM pg_class AS c WHERE c.relnamespace = %(schema)s::text::regnamespace
)
SELECT
    'function' AS kind, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
    pg_get_functiondef(p.oid) AS statements
FROM pg_proc AS p
WHERE p.pronamespace = %(schema)s::text::regnamespace AND p.prokind <> 'a'
UNION ALL
SELECT
    'type', t.typname,
    string_agg(
        format('ALTER DOMAIN %%s DROP CONSTRAINT %%I; ALTER DOMAIN %%1$s ADD CONSTRAINT %%2$I %%s',
               t.oid::regtype, k.conname, pg_get_constraintdef(k.oid)), '; ')
FROM pg_type AS t
JOIN pg_constraint AS k ON k.contypid = t.oid AND k.contype = 'c'
WHERE t.typnamespace = %(schema)s::text::regnamespace
GROUP BY t.typname
UNION ALL
SELECT
    'column', c.relname || '.' || a.attname,
    format('ALTER TABLE %%s ALTER %%I SET %%s (%%s)', c.oid::regclass, a.attname,
           CASE a.attgenerated WHEN '' THEN 'DEFAULT' ELSE 'EXPRESSION AS' END,
           pg_get_expr(d.adbin, d.adrelid))
FROM relations AS c
JOIN pg_attrdef AS d ON d.adrelid = c.oid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.adnum
UNION ALL
SELECT
    'constraint', c.relname || '.' || k.conname,
    format('ALTER TABLE %%s DROP CONSTRAINT %%I, ADD CONSTRAINT %%2$I %%s', c.oid::regclass,
           k.conname, pg_get_constraintdef(k.oid))
FROM relations AS c
JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype IN ('c', 'x')
UNION ALL
SELECT
    'index', c.relname,
    -- Out of the way only: a foreign key or the index of a partitioned table may depend on it.
    format('ALTER INDEX %%s RENAME TO %%I; %%s', c.oid::regclass, 'before_' || c.oid,
           replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON '))
FROM relations AS c
JOIN pg_index AS i ON i.indexrelid = c.oid
WHERE NOT EXISTS (
    SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
)
UNION ALL
SELECT
    'trigger', c.relname || '.' || g.tgname,
    format('DROP TRIGGER %%I ON %%s; %%s', g.tgname, c.oid::regclass, pg_get_triggerdef(g.oid))
FROM relations AS c JOIN pg_trigger AS g ON g.tgrelid = c.oid AND NOT g.tgisinternal
UNION ALL
SELECT
    'policy', c.relname || '.' || p.polname,
    format('ALTER POLICY %%I ON %%s', p.polname, c.oid::regclass)
        || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
        || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
FROM relations AS c JOIN pg_policy AS p ON p.polrelid = c.oid
UNION ALL
SELECT
    'statistics', x.stxname,
    format('DROP STATISTICS %%I; %%s', x.stxname, pg_get_statisticsobjdef(x.oid))
FROM relations AS c JOIN pg_statistic_ext AS x ON x.stxrelid = c.oid
UNION ALL
SELECT
    'rule', c.relname || '.' || r.rulename,
    format('DROP RULE %%I ON %%s; %%s', r.rulename, c.oid::regclass, pg_get_ruledef(r.oid))
FROM relations AS c JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'
UNION ALL
SELECT
    'view', c.relname,
    format('CREATE OR REPLACE VIEW %%s %%s AS %%s', c.oid::regclass,
           'WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
FROM relations AS c WHERE c.relkind = 'v'
UNION ALL
SELECT
    'materialized view', c.relname,
    format('DROP MATERIALIZED VIEW %%s; CREATE MATERIALIZED VIEW %%1$s %%s AS %%s', c.oid::regclass,
           'WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
FROM relations AS c WHERE c.relkind = 'm'
