-- Drills as the database sees them: it marks a place in its WAL, says what it holds just there, and keeps the result.
-- Who drills may do no more than this (pipe_drill). What it restored is compared by upkeep.row_counts() on that side.
--
-- These belong to the role that may make restore points.

CREATE OR REPLACE FUNCTION upkeep.row_counts_query() RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'SELECT jsonb_object_agg(counted.name, counted.rows) FROM (VALUES '
        || string_agg(
            format('(%L, (SELECT count(*) FROM %s))', pg_class.oid::regclass, pg_class.oid::regclass),
            ', ' ORDER BY pg_class.oid
        )
        || ') AS counted (name, rows)'
    FROM pg_class
    WHERE
        pg_class.relnamespace IN (
            'pipe'::regnamespace, 'archive'::regnamespace, 'upkeep'::regnamespace, 'migrations'::regnamespace
        )
        AND pg_class.relkind IN ('r', 'p')
        -- Months are counted with their tables.
        AND NOT pg_class.relispartition;
$function$;

COMMENT ON FUNCTION upkeep.row_counts_query() IS 'A query that counts the rows of every table, in one snapshot.';

CREATE OR REPLACE FUNCTION upkeep.row_counts() RETURNS jsonb
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    counts jsonb;
BEGIN
    EXECUTE upkeep.row_counts_query() INTO counts;
    RETURN counts;
END;
$function$;

COMMENT ON FUNCTION upkeep.row_counts() IS 'How many rows each table has, by its name.';

-- A snapshot and a place in the WAL show the same transactions only where none is between its commit record and its
-- end. So: nobody has a transaction id while the point is made, and nobody's ended since the snapshot was taken.
CREATE OR REPLACE FUNCTION upkeep.mark_quiet_moment(p_name text, p_snapshot pg_snapshot) RETURNS pg_lsn
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    place pg_lsn;
BEGIN
    -- Only writers have an id, and hold a lock on it until all can see what they wrote.
    IF EXISTS (SELECT FROM pg_locks WHERE pg_locks.locktype = 'transactionid') THEN
        RETURN NULL;
    END IF;
    place := pg_create_restore_point(p_name);
    IF EXISTS (SELECT FROM pg_locks WHERE pg_locks.locktype = 'transactionid')
        OR pg_current_snapshot()::text <> p_snapshot::text
    THEN
        RETURN NULL;
    END IF;
    RETURN place;
END;
$function$;

COMMENT ON FUNCTION upkeep.mark_quiet_moment(text, pg_snapshot)
IS 'Makes a restore point and returns where it is, if it has just the transactions of the snapshot; null otherwise.';

REVOKE ALL ON FUNCTION
upkeep.row_counts_query(), upkeep.row_counts(), upkeep.mark_quiet_moment(text, pg_snapshot)
FROM public;

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.begin_drill()
RETURNS TABLE (
    number bigint, restore_point text, last_segment text, marked_at timestamp with time zone, row_counts jsonb
)
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    place pg_lsn;
    tries integer := 0;
BEGIN
    LOOP
        tries := tries + 1;
        restore_point := format('pipe_drill_%s_%s', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS'), tries);
        marked_at := clock_timestamp();
        -- The subquery that counts runs only where the moment was quiet, and sees what was then.
        EXECUTE format(
            'SELECT quiet.place, CASE WHEN quiet.place IS NOT NULL THEN (%s) END '
            'FROM (SELECT upkeep.mark_quiet_moment($1, pg_current_snapshot()) AS place OFFSET 0) AS quiet',
            upkeep.row_counts_query()
        ) INTO place, row_counts USING restore_point;
        EXIT WHEN place IS NOT NULL OR tries = 600;
        PERFORM pg_sleep(0.05);
    END LOOP;
    IF place IS NULL THEN
        -- Somebody always writes: it is restored all the same, and the rows are not compared.
        marked_at := clock_timestamp();
        place := pg_create_restore_point(restore_point);
    END IF;
    -- The segment with the point is archived now, not when it is full.
    last_segment := pg_walfile_name(place);
    PERFORM pg_switch_wal();
    INSERT INTO upkeep.drills AS drill (restore_point, lsn) VALUES (begin_drill.restore_point, place)
    RETURNING drill.number INTO number;
    RETURN NEXT;
END;
$function$;

COMMENT ON FUNCTION upkeep.begin_drill()
IS 'Marks a restore point for a drill; returns it, its WAL segment, and the rows of each table there.';

CREATE OR REPLACE FUNCTION upkeep.end_drill(p_number bigint, p_result jsonb) RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    ended bigint := p_number;
BEGIN
    IF ended IS NULL THEN
        INSERT INTO upkeep.drills AS drill DEFAULT VALUES RETURNING drill.number INTO ended;
    END IF;
    UPDATE upkeep.drills
    SET
        ended_at = CURRENT_TIMESTAMP,
        backup = p_result ->> 'backup',
        bytes = (p_result ->> 'bytes')::bigint,
        recovery_seconds = (p_result ->> 'recovery_seconds')::double precision,
        recovery_point = (p_result ->> 'recovery_point')::timestamp with time zone,
        compared_rows = (p_result ->> 'compared_rows')::bigint,
        problems = ARRAY(SELECT jsonb_array_elements_text(p_result -> 'problems'))
    WHERE number = ended AND ended_at IS NULL;
END;
$function$;

COMMENT ON FUNCTION upkeep.end_drill(bigint, jsonb)
IS 'Records what a drill found; null as its number: one that could not begin here.';

-- For monitoring. Drills of another stack, from whose backup this one was made, say nothing of its own backups. A stack
-- is as old as the first of its jobs, and no older than its name: before that there was nothing to drill.
CREATE OR REPLACE FUNCTION upkeep.last_drill()
RETURNS TABLE (
    ended_at timestamp with time zone,
    passed boolean,
    passed_at timestamp with time zone,
    stale boolean,
    backup text,
    bytes bigint,
    recovery_seconds double precision,
    recovery_point timestamp with time zone,
    problems text[]
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH own AS (
        SELECT * FROM upkeep.drills
        WHERE drills.ended_at IS NOT NULL AND drills.stack = current_setting('cluster_name')
    )

    SELECT
        drill.ended_at,
        cardinality(drill.problems) = 0,
        passed.at,
        coalesce(
            coalesce(passed.at, greatest((SELECT min(since) FROM upkeep.jobs), named.since))
            < CURRENT_TIMESTAMP - make_interval(days => (SELECT max_age_days FROM upkeep.drill_policy())),
            false
        ),
        drill.backup,
        drill.bytes,
        drill.recovery_seconds,
        drill.recovery_point,
        drill.problems
    FROM (SELECT max(own.ended_at) AS at FROM own WHERE cardinality(own.problems) = 0) AS passed
    LEFT JOIN LATERAL (SELECT * FROM own ORDER BY own.ended_at DESC LIMIT 1) AS drill ON true
    LEFT JOIN LATERAL (
        SELECT
            CASE
                WHEN audit_seen.seen = to_jsonb(current_setting('cluster_name')) THEN audit_seen.seen_at
                -- The job that looks each minute has not come yet.
                ELSE CURRENT_TIMESTAMP
            END AS since
        FROM pipe.audit_seen
        WHERE audit_seen.subject = 'CLUSTER server'
    ) AS named ON true;
$function$;

COMMENT ON FUNCTION upkeep.last_drill()
IS 'The last drill of this stack''s backups, when one passed, and whether that is too long ago.';

REVOKE ALL ON FUNCTION upkeep.begin_drill(), upkeep.end_drill(bigint, jsonb), upkeep.last_drill() FROM public;
GRANT EXECUTE ON FUNCTION upkeep.begin_drill(), upkeep.end_drill(bigint, jsonb) TO pipe_drill;
GRANT EXECUTE ON FUNCTION upkeep.last_drill() TO pipe_monitor;

SET LOCAL ROLE pipe_owner;
