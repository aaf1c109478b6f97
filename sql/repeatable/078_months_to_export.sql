-- Archived months that may leave the database, by the policy of their table (settings data.*_export_after_months).
-- Leaving is a command (make export-months), since the files have to go to a place outside: here it is only told that
-- they are due.

CREATE OR REPLACE FUNCTION upkeep.months_to_export()
RETURNS TABLE (parent name, month date)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT policy.parent, archived.month
    FROM pipe.partition_policy() AS policy
    INNER JOIN pg_class AS parent
        ON parent.relname = policy.parent AND parent.relnamespace = 'archive'::regnamespace
    INNER JOIN pg_inherits AS link ON link.inhparent = parent.oid
    INNER JOIN pg_class AS child ON child.oid = link.inhrelid AND child.relname ~ '_y[0-9]{4}m[0-9]{2}$'
    CROSS JOIN LATERAL (SELECT to_date(right(child.relname, 8), '"y"YYYY"m"MM') AS month) AS archived
    WHERE archived.month < pipe.current_month() - make_interval(months => policy.export_after_months)
    ORDER BY archived.month, policy.parent;
$function$;

COMMENT ON FUNCTION upkeep.months_to_export() IS 'Archived months older than their table keeps in the database.';

REVOKE ALL ON FUNCTION upkeep.months_to_export() FROM public;
