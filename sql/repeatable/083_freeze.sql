-- Months that are past hardly ever change: frozen once, and once more when they are archived, from when on they do not
-- change at all, they need no vacuum against wraparound at a bad moment, and index-only scans need not visit them.
--
-- VACUUM must be a statement of its own: no function and no transaction may hold it. So the nightly job calls a
-- function that only plans: it schedules a one-shot pg_cron job whose command is the single statement. The one-shot's
-- schedule names minute, hour, day and month, so it runs once; the next night replaces or removes it. A night that is
-- missed is made up for in the next, since what is due is read from the catalog and the statistics.
--
-- These functions run as pipe_migrator, since pg_cron runs a job as the role that scheduled it.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.run_once(p_job text, p_command text) RETURNS text
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    once CONSTANT text := 'pipe_once_' || p_job;
    soon CONSTANT text := to_char(
        (clock_timestamp() + interval '2 minutes') AT TIME ZONE 'UTC', 'FMMI FMHH24 FMDD FMMM'
    ) || ' *';
BEGIN
    IF pipe.job_is_busy(once) THEN
        RETURN format('nothing planned: %s still runs', once);
    ELSIF p_command IS NULL THEN
        PERFORM cron.unschedule(job.jobname) FROM cron.job WHERE job.jobname = once;
        RETURN 'nothing to do';
    END IF;
    PERFORM cron.schedule(once, soon, p_command);
    RETURN format('planned: %s', p_command);
END;
$function$;

COMMENT ON FUNCTION upkeep.run_once(text, text)
IS 'Has pg_cron run one statement once, in a minute or two, as job pipe_once_<name>; null: takes that job away.';

CREATE OR REPLACE FUNCTION upkeep.months_to_freeze()
RETURNS TABLE (month_table regclass)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Three days after its end a month is at rest. last_vacuum is of VACUUM by command alone, never of autovacuum; a
    -- crash forgets it, and another VACUUM of what is frozen only reads its visibility map.
    --
    -- Archiving a month, as whatever else alters it, writes its row in pg_class anew; VACUUM writes into that row. So
    -- one whose relfrozenxid is older than the row was not frozen since. An age below zero is of a row so old that its
    -- number has come round.
    SELECT month.oid::regclass
    FROM pipe.partition_policy() AS policy
    INNER JOIN pg_class AS parent
        ON parent.relname = policy.parent
        AND parent.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
    INNER JOIN pg_inherits AS link ON link.inhparent = parent.oid AND NOT link.inhdetachpending
    INNER JOIN pg_class AS month ON month.oid = link.inhrelid
    CROSS JOIN LATERAL (
        SELECT
            (to_date(right(month.relname, 8), '"y"YYYY"m"MM') + interval '1 month 3 days') AT TIME ZONE 'UTC' AS since
    ) AS at_rest
    WHERE
        month.relname ~ '_y[0-9]{4}m[0-9]{2}$'
        AND at_rest.since < CURRENT_TIMESTAMP
        AND (
            coalesce(pg_stat_get_last_vacuum_time(month.oid), '-infinity') < at_rest.since
            OR age(month.xmin) BETWEEN 0 AND age(month.relfrozenxid) - 1
        )
    ORDER BY at_rest.since, month.relname;
$function$;

COMMENT ON FUNCTION upkeep.months_to_freeze()
IS 'Months that are past and were not frozen since, or not since they were archived; the oldest first.';

CREATE OR REPLACE FUNCTION upkeep.plan_freeze() RETURNS text
LANGUAGE sql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A year of both tables at most, so that a night is enough.
    SELECT upkeep.run_once(
        'freeze', 'VACUUM (FREEZE, ANALYZE, SKIP_LOCKED) ' || string_agg(due.month_table::text, ', ')
    )
    FROM (SELECT * FROM upkeep.months_to_freeze() LIMIT 24) AS due;
$function$;

COMMENT ON FUNCTION upkeep.plan_freeze()
IS 'Plans the freezing of past months, and says what it planned. As pipe_migrator.';

REVOKE ALL ON FUNCTION upkeep.run_once(text, text), upkeep.months_to_freeze(), upkeep.plan_freeze() FROM public;

SET LOCAL ROLE pipe_owner;
