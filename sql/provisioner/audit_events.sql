-- What only a superuser can set up for the audit: event triggers, which record DDL and GRANT. Applied by the
-- provisioner after the schema, again whenever this file changes.
--
-- An event trigger runs for everybody, superusers too. So nothing that the owner of the schema could replace may run
-- with the rights of whoever changes something: the functions belong to pipe_recorder, who cannot log in and may do
-- nothing but add a record, and lie in a schema of the provisioner's.

CREATE SCHEMA IF NOT EXISTS pipe_audit;

COMMENT ON SCHEMA pipe_audit IS 'The audit''s functions that must not be the owner''s.';

-- Of the statement itself only a lone GRANT or REVOKE is kept, whose object PostgreSQL does not name otherwise:
-- other statements can hold passwords.
CREATE OR REPLACE FUNCTION pipe_audit.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    objects jsonb;
BEGIN
    SELECT jsonb_agg(DISTINCT coalesce(command.object_identity, lower(command.object_type))) INTO objects
    FROM pg_event_trigger_ddl_commands() AS command
    WHERE command.schema_name IS DISTINCT FROM 'pg_temp' AND command.command_tag <> 'REINDEX';
    IF objects IS NOT NULL AND to_regprocedure('pipe.audit_event(text, text, jsonb)') IS NOT NULL THEN
        PERFORM pipe.audit_event('DDL', objects ->> 0, jsonb_build_object('command', TG_TAG, 'objects', objects) || CASE
            WHEN current_query() ~* '^\s*(grant|revoke)\s[^;]*;?\s*$'
                THEN jsonb_build_object('statement', left(current_query(), 1000))
            ELSE '{}'
        END);
    END IF;
EXCEPTION
    -- Without a month for now nothing can be recorded, and refusing would keep that month from being made.
    WHEN check_violation THEN
        RAISE WARNING 'pipe audit: % is not recorded: %', TG_TAG, SQLERRM;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.on_ddl() IS 'Event trigger function: records what was made, changed or granted.';

CREATE OR REPLACE FUNCTION pipe_audit.on_drop() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    objects jsonb;
BEGIN
    SELECT jsonb_agg(DISTINCT dropped.object_identity) INTO objects
    FROM pg_event_trigger_dropped_objects() AS dropped
    WHERE dropped.original AND NOT dropped.is_temporary AND TG_TAG <> 'REINDEX';
    IF objects IS NOT NULL AND to_regprocedure('pipe.audit_event(text, text, jsonb)') IS NOT NULL THEN
        PERFORM pipe.audit_event('DROP', objects ->> 0, jsonb_build_object('command', TG_TAG, 'objects', objects));
    END IF;
EXCEPTION
    -- Without a month for now nothing can be recorded, and refusing would keep that month from being made.
    WHEN check_violation THEN
        RAISE WARNING 'pipe audit: % is not recorded: %', TG_TAG, SQLERRM;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.on_drop() IS 'Event trigger function: records what was dropped.';

REVOKE ALL ON FUNCTION pipe_audit.on_ddl(), pipe_audit.on_drop() FROM public;
ALTER FUNCTION pipe_audit.on_ddl() OWNER TO pipe_recorder;
ALTER FUNCTION pipe_audit.on_drop() OWNER TO pipe_recorder;

DO $block$
BEGIN
    DROP EVENT TRIGGER IF EXISTS pipe_audit_ddl;
    CREATE EVENT TRIGGER pipe_audit_ddl ON ddl_command_end EXECUTE FUNCTION pipe_audit.on_ddl();
    DROP EVENT TRIGGER IF EXISTS pipe_audit_drop;
    CREATE EVENT TRIGGER pipe_audit_drop ON sql_drop EXECUTE FUNCTION pipe_audit.on_drop();
END;
$block$;
