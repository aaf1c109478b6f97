-- What a migration's own session sees: after each statement of DDL, the locks on tables that it holds by then. Only on the
-- copy, so that a lock which is too short for a sample is seen as well.

CREATE SCHEMA rehearsal;

CREATE TABLE rehearsal.locks (table_name text NOT NULL, mode text NOT NULL);

CREATE FUNCTION rehearsal.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO rehearsal.locks (table_name, mode)
    SELECT relation.oid::regclass::text, held.mode
    FROM pg_locks AS held
    INNER JOIN pg_class AS relation ON relation.oid = held.relation
    WHERE
        held.pid = pg_backend_pid()
        AND held.granted
        AND relation.relkind IN ('r', 'p', 'm')
        AND relation.relnamespace NOT IN ('pg_catalog'::regnamespace, 'rehearsal'::regnamespace);
END;
$function$;

CREATE EVENT TRIGGER rehearsal_ddl ON ddl_command_end EXECUTE FUNCTION rehearsal.on_ddl();

GRANT USAGE ON SCHEMA rehearsal TO pipe_migrator;
GRANT SELECT, DELETE ON rehearsal.locks TO pipe_migrator;
