-- Operations that no trigger fires for: every minute what there is now is compared with what was seen last, and what
-- differs is recorded. Event triggers know nothing of what all databases share: roles with their memberships and
-- settings, and owner, rights and settings of databases, tablespaces and parameters. Nor of a new timeline, which a
-- failover or a restore begins. Who did it is not known: session_role is that of the job. What was undone before the
-- next look is not seen, and neither are changed passwords: no role may look at them that is not a superuser.
--
-- A restore is told from a failover by the reason that PostgreSQL wrote down for the timeline, where the restore had a
-- target; and by the name of the cluster, where it was into another stack.

-- During the first `up` the jobs run before what needs a superuser is there; from then on pipe.audit_coverage() tells.
CREATE OR REPLACE FUNCTION pipe.audit_may_ask(p_function text) RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (
        SELECT FROM pg_proc INNER JOIN pg_namespace ON pg_namespace.oid = pg_proc.pronamespace
        WHERE
            pg_namespace.nspname = 'pipe_audit'
            AND pg_proc.proname = p_function
            AND has_schema_privilege(pg_namespace.oid, 'USAGE')
            AND has_function_privilege(pg_proc.oid, 'EXECUTE')
    );
$function$;

COMMENT ON FUNCTION pipe.audit_may_ask(text)
IS 'Whether a function of the provisioner''s is there for the role that asks.';

CREATE OR REPLACE FUNCTION pipe.audit_look() RETURNS TABLE (subject text, object text, seen jsonb)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        'ROLE',
        role.rolname::text,
        jsonb_build_object(
            'login', role.rolcanlogin, 'superuser', role.rolsuper, 'createrole', role.rolcreaterole,
            'createdb', role.rolcreatedb, 'replication', role.rolreplication, 'bypassrls', role.rolbypassrls,
            'inherit', role.rolinherit, 'valid_until', role.rolvaliduntil,
            -- As GRANT is written; what it does without a word is left out.
            'member_of', ARRAY(
                SELECT
                    granted.roleid::regrole::text || coalesce(
                        ' WITH ' || nullif(concat_ws(
                            ', ',
                            CASE WHEN granted.admin_option THEN 'ADMIN TRUE' END,
                            CASE WHEN NOT granted.inherit_option THEN 'INHERIT FALSE' END,
                            CASE WHEN NOT granted.set_option THEN 'SET FALSE' END
                        ), ''),
                        ''
                    )
                FROM pg_auth_members AS granted
                WHERE granted.member = role.oid
                ORDER BY 1
            ),
            'settings', ARRAY(
                SELECT coalesce(base.datname || ': ', '') || array_to_string(setting.setconfig, ', ')
                FROM pg_db_role_setting AS setting LEFT JOIN pg_database AS base ON base.oid = setting.setdatabase
                WHERE setting.setrole = role.oid
                ORDER BY 1
            )
        )
    FROM pg_roles AS role
    WHERE role.rolname !~ '^pg_'
    UNION ALL
    -- ALTER ROLE ALL; no role can have this name.
    SELECT 'ROLE', 'public', jsonb_build_object('settings', setting.setconfig)
    FROM pg_db_role_setting AS setting
    WHERE setting.setrole = 0 AND setting.setdatabase = 0
    UNION ALL
    SELECT
        'DATABASE',
        base.datname::text,
        jsonb_build_object(
            'owner', base.datdba::regrole::text, 'acl', base.datacl::text[], 'is_template', base.datistemplate,
            'allow_connections', base.datallowconn, 'connection_limit', base.datconnlimit,
            'settings', coalesce(setting.setconfig, '{}')
        )
    FROM pg_database AS base LEFT JOIN pg_db_role_setting AS setting
        ON setting.setdatabase = base.oid AND setting.setrole = 0
    UNION ALL
    SELECT
        'TABLESPACE', space.spcname::text,
        jsonb_build_object('owner', space.spcowner::regrole::text, 'acl', space.spcacl::text[])
    FROM pg_tablespace AS space
    UNION ALL
    -- One for all, since at first there is none.
    SELECT 'PARAMETER', 'server', coalesce(jsonb_object_agg(parameter.parname, parameter.paracl::text[]), '{}')
    FROM pg_parameter_acl AS parameter
    UNION ALL
    SELECT 'TIMELINE', 'server', to_jsonb(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))
    UNION ALL
    SELECT 'CLUSTER', 'server', to_jsonb(current_setting('cluster_name'));
$function$;

COMMENT ON FUNCTION pipe.audit_look()
IS 'What pipe.audit_watch() compares: roles, databases, tablespaces, parameters, the timeline, the cluster''s name.';

CREATE OR REPLACE FUNCTION pipe.audit_watch() RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    recorded integer := 0;
    looked jsonb;
    change record;
BEGIN
    LOCK TABLE pipe.audit_seen IN SHARE ROW EXCLUSIVE MODE;
    -- One look for what is recorded and what is remembered: what changes between two would be remembered only.
    looked := (SELECT jsonb_agg(to_jsonb(look)) FROM pipe.audit_look() AS look);
    FOR change IN
            SELECT
                coalesce(look.subject, split_part(seen.subject, ' ', 1)) AS operation,
                coalesce(look.object, substr(seen.subject, strpos(seen.subject, ' ') + 1)) AS object,
                seen.seen AS before,
                look.seen AS after
            FROM jsonb_to_recordset(looked) AS look (subject text, object text, seen jsonb)
            FULL JOIN (
                SELECT * FROM pipe.audit_seen
                WHERE subject ~ '^(ROLE|DATABASE|TABLESPACE|PARAMETER|TIMELINE|CLUSTER) '
            ) AS seen
                ON seen.subject = look.subject || ' ' || look.object
            WHERE look.seen IS DISTINCT FROM seen.seen
    LOOP
        IF change.operation = 'TIMELINE' AND pipe.audit_may_ask('timeline') THEN
            change.after := pipe_audit.timeline();
            -- Who takes over goes to the end of the log; what else PostgreSQL says here is the target of a recovery.
            IF change.after ->> 'began' <> 'no recovery target specified' THEN
                change.operation := 'RESTORE';
            END IF;
        ELSIF change.operation = 'CLUSTER' THEN
            change.operation := 'RESTORE';
        END IF;
        -- The first look at all finds everything new, and so does the first one at something.
        IF change.before IS NOT NULL OR EXISTS (
            SELECT FROM pipe.audit_seen WHERE subject LIKE change.operation || ' %'
        ) THEN
            PERFORM pipe.audit_record(change.operation, NULL, change.object, NULL, NULL, change.before, change.after);
            recorded := recorded + 1;
        END IF;
    END LOOP;

    MERGE INTO pipe.audit_seen AS seen
        USING jsonb_to_recordset(looked) AS look (subject text, object text, seen jsonb)
            ON seen.subject = look.subject || ' ' || look.object
        WHEN MATCHED AND seen.seen IS DISTINCT FROM look.seen THEN UPDATE SET seen = look.seen, seen_at = now()
        WHEN NOT MATCHED THEN INSERT (subject, seen) VALUES (look.subject || ' ' || look.object, look.seen)
        WHEN NOT MATCHED BY SOURCE
            AND seen.subject ~ '^(ROLE|DATABASE|TABLESPACE|PARAMETER|TIMELINE|CLUSTER) ' THEN DELETE;
    RETURN recorded;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_watch()
IS 'Records what pipe.audit_look() shows otherwise than when it was called last; returns how many changes.';

REVOKE ALL ON FUNCTION pipe.audit_may_ask(text), pipe.audit_look(), pipe.audit_watch() FROM public;
