-- The picture of roles, databases and defaults, and of what was granted on the objects of PostgreSQL and of extensions
-- since they were made. One row a fact, its key a line.
--
-- Passwords are not read, nor can they be by the role that asks; settings under names of one's own, which may hold a
-- secret, are shown by digest only.

WITH
scope AS (
    SELECT oid, quote_ident(nspname) AS schema_name
    FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(toast_)?temp_'
),

members AS (
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e'
),

roles AS (
    SELECT * FROM pg_roles
    WHERE rolname !~ '^pg_'
),

settings AS (
    SELECT
        setting.setdatabase,
        setting.setrole,
        split_part(entry, '=', 1) AS name,
        CASE
            WHEN split_part(entry, '=', 1) LIKE '%.%' THEN left(encode(sha256(convert_to(entry, 'UTF8')), 'hex'), 12)
            ELSE substr(entry, strpos(entry, '=') + 1)
        END AS value
    FROM pg_db_role_setting AS setting, unnest(setting.setconfig) AS entry
),

facts AS (
    -- ── grants on what PostgreSQL and extensions made, where they are not as they were made ──
    SELECT
        pg_describe_object(thing.classid, thing.oid, 0) || ' grants' AS line,
        NULL::text AS definition,
        thing.granted,
        thing.initial
    FROM (
        SELECT
            made.classid,
            made.oid,
            coalesce(made.acl, acldefault(made.kind, made.owner)) AS granted,
            -- PostgreSQL keeps no record of what it grants in information_schema: everybody may look at everything.
            coalesce(first.initprivs, acldefault(made.kind, made.owner)) || CASE made.schema_id
                WHEN 'information_schema'::regnamespace
                    THEN ARRAY[
                        makeaclitem(0, made.owner, CASE made.kind WHEN 'n' THEN 'USAGE' ELSE 'SELECT' END, false)
                    ]
                ELSE '{}'
            END AS initial
        FROM (
            SELECT
                'pg_class'::regclass AS classid, oid, relacl AS acl, relowner AS owner, relnamespace AS schema_id,
                CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS kind
            FROM pg_class
            WHERE oid < 16384
            UNION ALL
            SELECT 'pg_proc'::regclass, oid, proacl, proowner, NULL, 'f' FROM pg_proc
            WHERE oid < 16384 OR ('pg_proc'::regclass, oid) IN (SELECT classid, objid FROM members)
            UNION ALL
            SELECT 'pg_type'::regclass, oid, typacl, typowner, NULL, 'T' FROM pg_type
            UNION ALL
            SELECT 'pg_namespace'::regclass, oid, nspacl, nspowner, oid, 'n' FROM pg_namespace
            WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast')
            UNION ALL
            SELECT 'pg_language'::regclass, oid, lanacl, lanowner, NULL, 'l' FROM pg_language
            UNION ALL
            SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwacl, fdwowner, NULL, 'F' FROM pg_foreign_data_wrapper
            UNION ALL
            SELECT 'pg_foreign_server'::regclass, oid, srvacl, srvowner, NULL, 'S' FROM pg_foreign_server
            UNION ALL
            SELECT 'pg_tablespace'::regclass, oid, spcacl, spcowner, NULL, 't' FROM pg_tablespace
        ) AS made
        LEFT JOIN pg_init_privs AS first
            ON first.classoid = made.classid AND first.objoid = made.oid AND first.objsubid = 0
        WHERE made.acl IS NOT NULL OR first.initprivs IS NOT NULL
    ) AS thing
    WHERE NOT (thing.granted @> thing.initial AND thing.initial @> thing.granted)

    UNION ALL

    SELECT 'parameter ' || parname || ' grants', NULL, paracl, acldefault('p', 10) FROM pg_parameter_acl

    UNION ALL

    SELECT
        concat(
            'default privileges of ', quote_ident(pg_get_userbyid(defaults.defaclrole)), ' on ',
            CASE defaults.defaclobjtype
                WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
                ELSE 'schemas'
            END,
            ' in schema ' || scope.schema_name
        ),
        NULL,
        defaults.defaclacl,
        CASE
            WHEN defaults.defaclnamespace = 0
                THEN acldefault(
                    CASE defaults.defaclobjtype WHEN 'S' THEN 's' ELSE defaults.defaclobjtype END, defaults.defaclrole
                )
            ELSE '{}'
        END
    FROM pg_default_acl AS defaults
    LEFT JOIN scope ON scope.oid = defaults.defaclnamespace

    UNION ALL

    -- ── databases and roles, which all databases of the cluster share ──
    SELECT
        'database ' || quote_ident(datname),
        concat_ws(
            ', ',
            'owner ' || pg_get_userbyid(datdba),
            pg_encoding_to_char(encoding),
            CASE WHEN datallowconn THEN 'open' ELSE 'closed' END,
            'connections ' || nullif(datconnlimit, -1)
        ),
        NULL,
        NULL
    FROM pg_database

    UNION ALL

    SELECT
        'database ' || quote_ident(datname) || ' grants', NULL, coalesce(datacl, acldefault('d', datdba)),
        acldefault('d', datdba)
    FROM pg_database

    UNION ALL

    -- Until when a password is good is the password's matter, and changes with it.
    SELECT
        'role ' || quote_ident(rolname),
        concat_ws(
            ', ',
            CASE WHEN rolcanlogin THEN 'login' ELSE 'no login' END,
            CASE WHEN rolsuper THEN 'superuser' END,
            CASE WHEN rolcreatedb THEN 'createdb' END,
            CASE WHEN rolcreaterole THEN 'createrole' END,
            CASE WHEN rolreplication THEN 'replication' END,
            CASE WHEN rolbypassrls THEN 'bypassrls' END,
            CASE WHEN NOT rolinherit THEN 'noinherit' END,
            'connections ' || nullif(rolconnlimit, -1)
        ),
        NULL,
        NULL
    FROM roles

    UNION ALL

    SELECT
        'role ' || quote_ident(member.rolname) || ' in ' || quote_ident(pg_get_userbyid(membership.roleid)),
        concat_ws(
            ', ',
            CASE WHEN membership.inherit_option THEN 'inherits' END,
            CASE WHEN membership.set_option THEN 'may set role' END,
            CASE WHEN membership.admin_option THEN 'may grant it' END
        ),
        NULL,
        NULL
    FROM pg_auth_members AS membership
    INNER JOIN roles AS member ON member.oid = membership.member

    UNION ALL

    SELECT
        concat_ws(
            ' ',
            'role ' || quote_ident(nullif(settings.setrole, 0)::regrole::name),
            'database ' || quote_ident(pg_database.datname),
            'setting', settings.name
        ),
        settings.value,
        NULL,
        NULL
    FROM settings
    LEFT JOIN pg_database ON pg_database.oid = settings.setdatabase
)

SELECT line, definition, granted::text[] AS granted, initial::text[] AS initial
FROM facts;
