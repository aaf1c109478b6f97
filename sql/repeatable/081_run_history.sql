-- Runs of jobs are kept longer than pg_cron keeps them, and pg_cron's own history is kept short.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.record_runs() RETURNS text
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    recorded bigint;
    forgotten bigint;
BEGIN
    -- A job that is gone was a one-shot; one that runs every minute is worth a line only when it failed.
    INSERT INTO upkeep.runs (run_id, job_name, command, started_at, ended_at, status, message)
    SELECT
        run.runid,
        coalesce(cron_job.jobname, 'one-shot'),
        run.command,
        coalesce(run.start_time, run.end_time, CURRENT_TIMESTAMP),
        coalesce(run.end_time, run.start_time, CURRENT_TIMESTAMP),
        run.status,
        run.return_message
    FROM cron.job_run_details AS run
    LEFT JOIN cron.job AS cron_job ON cron_job.jobid = run.jobid
    WHERE
        run.status = 'failed'
        OR (
            run.status = 'succeeded'
            AND coalesce(upkeep.expected_interval(cron_job.schedule) >= interval '1 hour', true)
        )
    ON CONFLICT (run_id) DO NOTHING;
    GET DIAGNOSTICS recorded = ROW_COUNT;

    -- Of a run that failed before it started pg_cron knows no time: then that counts at which it was recorded here.
    DELETE FROM cron.job_run_details AS run
    WHERE
        coalesce(
            run.start_time, run.end_time, (SELECT runs.started_at FROM upkeep.runs WHERE runs.run_id = run.runid)
        ) < CURRENT_TIMESTAMP - interval '14 days';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    DELETE FROM upkeep.runs WHERE started_at < CURRENT_TIMESTAMP - interval '100 days';
    RETURN format('%s recorded, %s forgotten by pg_cron', recorded, forgotten);
END;
$function$;

COMMENT ON FUNCTION upkeep.record_runs()
IS 'Copies ended runs to upkeep.runs, where they stay for 100 days; pg_cron forgets them after 14. As pipe_migrator.';

REVOKE ALL ON FUNCTION upkeep.record_runs() FROM public;

SET LOCAL ROLE pipe_owner;
