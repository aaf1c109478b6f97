-- The roles of the cluster that PostgreSQL does not bring along, what they are able to, and whom they belong to.

SELECT
    role.rolname::text AS name,
    role.oid = 10 AS is_bootstrap,
    array_remove(
        ARRAY[
            CASE WHEN role.rolcanlogin THEN 'LOGIN' END,
            CASE WHEN role.rolsuper THEN 'SUPERUSER' END,
            CASE WHEN role.rolcreatedb THEN 'CREATEDB' END,
            CASE WHEN role.rolcreaterole THEN 'CREATEROLE' END,
            CASE WHEN role.rolreplication THEN 'REPLICATION' END,
            CASE WHEN role.rolbypassrls THEN 'BYPASSRLS' END,
            CASE WHEN NOT role.rolinherit THEN 'NOINHERIT' END
        ],
        NULL
    ) AS attributes,
    ARRAY(
        SELECT
            pg_get_userbyid(membership.roleid)
            || CASE WHEN membership.inherit_option THEN '' ELSE ' WITHOUT INHERIT' END
            || CASE WHEN membership.set_option THEN '' ELSE ' WITHOUT SET' END
            || CASE WHEN membership.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END
        FROM pg_auth_members AS membership
        WHERE membership.member = role.oid
        UNION
        -- Whoever owns the database is in this role, whatever is granted.
        SELECT 'pg_database_owner'
        FROM pg_database
        WHERE pg_database.datname = current_database() AND pg_database.datdba = role.oid
    ) AS member_of
FROM pg_roles AS role
WHERE role.rolname !~ '^pg_';
