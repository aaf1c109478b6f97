-- What one role may do: a row for every object on which it may do anything, with all that it may do there.
--
-- Effective rights, however they came about: by grant, by membership, by ownership, through PUBLIC. "column" rows hold
-- what a role may do with single columns beyond the table. Of what PostgreSQL brings along, only that is shown which
-- neither everybody may do from the beginning, nor the predefined roles (groups) that the role is meant to be in.

WITH
words AS (
    SELECT kind, privilege || grantable AS privilege
    FROM (
        VALUES
        ('d', '{CREATE,CONNECT,TEMPORARY}'::text[]),
        ('n', '{CREATE,USAGE}'),
        ('r', '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'),
        ('c', '{SELECT,INSERT,UPDATE,REFERENCES}'),
        ('S', '{USAGE,SELECT,UPDATE}'),
        ('f', '{EXECUTE}'),
        ('u', '{USAGE}'),
        ('t', '{CREATE}'),
        ('p', '{SET,ALTER SYSTEM}')
    ) AS of_kind (kind, privileges),
        unnest(privileges) AS privilege,
        unnest('{"", " WITH GRANT OPTION"}'::text[]) AS grantable
),

scope AS (
    SELECT oid, nspowner, quote_ident(nspname) AS schema_name
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'
),

-- What everybody may do from the beginning; PostgreSQL keeps no record of it for information_schema.
initial AS (
    SELECT first.classoid, first.objoid, array_agg(entry.privilege_type) AS privileges
    FROM pg_init_privs AS first, aclexplode(first.initprivs) AS entry
    WHERE entry.grantee = 0 AND first.objsubid = 0
    GROUP BY first.classoid, first.objoid
    UNION ALL
    SELECT 'pg_class'::regclass, oid, '{SELECT}' FROM pg_class
    WHERE relnamespace = 'information_schema'::regnamespace
),

held AS (
    SELECT 'database' AS kind, quote_ident(datname) AS object, datdba AS owner, words.privilege
    FROM pg_database, words
    WHERE
        words.kind = 'd'
        AND (datallowconn OR words.privilege !~ '^CONNECT')
        AND has_database_privilege(%(role)s, pg_database.oid, words.privilege)
    UNION ALL
    SELECT 'schema', scope.schema_name, scope.nspowner, words.privilege
    FROM scope, words
    WHERE words.kind = 'n' AND has_schema_privilege(%(role)s, scope.oid, words.privilege)
    UNION ALL
    SELECT 'schema', schema_name::text, 10, words.privilege
    FROM (VALUES ('pg_catalog'), ('information_schema')) AS made (schema_name), words
    WHERE
        words.kind = 'n'
        AND words.privilege <> 'USAGE'
        AND has_schema_privilege(%(role)s, schema_name, words.privilege)
    UNION ALL
    SELECT 'table', scope.schema_name || '.' || quote_ident(relation.relname), relation.relowner, words.privilege
    FROM pg_class AS relation
    INNER JOIN scope ON scope.oid = relation.relnamespace
    CROSS JOIN words
    WHERE
        words.kind = 'r'
        AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_table_privilege(%(role)s, relation.oid, words.privilege)
    UNION ALL
    -- A right to one column only is either the table's or written down with the column.
    SELECT
        'column',
        scope.schema_name || '.' || quote_ident(relation.relname) || '.' || quote_ident(attribute.attname),
        relation.relowner,
        words.privilege
    FROM pg_attribute AS attribute
    INNER JOIN pg_class AS relation ON relation.oid = attribute.attrelid
    INNER JOIN scope ON scope.oid = relation.relnamespace
    CROSS JOIN words
    WHERE
        words.kind = 'c'
        AND attribute.attacl IS NOT NULL
        AND NOT attribute.attisdropped
        AND has_column_privilege(%(role)s, relation.oid, attribute.attnum, words.privilege)
        AND NOT has_table_privilege(%(role)s, relation.oid, words.privilege)
    UNION ALL
    SELECT 'sequence', scope.schema_name || '.' || quote_ident(relation.relname), relation.relowner, words.privilege
    FROM pg_class AS relation
    INNER JOIN scope ON scope.oid = relation.relnamespace
    CROSS JOIN words
    WHERE
        words.kind = 'S'
        AND relation.relkind = 'S'
        AND has_sequence_privilege(%(role)s, relation.oid, words.privilege)
    UNION ALL
    SELECT 'function', routine.oid::regprocedure::text, routine.proowner, words.privilege
    FROM pg_proc AS routine
    INNER JOIN scope ON scope.oid = routine.pronamespace
    CROSS JOIN words
    WHERE words.kind = 'f' AND has_function_privilege(%(role)s, routine.oid, words.privilege)
    UNION ALL
    -- Everybody may use types and languages unless somebody took that away; those not trusted are superusers' anyway.
    SELECT 'type', type.oid::regtype::text, type.typowner, words.privilege
    FROM pg_type AS type
    CROSS JOIN words
    WHERE
        words.kind = 'u'
        AND type.typacl IS NOT NULL
        AND words.privilege <> 'USAGE'
        AND has_type_privilege(%(role)s, type.oid, words.privilege)
    UNION ALL
    SELECT 'language', quote_ident(language.lanname), language.lanowner, words.privilege
    FROM pg_language AS language
    CROSS JOIN words
    WHERE
        words.kind = 'u'
        AND language.lanacl IS NOT NULL
        AND words.privilege <> 'USAGE'
        AND has_language_privilege(%(role)s, language.oid, words.privilege)
    UNION ALL
    SELECT 'foreign data wrapper', quote_ident(fdw.fdwname), fdw.fdwowner, words.privilege
    FROM pg_foreign_data_wrapper AS fdw
    CROSS JOIN words
    WHERE words.kind = 'u' AND has_foreign_data_wrapper_privilege(%(role)s, fdw.oid, words.privilege)
    UNION ALL
    SELECT 'foreign server', quote_ident(server.srvname), server.srvowner, words.privilege
    FROM pg_foreign_server AS server
    CROSS JOIN words
    WHERE words.kind = 'u' AND has_server_privilege(%(role)s, server.oid, words.privilege)
    UNION ALL
    SELECT 'tablespace', quote_ident(space.spcname), space.spcowner, words.privilege
    FROM pg_tablespace AS space
    CROSS JOIN words
    WHERE words.kind = 't' AND has_tablespace_privilege(%(role)s, space.oid, words.privilege)
    UNION ALL
    SELECT 'parameter', parameter.parname, 10, words.privilege
    FROM pg_parameter_acl AS parameter
    CROSS JOIN words
    WHERE words.kind = 'p' AND has_parameter_privilege(%(role)s, parameter.parname, words.privilege)
    UNION ALL
    -- ── what PostgreSQL made ──
    SELECT 'function', 'pg_catalog.' || routine.oid::regprocedure, routine.proowner, words.privilege
    FROM pg_proc AS routine
    LEFT JOIN initial ON initial.classoid = 'pg_proc'::regclass AND initial.objoid = routine.oid
    CROSS JOIN words
    WHERE
        words.kind = 'f'
        AND routine.pronamespace = 'pg_catalog'::regnamespace
        AND routine.proacl IS NOT NULL
        AND has_function_privilege(%(role)s, routine.oid, words.privilege)
        AND NOT words.privilege = ANY(coalesce(initial.privileges, '{}'))
        AND NOT EXISTS (
            SELECT FROM unnest(%(groups)s::name[]) AS member_of
            WHERE has_function_privilege(member_of, routine.oid, words.privilege)
        )
    UNION ALL
    SELECT 'table', relation.oid::regclass::text, relation.relowner, words.privilege
    FROM pg_class AS relation
    LEFT JOIN initial ON initial.classoid = 'pg_class'::regclass AND initial.objoid = relation.oid
    CROSS JOIN words
    WHERE
        words.kind = 'r'
        AND relation.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        AND relation.relkind IN ('r', 'v')
        AND relation.relacl IS NOT NULL
        AND has_table_privilege(%(role)s, relation.oid, words.privilege)
        AND NOT words.privilege = ANY(coalesce(initial.privileges, '{}'))
        AND NOT EXISTS (
            SELECT FROM unnest(%(groups)s::name[]) AS member_of
            WHERE has_table_privilege(member_of, relation.oid, words.privilege)
        )
)

SELECT kind, object, pg_get_userbyid(owner)::text AS owner, array_agg(privilege ORDER BY privilege) AS privileges
FROM held
GROUP BY kind, object, owner;
