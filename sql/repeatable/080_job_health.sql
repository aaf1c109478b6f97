-- What became of the jobs: each with its last run, and whether somebody should act.
--
-- pg_cron shows a role only its own jobs (row security on current_user). So what looks at them belongs to the role that
-- the jobs run as, not to the owner of everything else, and runs as it.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.expected_interval(p_schedule text) RETURNS interval
LANGUAGE sql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The coarsest field that is not "*" decides; a list or a range counts as one time, which errs on the long side.
    SELECT CASE
        WHEN p_schedule ~ '^[0-9]+ seconds?$' THEN p_schedule::interval
        WHEN field[4] <> '*' THEN interval '366 days'
        WHEN field[3] <> '*' THEN interval '31 days'
        WHEN field[5] <> '*' THEN interval '7 days'
        WHEN field[2] ~ '^[*]/[0-9]+$' THEN make_interval(hours => substr(field[2], 3)::integer)
        WHEN field[2] <> '*' THEN interval '1 day'
        WHEN field[1] ~ '^[*]/[0-9]+$' THEN make_interval(mins => substr(field[1], 3)::integer)
        WHEN field[1] <> '*' THEN interval '1 hour'
        ELSE interval '1 minute'
    END
    FROM regexp_split_to_array(btrim(p_schedule), '\s+') AS field;
$function$;

COMMENT ON FUNCTION upkeep.expected_interval(text)
IS 'Longest time between two runs of a schedule of pg_cron, as far as it tells without a calendar.';

CREATE OR REPLACE FUNCTION upkeep.planned_minute(p_schedule text, p_now timestamp with time zone)
RETURNS timestamp with time zone
LANGUAGE sql
IMMUTABLE
STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A schedule names no year: it is that of the last such minute, or of one to come within the day. Days are counted
    -- from the first of the month, since not every year has a 29 February.
    SELECT max(minute.at)
    FROM regexp_match(p_schedule, '^([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+) [*]$') AS field
    CROSS JOIN generate_series(-1, 1) AS years (ahead)
    CROSS JOIN LATERAL (
        SELECT (
            make_date(extract(YEAR FROM p_now AT TIME ZONE 'UTC')::integer + years.ahead, field[4]::integer, 1)
            + make_interval(days => field[3]::integer - 1, hours => field[2]::integer, mins => field[1]::integer)
        ) AT TIME ZONE 'UTC' AS at
    ) AS minute
    WHERE minute.at < p_now + interval '1 day';
$function$;

COMMENT ON FUNCTION upkeep.planned_minute(text, timestamp with time zone)
IS 'The minute in which a one-shot job was to run that upkeep.run_once() planned; null: a schedule of another kind.';

CREATE OR REPLACE FUNCTION upkeep.job_health()
RETURNS TABLE (
    job_name text,
    schedule text,
    one_shot boolean,
    last_start timestamp with time zone,
    last_duration interval,
    last_status text,
    last_message text,
    state text
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH last_start AS (
        SELECT run.jobid, max(run.start_time) AS at FROM cron.job_run_details AS run GROUP BY run.jobid
    ),

    last_end AS (
        SELECT DISTINCT ON (run.jobid) run.jobid, run.status, run.return_message, run.start_time, run.end_time
        FROM cron.job_run_details AS run
        WHERE run.status IN ('succeeded', 'failed')
        ORDER BY run.jobid, run.runid DESC
    )

    SELECT
        coalesce(declared.job_name, scheduled.jobname),
        coalesce(declared.schedule, scheduled.schedule),
        declared.job_name IS NULL,
        last_start.at,
        last_end.end_time - last_end.start_time,
        last_end.status,
        last_end.return_message,
        CASE
            WHEN
                declared.job_name IS NOT NULL
                AND (declared.schedule, declared.command, true)
                IS DISTINCT FROM (scheduled.schedule, scheduled.command, scheduled.active)
                THEN 'not scheduled'
            WHEN last_end.status = 'failed' THEN 'failed'
            -- A tenth late is no news: five jobs run at a time, and a minute passes before pg_cron looks again.
            WHEN
                CURRENT_TIMESTAMP > greatest(declared.since, last_start.at)
                + due.every + greatest(due.every / 10, interval '2 minutes')
                THEN 'late'
            -- A one-shot waits for others that run, not for long.
            WHEN
                declared.job_name IS NULL
                AND CURRENT_TIMESTAMP > planned.minute + interval '1 hour'
                AND coalesce(last_start.at < planned.minute, true)
                THEN 'late'
            ELSE 'ok'
        END
    FROM upkeep.jobs AS declared
    FULL JOIN (SELECT * FROM cron.job WHERE cron.job.jobname LIKE 'pipe\_%') AS scheduled
        ON scheduled.jobname = declared.job_name
    LEFT JOIN last_start ON last_start.jobid = scheduled.jobid
    LEFT JOIN last_end ON last_end.jobid = scheduled.jobid
    -- A one-shot job is due when whoever made it says so: in one minute, or as soon as may be.
    CROSS JOIN LATERAL (SELECT upkeep.expected_interval(declared.schedule) AS every) AS due
    CROSS JOIN LATERAL (SELECT upkeep.planned_minute(scheduled.schedule, CURRENT_TIMESTAMP) AS minute) AS planned
    ORDER BY 1;
$function$;

COMMENT ON FUNCTION upkeep.job_health()
IS 'The jobs, each with its last run and a state: ok, failed, late (none started when one was due), not scheduled.';

REVOKE ALL ON FUNCTION
upkeep.expected_interval(text),
upkeep.planned_minute(text, timestamp with time zone),
upkeep.job_health()
FROM public;
GRANT EXECUTE ON FUNCTION upkeep.job_health() TO pipe_monitor;

SET LOCAL ROLE pipe_owner;
