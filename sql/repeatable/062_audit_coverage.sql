-- What ought to be audited and is not: empty when all is well. For the tests and for "make status".

CREATE OR REPLACE FUNCTION pipe.audit_coverage() RETURNS TABLE (table_name text, problem text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH tables AS (
        SELECT oid, relname FROM pg_class WHERE relnamespace = 'pipe'::regnamespace AND relkind IN ('r', 'p')
    ),

    wanted (oid, relname, trigger_name) AS (
        SELECT tables.oid, tables.relname, names.name
        FROM tables
        CROSS JOIN unnest('{audit_insert,audit_update,audit_delete,audit_truncate}'::name[]) AS names (name)
        -- Months that are on their way to the archive have no triggers any more, and nobody can write there.
        WHERE
            regexp_replace(tables.relname, '_y[0-9]{4}m[0-9]{2}$', '') <> ALL (pipe.audit_exempt())
            AND NOT EXISTS (
                SELECT FROM pipe.partition_status() AS status
                WHERE status.partition = tables.relname AND NOT status.attached
            )
        UNION ALL
        SELECT tables.oid, tables.relname, names.name
        FROM tables
        CROSS JOIN unnest('{append_only,append_only_truncate}'::name[]) AS names (name)
        WHERE
            regexp_replace(tables.relname, '_y[0-9]{4}m[0-9]{2}$', '') = any(pipe.audit_exempt())
            AND tables.relname <> 'audit_seen'
            AND NOT EXISTS (
                SELECT FROM pipe.partition_status() AS status
                WHERE status.partition = tables.relname AND NOT status.attached
            )
    )

    SELECT
        wanted.relname::text,
        CASE
            WHEN pg_trigger.oid IS NULL THEN format('trigger %s is missing', wanted.trigger_name)
            ELSE format('trigger %s is disabled', wanted.trigger_name)
        END
    FROM wanted
    LEFT JOIN pg_trigger ON pg_trigger.tgrelid = wanted.oid AND pg_trigger.tgname = wanted.trigger_name
    WHERE pg_trigger.tgenabled IS NULL OR pg_trigger.tgenabled NOT IN ('O', 'A')
    UNION ALL
    SELECT NULL, format('event trigger %s is missing or disabled', names.name)
    FROM unnest('{pipe_audit_ddl,pipe_audit_drop}'::name[]) AS names (name)
    WHERE NOT EXISTS (
        SELECT FROM pg_event_trigger WHERE evtname = names.name AND evtenabled IN ('O', 'A')
    )
    UNION ALL
    SELECT NULL, format('function pipe_audit.%s is missing', names.name)
    FROM unnest('{failed_logins,repository,timeline}'::name[]) AS names (name)
    WHERE NOT EXISTS (
        SELECT FROM pg_proc INNER JOIN pg_namespace ON pg_namespace.oid = pg_proc.pronamespace
        WHERE pg_namespace.nspname = 'pipe_audit' AND pg_proc.proname = names.name
    );
$function$;

COMMENT ON FUNCTION pipe.audit_coverage()
IS 'Tables and kinds of operations that are not audited as they should be; nothing when all is well.';

REVOKE ALL ON FUNCTION pipe.audit_coverage() FROM public;
GRANT EXECUTE ON FUNCTION pipe.audit_coverage() TO pipe_monitor, pipe_auditor;
