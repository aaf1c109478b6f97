-- How each table is stored and when autovacuum visits it, by how it is written. This file is the whole list: what
-- somebody sets by hand on one of these tables is taken back by the job pipe_storage.
--
-- A partitioned table takes no such parameters, its months do: new ones get them within a day, six months before their
-- first row. ALTER TABLE ... SET holds up neither readers nor writers.

CREATE OR REPLACE FUNCTION upkeep.storage_policy()
RETURNS TABLE (table_name name, parameters text[])
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    VALUES
    -- Every use of a key moves last_used_at, which no index holds: with room on its page the update stays there (HOT)
    -- and touches no index. Dead rows of a small, hot table go early.
    (
        'api_keys'::name,
        ARRAY['fillfactor=80', 'autovacuum_vacuum_scale_factor=0.02', 'autovacuum_analyze_scale_factor=0.05']
    ),
    -- Edited now and then, in columns without an index; the rows are wide.
    ('pipelines'::name, ARRAY['fillfactor=90', 'autovacuum_vacuum_scale_factor=0.05']),
    -- A run is inserted and updated twice or so, in status, which is indexed: room on the page would not help, early
    -- vacuums do. New rows change what a plan should be, so statistics follow closely.
    (
        'pipeline_runs'::name,
        ARRAY[
            'autovacuum_vacuum_scale_factor=0.05', 'autovacuum_vacuum_insert_scale_factor=0.05',
            'autovacuum_analyze_scale_factor=0.02'
        ]
    ),
    -- Never updated: what a vacuum sees it may freeze at once, so that no later one has to come back for it.
    (
        'audit_logs'::name,
        ARRAY['autovacuum_freeze_min_age=0', 'autovacuum_vacuum_insert_scale_factor=0.05']
    );
$function$;

COMMENT ON FUNCTION upkeep.storage_policy()
IS 'Storage parameters by table; those of a partitioned table are for its months.';

CREATE OR REPLACE FUNCTION upkeep.apply_storage() RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $function$
DECLARE
    due record;
    changed integer := 0;
BEGIN
    FOR due IN
        SELECT stored.oid::regclass AS name, policy.parameters, stored.reloptions
        FROM upkeep.storage_policy() AS policy
        INNER JOIN pg_class AS named
            ON named.relname = policy.table_name AND named.relnamespace = 'pipe'::regnamespace
        LEFT JOIN pg_inherits AS link ON link.inhparent = named.oid
        INNER JOIN pg_class AS stored ON stored.oid = coalesce(link.inhrelid, named.oid) AND stored.relkind = 'r'
        WHERE
            NOT (
                coalesce(stored.reloptions, '{}') @> policy.parameters
                AND policy.parameters @> coalesce(stored.reloptions, '{}')
            )
        ORDER BY stored.relname
    LOOP
        BEGIN
            IF due.reloptions IS NOT NULL THEN
                EXECUTE format(
                    'ALTER TABLE %s RESET (%s)', due.name,
                    (SELECT string_agg(split_part(entry, '=', 1), ', ') FROM unnest(due.reloptions) AS entry)
                );
            END IF;
            EXECUTE format('ALTER TABLE %s SET (%s)', due.name, array_to_string(due.parameters, ', '));
            changed := changed + 1;
        EXCEPTION WHEN lock_not_available THEN
            -- A vacuum or a detach is at it; the job comes again tomorrow.
            CONTINUE;
        END;
    END LOOP;
    RETURN changed;
END;
$function$;

COMMENT ON FUNCTION upkeep.apply_storage()
IS 'Sets the parameters of upkeep.storage_policy(); returns how many tables changed.';

REVOKE ALL ON FUNCTION upkeep.storage_policy(), upkeep.apply_storage() FROM public;

SELECT upkeep.apply_storage();
