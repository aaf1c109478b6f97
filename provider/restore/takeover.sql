-- Each role that stepped aside takes the place of the one that the stack has just made, which owns nothing yet: it keeps
-- what is its own (objects, privileges, policies, all by oid) and gets the other's password, attributes, settings,
-- memberships and comment. A role that the stack does not make gets its name back, and stays without a password.
DO $takeover$
DECLARE
    pair record;
    setting text;
BEGIN
    CREATE TEMPORARY TABLE pairs ON COMMIT DROP AS
    SELECT
        aside.oid,
        aside.rolname AS aside,
        left(aside.rolname, -length('_restored')) AS name,
        made.oid AS made,
        format(
            '%s %s %s %s %s %s %s CONNECTION LIMIT %s PASSWORD %L VALID UNTIL %L',
            CASE WHEN made.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
            CASE WHEN made.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
            CASE WHEN made.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
            CASE WHEN made.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
            CASE WHEN made.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
            CASE WHEN made.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
            CASE WHEN made.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
            made.rolconnlimit,
            made.rolpassword,
            coalesce(made.rolvaliduntil, 'infinity')
        ) AS attributes,
        settings.setconfig AS settings,
        shobj_description(made.oid, 'pg_authid') AS description,
        -- By name: the oids of those made are about to go.
        ARRAY(
            SELECT roles.rolname::text FROM pg_auth_members AS members
            JOIN pg_roles AS roles ON roles.oid = members.roleid
            WHERE members.member = made.oid
        ) AS member_of
    FROM pg_authid AS aside
    LEFT JOIN pg_authid AS made ON made.rolname = left(aside.rolname, -length('_restored'))
    LEFT JOIN pg_db_role_setting AS settings ON settings.setrole = made.oid AND settings.setdatabase = 0
    WHERE aside.rolname LIKE 'pipe\_%\_restored';

    FOR pair IN SELECT * FROM pairs ORDER BY name LOOP
        IF pair.made IS NOT NULL THEN
            EXECUTE format('DROP ROLE %I', pair.name);
        END IF;
        EXECUTE format('ALTER ROLE %I RENAME TO %I', pair.aside, pair.name);
    END LOOP;

    FOR pair IN SELECT * FROM pairs WHERE made IS NOT NULL ORDER BY name LOOP
        EXECUTE format('ALTER ROLE %I WITH %s', pair.name, pair.attributes);
        EXECUTE format('COMMENT ON ROLE %I IS %L', pair.name, pair.description);
        EXECUTE format('ALTER ROLE %I RESET ALL', pair.name);
        FOREACH setting IN ARRAY coalesce(pair.settings, '{}') LOOP
            PERFORM set_config(split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1), true);
            EXECUTE format('ALTER ROLE %I SET %I FROM CURRENT', pair.name, split_part(setting, '=', 1));
        END LOOP;
        PERFORM set_config('search_path', 'pg_catalog', true);
    END LOOP;

    FOR pair IN
        SELECT
            pairs.name,
            roles.rolname AS of,
            roles.rolname = ANY (pairs.member_of) AS wanted
        FROM pairs
        JOIN pg_roles AS roles ON
            roles.rolname = ANY (pairs.member_of)
            OR EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = pairs.oid AND m.roleid = roles.oid)
        WHERE pairs.made IS NOT NULL
        ORDER BY pairs.name, roles.rolname
    LOOP
        EXECUTE format(
            CASE WHEN pair.wanted THEN 'GRANT %I TO %I' ELSE 'REVOKE %I FROM %I CASCADE' END, pair.of, pair.name
        );
    END LOOP;
END;
$takeover$;
