-- What somebody should act on, in one list: for "make status", and for whoever watches the database. An error is acted
-- on now, a warning this week. Each line says what is wrong in its message and the next step in its hint.
--
-- It belongs to the role that the jobs run as, since pg_cron shows a role only its own jobs.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.alerts()
RETURNS TABLE (name text, severity text, message text, hint text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        'job ' || job.state,
        CASE WHEN job.one_shot THEN 'warning' ELSE 'error' END,
        CASE job.state
            WHEN 'failed' THEN format('job %s failed: %s', job.job_name, split_part(job.last_message, E'\n', 1))
            WHEN 'late' THEN format(
                'job %s should have run: it is due at "%s" and started last %s', job.job_name, job.schedule,
                coalesce('on ' || to_char(job.last_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), 'never')
            )
            ELSE format('job %s is not scheduled as declared', job.job_name)
        END,
        CASE job.state
            WHEN 'failed' THEN 'Its runs: SELECT * FROM upkeep.job_health(). It is tried again at its next time.'
            WHEN 'late' THEN 'Was the server down then? If not: does the log of the primary tell of the pg_cron launcher?'
            ELSE 'Somebody changed it by hand: SELECT upkeep.schedule_jobs() as pipe_migrator puts it right.'
        END
    FROM upkeep.job_health() AS job
    WHERE job.state <> 'ok'
    UNION ALL
    SELECT
        'months ahead',
        'error',
        format('table pipe.%s has partitions for %s months ahead', ahead.parent, ahead.months_ahead),
        'A row of a month without a partition is refused. SELECT pipe.ensure_partitions() says why there are no more.'
    FROM pipe.partitions_ahead() AS ahead
    WHERE ahead.months_ahead < 2
    UNION ALL
    SELECT
        'archive lagging',
        'warning',
        format('month %s of pipe.%s is not archived yet', to_char(status.month, 'YYYY-MM'), status.parent),
        'The job pipe_archive tries every hour; SELECT pipe.archive_step() as pipe_migrator says what holds it up.'
    FROM pipe.partition_status() AS status
    INNER JOIN pipe.partition_policy() AS policy ON policy.parent = status.parent
    WHERE
        -- A day is enough for it, even after a failover.
        status.month < date_trunc(
            'month', (CURRENT_TIMESTAMP - interval '1 day') AT TIME ZONE 'UTC'
        ) - make_interval(months => policy.keep_months)
    UNION ALL
    SELECT
        'not audited',
        'error',
        CASE
            WHEN gap.table_name IS NULL THEN gap.problem
            ELSE format('table pipe.%s is not audited as it should be: %s', gap.table_name, gap.problem)
        END,
        'SELECT pipe.audit_table(''pipe.<table>'') as the owner makes its triggers anew; what happened since is not recorded.'
    FROM pipe.audit_coverage() AS gap
    UNION ALL
    SELECT
        'audit seal broken',
        'error',
        format('seal %s of the audit log does not hold', seals.broken_seal),
        'Somebody changed rows that it covers: SELECT * FROM pipe.audit_verify(1) says what; keep the backups from before.'
    FROM pipe.audit_seal_status() AS seals
    WHERE seals.broken_seal IS NOT NULL
    UNION ALL
    SELECT
        'audit seal stale',
        'error',
        format(
            'rows of the audit log wait for a seal since %s UTC',
            to_char(seals.unsealed_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
        ),
        'A transaction that is open for long delays it (pg_stat_activity.xact_start); else: SELECT pipe.audit_seal().'
    FROM pipe.audit_seal_status() AS seals, upkeep.policy() AS policy
    WHERE seals.unsealed_since < CURRENT_TIMESTAMP - make_interval(mins => 30 + 2 * policy.audit_seal_minutes)
    UNION ALL
    SELECT
        'restore drill failed',
        'error',
        format(
            'the drill of backup %s failed: %s%s', coalesce(drill.backup, '(there is none)'), drill.problems[1],
            CASE WHEN cardinality(drill.problems) > 1 THEN format(' (and %s more)', cardinality(drill.problems) - 1) END
        ),
        'What it means and what to do is in docs/restore-drill.md; `make restore-drill` tries again.'
    FROM upkeep.last_drill() AS drill
    WHERE NOT drill.passed
    UNION ALL
    SELECT
        'restore drill stale',
        'error',
        coalesce(
            'no restore of a backup has passed its drill since '
            || to_char(drill.passed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
            'no restore of a backup has passed a drill yet'
        ),
        'Does the scheduler run (docker logs)? `make restore-drill` makes one now; backup.drill_schedule says when it is due.'
    FROM upkeep.last_drill() AS drill
    WHERE drill.stale
    UNION ALL
    SELECT
        'export due',
        'warning',
        format('month %s of archive.%s may leave the database', to_char(due.month, 'YYYY-MM'), due.parent),
        'make export-months TO=<directory> exports, verifies and drops it (docs/partitions.md); data.*_export_after_months keeps it.'
    FROM upkeep.months_to_export() AS due
    UNION ALL
    SELECT
        'archiving fails',
        'error',
        format(
            'WAL is not archived since %s: stuck at %s, %s wait',
            coalesce(
                to_char(archiving.last_success AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
                'this member became primary'
            ),
            archiving.stuck_at, pg_size_pretty(archiving.waiting_bytes)
        ),
        'No switchover meanwhile. Why: the end of the primary''s log. What to do: docs/disaster-runbook.md.'
    FROM upkeep.archiving() AS archiving
    WHERE archiving.failing
    UNION ALL
    SELECT
        'WAL waiting',
        CASE WHEN archiving.waiting_bytes > 0.8 * bound.bytes THEN 'error' ELSE 'warning' END,
        format(
            '%s of WAL wait to be archived; backup.wal_bound_mb allows %s', pg_size_pretty(archiving.waiting_bytes),
            pg_size_pretty(bound.bytes)
        ),
        'Mend archiving before the bound is reached, or make room and raise it: docs/disaster-runbook.md.'
    FROM upkeep.archiving() AS archiving
    CROSS JOIN LATERAL (SELECT policy.wal_bound_mb * 1048576::bigint AS bytes FROM upkeep.policy() AS policy) AS bound
    WHERE archiving.waiting_bytes > 0.5 * bound.bytes
    UNION ALL
    SELECT
        'wraparound',
        CASE WHEN ages.age > 4 * ages.age_limit THEN 'error' ELSE 'warning' END,
        format('%s is %s transactions old; autovacuum had to come at %s', ages.object, ages.age, ages.age_limit),
        'Something holds vacuum up: an old transaction, a prepared one, or a replication slot nobody reads.'
    FROM upkeep.transaction_ages() AS ages
    WHERE ages.age > 1.2 * ages.age_limit
    UNION ALL
    SELECT
        'certificates due',
        CASE WHEN ends.first_end < CURRENT_TIMESTAMP + interval '7 days' THEN 'error' ELSE 'warning' END,
        format(
            'the first of the stack''s certificates ends on %s UTC',
            to_char(ends.first_end AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
        ),
        '"make up" renews what is due, in place: no program restarts.'
    FROM (
        SELECT
            nullif(current_setting('pipe.certificates_first_end', TRUE), '')::timestamptz AS first_end,
            nullif(current_setting('pipe.certificates_renewal', TRUE), '')::timestamptz AS renewal
    ) AS ends
    WHERE ends.renewal < CURRENT_TIMESTAMP
    UNION ALL
    SELECT
        'invalid index',
        'warning',
        format('index %s is not valid: it costs every write and serves no question', pg_index.indexrelid::regclass),
        'One that a rebuild left behind goes by the next pipe_reindex; another one: make it anew by a migration.'
    FROM pg_index
    INNER JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    WHERE
        NOT pg_index.indisvalid
        AND pg_class.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace, 'upkeep'::regnamespace)
        -- One that is being built is not valid yet.
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS building WHERE building.relid = pg_index.indrelid);
$function$;

COMMENT ON FUNCTION upkeep.alerts()
IS 'What somebody should act on: an error now, a warning this week; nothing when all is well.';

REVOKE ALL ON FUNCTION upkeep.alerts() FROM public;
GRANT EXECUTE ON FUNCTION upkeep.alerts() TO pipe_monitor;

SET LOCAL ROLE pipe_owner;
