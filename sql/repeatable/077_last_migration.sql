-- The last migration, and where the database stood just before it: the target of a point-in-time recovery should it
-- have been a bad one. For "make status", whose role cannot read schema migrations.

-- What a function returns cannot be changed in place.
DROP FUNCTION IF EXISTS upkeep.last_migration();

CREATE FUNCTION upkeep.last_migration()
RETURNS TABLE (
    version text, name text, applied_at timestamp with time zone, restore_point text, lsn pg_lsn,
    state text, statements_done integer
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT
        history.version, history.name, history.applied_at,
        to_jsonb(history) ->> 'restore_point', (to_jsonb(history) ->> 'lsn')::pg_lsn,
        coalesce(to_jsonb(history) ->> 'state', 'applied'), (to_jsonb(history) ->> 'statements_done')::integer
    FROM migrations.history
    -- One of which nothing was done may have been given up.
    WHERE to_jsonb(history) ->> 'statements_done' IS DISTINCT FROM '0'
    ORDER BY history.applied_at DESC
    LIMIT 1;
END;
$function$;

COMMENT ON FUNCTION upkeep.last_migration() IS 'The last migration, and the restore point and LSN just before it.';

REVOKE ALL ON FUNCTION upkeep.last_migration() FROM public;
GRANT EXECUTE ON FUNCTION upkeep.last_migration() TO pipe_monitor;
