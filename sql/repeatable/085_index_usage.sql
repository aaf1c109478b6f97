-- Which indexes are used, over a longer time than PostgreSQL's counters live: a crash or a failover sets those back.
--
-- Counted on the primary. A replica counts its own scans; whoever drops an index looks there first.

CREATE OR REPLACE FUNCTION upkeep.indexes_seen()
RETURNS TABLE (schema_name name, index_name name, last_used_at timestamp with time zone)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The index of a partitioned table is used when that of any month is.
    SELECT pg_namespace.nspname, root.relname, max(pg_stat_get_lastscan(leaf.oid))
    FROM pg_index
    INNER JOIN pg_class AS leaf ON leaf.oid = pg_index.indexrelid AND leaf.relkind = 'i'
    INNER JOIN pg_class AS root ON root.oid = coalesce(pg_partition_root(leaf.oid), leaf.oid)
    INNER JOIN pg_namespace ON pg_namespace.oid = root.relnamespace
    WHERE pg_namespace.nspname IN ('pipe', 'archive')
    GROUP BY pg_namespace.nspname, root.relname;
$function$;

COMMENT ON FUNCTION upkeep.indexes_seen()
IS 'The indexes of the tables, each with its last use as the counters have it.';

CREATE OR REPLACE FUNCTION upkeep.observe_indexes() RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    observed integer;
BEGIN
    DELETE FROM upkeep.index_usage AS known
    WHERE NOT EXISTS (
        SELECT FROM upkeep.indexes_seen() AS seen
        WHERE (seen.schema_name, seen.index_name) = (known.schema_name, known.index_name)
    );
    INSERT INTO upkeep.index_usage AS known (schema_name, index_name, last_used_at)
    SELECT seen.schema_name, seen.index_name, seen.last_used_at FROM upkeep.indexes_seen() AS seen
    ON CONFLICT (schema_name, index_name) DO UPDATE
    SET last_used_at = greatest(known.last_used_at, excluded.last_used_at);
    GET DIAGNOSTICS observed = ROW_COUNT;
    RETURN observed;
END;
$function$;

COMMENT ON FUNCTION upkeep.observe_indexes() IS 'Takes note of the use of indexes; returns how many there are.';

REVOKE ALL ON FUNCTION upkeep.indexes_seen(), upkeep.observe_indexes() FROM public;

SELECT upkeep.observe_indexes();
