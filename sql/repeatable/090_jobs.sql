-- The jobs of pg_cron: this file is the whole list. Times are UTC; jobs run on the primary, so after a failover they
-- go on at the new one by themselves.
--
-- pg_cron runs a job as the role that scheduled it, and that role has to be able to log in. The owner cannot, so they
-- are scheduled as pipe_migrator, who inherits the owner's rights. Each command is one statement, since VACUUM,
-- REINDEX CONCURRENTLY and DETACH CONCURRENTLY refuse to share a transaction.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.job_list()
RETURNS TABLE (job_name text, schedule text, command text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    VALUES
    -- Months ahead: daily, so that a failed run has months of tries left.
    ('pipe_partitions', '7 0 * * *', 'SELECT pipe.ensure_partitions()'),
    -- The parameters of months that were just made, and of tables that somebody changed by hand.
    ('pipe_storage', '17 0 * * *', 'SELECT upkeep.apply_storage()'),
    -- Old months: hourly, nothing to do nearly always.
    ('pipe_archive', '23 * * * *', 'SELECT pipe.archive_step()'),
    -- Autovacuum analyses partitions but never their parents, whose statistics plans over many months are made from.
    ('pipe_analyze', '37 1 * * *', 'ANALYZE (SKIP_LOCKED) pipe.pipeline_runs, pipe.audit_logs'),
    -- It reads a sample of every month beneath: weekly where hardly anything changes.
    ('pipe_analyze_archive', '37 4 * * 0', 'ANALYZE (SKIP_LOCKED) archive.pipeline_runs, archive.audit_logs'),
    -- Beside autovacuum, in quiet hours: small tables whose dead rows stay below its thresholds for weeks.
    (
        'pipe_vacuum', '7 2 * * *',
        'VACUUM (ANALYZE, SKIP_LOCKED) pipe.users, pipe.organizations, pipe.organization_members, pipe.pipelines, '
        'pipe.storage_files, pipe.api_keys'
    ),
    -- Months that are past: once each, and once more when they are archived.
    ('pipe_freeze', '37 2 * * *', 'SELECT upkeep.plan_freeze()'),
    -- Bloated indexes: one a night.
    ('pipe_reindex', '7 3 * * *', 'SELECT upkeep.plan_reindex()'),
    ('pipe_index_usage', '47 3 * * *', 'SELECT upkeep.observe_indexes()'),
    ('pipe_slow_statements', '* * * * *', 'SELECT upkeep.log_slow_statements()'),
    -- The audit log: new rows under seal, and a look at the seals of the last two days, once a week at all of them.
    (
        'pipe_audit_seal', (SELECT format('*/%s * * * *', policy.audit_seal_minutes) FROM upkeep.policy() AS policy),
        'SELECT pipe.audit_seal()'
    ),
    ('pipe_audit_watch', '* * * * *', 'SELECT pipe.audit_watch()'),
    ('pipe_audit_logins', '* * * * *', 'SELECT pipe.audit_watch_logins()'),
    -- Asking the repository takes a connection to it.
    ('pipe_audit_backups', '*/5 * * * *', 'SELECT pipe.audit_watch_backups()'),
    ('pipe_audit_verify', '27 4 * * *', 'SELECT * FROM pipe.audit_verify()'),
    -- What ended in the last hour. pg_cron records every run and never forgets one.
    ('pipe_run_history', '52 * * * *', 'SELECT upkeep.record_runs()');
$function$;

COMMENT ON FUNCTION upkeep.job_list()
IS 'The jobs that pg_cron has to run; one-shot jobs of single steps come beside them.';

CREATE OR REPLACE FUNCTION upkeep.schedule_jobs() RETURNS integer
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    scheduled integer;
BEGIN
    -- A job taken from the list must go, and one that is switched off would stay so; one-shot jobs and the follow-up
    -- of archiving come and go by themselves.
    PERFORM cron.unschedule(job.jobname)
    FROM cron.job
    WHERE
        job.jobname LIKE 'pipe\_%'
        AND job.jobname !~ '^pipe_(detach_|once_|archive_follow_up$)'
        AND (NOT job.active OR job.jobname NOT IN (SELECT listed.job_name FROM upkeep.job_list() AS listed));

    PERFORM cron.schedule(listed.job_name, listed.schedule, listed.command)
    FROM upkeep.job_list() AS listed
    ORDER BY listed.job_name;
    GET DIAGNOSTICS scheduled = ROW_COUNT;

    -- Since when each has its schedule, so that one which never ran can be told from one that is not due yet.
    DELETE FROM upkeep.jobs
    WHERE jobs.job_name NOT IN (SELECT listed.job_name FROM upkeep.job_list() AS listed);
    INSERT INTO upkeep.jobs AS known (job_name, schedule, command)
    SELECT listed.job_name, listed.schedule, listed.command FROM upkeep.job_list() AS listed
    ON CONFLICT (job_name) DO UPDATE
    SET
        schedule = excluded.schedule,
        command = excluded.command,
        since = CASE WHEN known.schedule = excluded.schedule THEN known.since ELSE excluded.since END;
    RETURN scheduled;
END;
$function$;

COMMENT ON FUNCTION upkeep.schedule_jobs()
IS 'Has pg_cron run the jobs of the list and no others; returns how many they are. As pipe_migrator, without SET ROLE.';

REVOKE ALL ON FUNCTION upkeep.job_list(), upkeep.schedule_jobs() FROM public;

SELECT upkeep.schedule_jobs();

SET LOCAL ROLE pipe_owner;
