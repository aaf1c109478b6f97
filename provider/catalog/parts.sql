-- The picture of what hangs on tables and views: constraints, indexes, triggers, policies, rules, statistics. One row a
-- fact, in the columns of relations.sql.
--
-- What an extension's table brings along is left out, except for triggers, which anybody may have put on it.

WITH
scope AS (
    SELECT oid, quote_ident(nspname) AS schema_name
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'
),

relations AS (
    SELECT
        relation.oid,
        relation.relkind,
        relation.relispartition,
        scope.schema_name || '.' || quote_ident(relation.relname) AS relation,
        CASE relation.relkind
            WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence'
            WHEN 'f' THEN 'foreign table'
            WHEN 'c' THEN 'type'
            ELSE 'table'
        END AS kind,
        EXISTS(
            SELECT FROM pg_depend AS dependency
            WHERE
                dependency.classid = 'pg_class'::regclass
                AND dependency.objid = relation.oid
                AND dependency.deptype = 'e'
        ) AS is_foreign,
        (
            SELECT parent_scope.schema_name || '.' || quote_ident(parent.relname)
            FROM pg_inherits AS link
            INNER JOIN pg_class AS parent ON parent.oid = link.inhparent
            INNER JOIN scope AS parent_scope ON parent_scope.oid = parent.relnamespace
            WHERE link.inhrelid = relation.oid AND relation.relispartition AND NOT link.inhdetachpending
        ) AS parent
    FROM pg_class AS relation
    INNER JOIN scope ON scope.oid = relation.relnamespace
    WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
),

facts AS (
    -- ── constraints, those that a partition of another table brings along aside ──
    SELECT
        relations.oid,
        'constraint ' || quote_ident(rule.conname) AS facet,
        pg_get_constraintdef(rule.oid) AS definition
    FROM relations
    INNER JOIN pg_constraint AS rule ON rule.conrelid = relations.oid
    WHERE rule.contype <> 't' AND (rule.conparentid = 0 OR relations.relispartition) AND NOT relations.is_foreign

    UNION ALL

    -- A foreign key is kept by triggers that nobody sees; they can be disabled all the same.
    SELECT DISTINCT
        relations.oid,
        'constraint ' || coalesce(quote_ident(rule.conname), 'of an internal trigger') || ' enforcement',
        concat('not as made: ', trigger.tgenabled)
    FROM relations
    INNER JOIN pg_trigger AS trigger ON trigger.tgrelid = relations.oid
    LEFT JOIN pg_constraint AS rule ON rule.oid = trigger.tgconstraint
    WHERE trigger.tgisinternal AND trigger.tgenabled <> 'O'

    UNION ALL

    -- ── indexes; REINDEX CONCURRENTLY has one of its own while it runs ──
    SELECT
        relations.oid,
        'index ' || quote_ident(index_relation.relname),
        concat_ws(
            ', ',
            regexp_replace(pg_get_indexdef(index.indexrelid), '^CREATE (UNIQUE )?INDEX .*? ON .*? (USING .*)$', '\1\2'),
            CASE WHEN NOT (index.indisvalid AND index.indisready AND index.indislive) THEN 'invalid' END,
            CASE WHEN index.indisclustered THEN 'clustered' END,
            CASE WHEN index.indisreplident THEN 'replica identity' END,
            (
                SELECT 'tablespace ' || quote_ident(spcname) FROM pg_tablespace
                WHERE pg_tablespace.oid = index_relation.reltablespace
            )
        )
    FROM relations
    INNER JOIN pg_index AS index ON index.indrelid = relations.oid
    INNER JOIN pg_class AS index_relation ON index_relation.oid = index.indexrelid
    WHERE NOT relations.is_foreign AND (index.indisvalid OR index_relation.relname !~ '_cc(new|old)[0-9]*$')

    UNION ALL

    -- ── triggers, policies, rules, statistics ──
    SELECT
        relations.oid,
        'trigger ' || quote_ident(trigger.tgname),
        concat_ws(
            ', ',
            regexp_replace(
                replace(pg_get_triggerdef(trigger.oid), ' ON ' || relations.relation || ' ', ' '),
                '^CREATE (CONSTRAINT )?TRIGGER .*? (BEFORE|AFTER|INSTEAD OF) ', '\1\2 '
            ),
            CASE trigger.tgenabled
                WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas only' WHEN 'A' THEN 'always'
            END
        )
    FROM relations
    INNER JOIN pg_trigger AS trigger ON trigger.tgrelid = relations.oid
    WHERE NOT trigger.tgisinternal

    UNION ALL

    SELECT
        relations.oid,
        'policy ' || quote_ident(policy.polname),
        concat_ws(
            ' ',
            CASE WHEN policy.polpermissive THEN 'permissive' ELSE 'restrictive' END,
            CASE policy.polcmd
                WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all'
            END,
            'to',
            (
                SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE role::regrole::text END, ', ' ORDER BY role)
                FROM unnest(policy.polroles) AS role
            ),
            'using ' || pg_get_expr(policy.polqual, policy.polrelid),
            'with check ' || pg_get_expr(policy.polwithcheck, policy.polrelid)
        )
    FROM relations
    INNER JOIN pg_policy AS policy ON policy.polrelid = relations.oid
    WHERE NOT relations.is_foreign

    UNION ALL

    SELECT
        relations.oid,
        'rule ' || quote_ident(rule.rulename),
        concat_ws(
            ', ',
            'body ' || left(encode(sha256(convert_to(pg_get_ruledef(rule.oid), 'UTF8')), 'hex'), 12),
            nullif(concat('enabled ', rule.ev_enabled), 'enabled O')
        )
    FROM relations
    INNER JOIN pg_rewrite AS rule ON rule.ev_class = relations.oid
    WHERE NOT (rule.rulename = '_RETURN' AND relations.relkind IN ('v', 'm')) AND NOT relations.is_foreign

    UNION ALL

    SELECT
        relations.oid,
        'statistics ' || quote_ident(extended.stxname),
        regexp_replace(pg_get_statisticsobjdef(extended.oid), '^CREATE STATISTICS \S+ (.*) FROM .*$', '\1')
    FROM relations
    INNER JOIN pg_statistic_ext AS extended ON extended.stxrelid = relations.oid
)

SELECT
    relations.kind,
    relations.relation,
    relations.parent,
    facts.facet,
    facts.definition,
    NULL AS granted,
    NULL AS initial
FROM facts
INNER JOIN relations USING (oid)
WHERE relations.relkind <> 'c' OR NOT relations.is_foreign;
