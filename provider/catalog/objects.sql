-- The picture of schemas, functions, types and what else can be made beside tables. One row a fact, its key a line.
--
-- Texts that may hold a secret (bodies, settings under names of one's own) are shown by digest only.

WITH
scope AS (
    SELECT oid, nspname, nspowner, nspacl, quote_ident(nspname) AS schema_name
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'
),

members AS (
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e'
),

facts AS (
    -- ── schemas ──
    SELECT
        'schema ' || schema_name || ' owner' AS line,
        pg_get_userbyid(nspowner)::text AS definition,
        NULL::aclitem[] AS granted,
        NULL::aclitem[] AS initial
    FROM scope

    UNION ALL

    SELECT
        'schema ' || schema_name || ' grants', NULL,
        coalesce(nspacl, acldefault('n', nspowner)), acldefault('n', nspowner)
    FROM scope

    UNION ALL

    -- ── functions, procedures, aggregates ──
    SELECT
        'function ' || routine.oid::regprocedure,
        concat_ws(
            ', ',
            CASE routine.prokind
                WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function'
            END,
            'returns ' || pg_get_function_result(routine.oid),
            language.lanname,
            CASE routine.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
            CASE WHEN routine.proisstrict THEN 'strict' END,
            CASE WHEN routine.prosecdef THEN 'security definer' END,
            CASE WHEN routine.proleakproof THEN 'leakproof' END,
            CASE routine.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END,
            'costs ' || routine.procost,
            CASE WHEN routine.proretset THEN 'rows ' || routine.prorows END,
            (
                SELECT
                    string_agg(
                        CASE
                            WHEN split_part(entry, '=', 1) LIKE '%.%'
                                THEN 'set ' || left(encode(sha256(convert_to(entry, 'UTF8')), 'hex'), 12)
                            ELSE 'set ' || entry
                        END,
                        ', ' ORDER BY entry
                    )
                FROM unnest(routine.proconfig) AS entry
            ),
            'body ' || left(
                encode(
                    sha256(
                        convert_to(
                            concat_ws(
                                E'\n', pg_get_function_arguments(routine.oid), routine.prosrc,
                                encode(convert_to(routine.probin, 'UTF8'), 'hex'), pg_get_function_sqlbody(routine.oid)
                            ),
                            'UTF8'
                        )
                    ),
                    'hex'
                ),
                12
            )
        ),
        NULL,
        NULL
    FROM pg_proc AS routine
    INNER JOIN scope ON scope.oid = routine.pronamespace
    INNER JOIN pg_language AS language ON language.oid = routine.prolang
    WHERE ('pg_proc'::regclass, routine.oid) NOT IN (SELECT classid, objid FROM members)

    UNION ALL

    SELECT 'function ' || routine.oid::regprocedure || ' owner', pg_get_userbyid(routine.proowner), NULL, NULL
    FROM pg_proc AS routine
    INNER JOIN scope ON scope.oid = routine.pronamespace
    WHERE ('pg_proc'::regclass, routine.oid) NOT IN (SELECT classid, objid FROM members)

    UNION ALL

    SELECT
        'function ' || routine.oid::regprocedure || ' grants', NULL,
        coalesce(routine.proacl, acldefault('f', routine.proowner)), acldefault('f', routine.proowner)
    FROM pg_proc AS routine
    INNER JOIN scope ON scope.oid = routine.pronamespace
    WHERE ('pg_proc'::regclass, routine.oid) NOT IN (SELECT classid, objid FROM members)

    UNION ALL

    -- ── types that are nobody's row or array ──
    SELECT
        'type ' || type.oid::regtype,
        concat_ws(
            ', ',
            CASE type.typtype
                WHEN 'd' THEN 'domain over ' || format_type(type.typbasetype, type.typtypmod)
                WHEN 'e' THEN 'enum'
                WHEN 'c' THEN 'composite'
                WHEN 'r' THEN 'range'
                WHEN 'm' THEN 'multirange'
                ELSE 'base'
            END,
            (
                SELECT string_agg(quote_literal(label.enumlabel), ', ' ORDER BY label.enumsortorder)
                FROM pg_enum AS label
                WHERE label.enumtypid = type.oid
            ),
            CASE WHEN type.typtype = 'd' AND type.typnotnull THEN 'not null' END,
            'default ' || type.typdefault,
            (
                SELECT string_agg(pg_get_constraintdef(rule.oid), ', ' ORDER BY rule.conname)
                FROM pg_constraint AS rule
                WHERE rule.contypid = type.oid
            ),
            'owner ' || pg_get_userbyid(type.typowner)
        ),
        NULL,
        NULL
    FROM pg_type AS type
    INNER JOIN scope ON scope.oid = type.typnamespace
    LEFT JOIN pg_class AS row_of ON row_of.oid = type.typrelid
    WHERE
        coalesce(row_of.relkind, 'c') = 'c'
        AND type.typelem = 0
        AND ('pg_type'::regclass, type.oid) NOT IN (SELECT classid, objid FROM members)

    UNION ALL

    -- ── what can be made beside them ──
    SELECT
        pg_describe_object(thing.classid, thing.oid, 0),
        concat_ws(', ', nullif(thing.definition, ''), 'owner ' || pg_get_userbyid(thing.owner)),
        NULL,
        NULL
    FROM (
        SELECT 'pg_operator'::regclass AS classid, oid, oprowner AS owner, oprcode::text AS definition FROM pg_operator
        UNION ALL
        SELECT 'pg_collation'::regclass, oid, collowner, '' FROM pg_collation
        UNION ALL
        SELECT 'pg_cast'::regclass, oid, NULL, castfunc::regprocedure::text FROM pg_cast
        UNION ALL
        SELECT 'pg_opclass'::regclass, oid, opcowner, '' FROM pg_opclass
        UNION ALL
        SELECT 'pg_ts_config'::regclass, oid, cfgowner, '' FROM pg_ts_config
        UNION ALL
        SELECT 'pg_ts_dict'::regclass, oid, dictowner, '' FROM pg_ts_dict
        UNION ALL
        SELECT 'pg_language'::regclass, oid, lanowner, CASE WHEN lanpltrusted THEN 'trusted' END FROM pg_language
        UNION ALL
        SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, '' FROM pg_foreign_data_wrapper
        UNION ALL
        SELECT 'pg_foreign_server'::regclass, oid, srvowner, '' FROM pg_foreign_server
        UNION ALL
        SELECT 'pg_user_mapping'::regclass, umid, umuser, '' FROM pg_user_mappings
        UNION ALL
        SELECT 'pg_publication'::regclass, oid, pubowner, CASE WHEN puballtables THEN 'all tables' END
        FROM pg_publication
        UNION ALL
        SELECT 'pg_subscription'::regclass, oid, subowner, CASE WHEN subenabled THEN 'enabled' END FROM pg_subscription
        UNION ALL
        SELECT
            'pg_event_trigger'::regclass, oid, evtowner,
            concat_ws(
                ' ', evtevent, array_to_string(evttags, ', '), 'execute', evtfoid::regprocedure,
                nullif(concat('enabled ', evtenabled), 'enabled O')
            )
        FROM pg_event_trigger
        UNION ALL
        SELECT 'pg_extension'::regclass, oid, extowner, extversion FROM pg_extension
        UNION ALL
        SELECT 'pg_tablespace'::regclass, oid, spcowner, '' FROM pg_tablespace
    ) AS thing
    WHERE thing.oid >= 16384 AND (thing.classid, thing.oid) NOT IN (SELECT classid, objid FROM members)
)

SELECT line, definition, granted::text[] AS granted, initial::text[] AS initial
FROM facts;
