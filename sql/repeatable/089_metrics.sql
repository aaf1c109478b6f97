-- The database's own figures in one list, named and labelled as a metrics system wants them.
--
-- Names end in their unit, times are seconds, and what is true or false is 1 or 0.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.metrics()
RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH jobs AS (SELECT * FROM upkeep.job_health() AS job WHERE NOT job.one_shot)

    SELECT 'pipe_job_ok', jsonb_build_object('job', jobs.job_name), (jobs.state = 'ok')::integer
    FROM jobs
    UNION ALL
    SELECT 'pipe_job_last_start_timestamp_seconds', jsonb_build_object('job', jobs.job_name), extract(EPOCH FROM jobs.last_start)
    FROM jobs
    WHERE jobs.last_start IS NOT NULL
    UNION ALL
    SELECT 'pipe_job_last_duration_seconds', jsonb_build_object('job', jobs.job_name), extract(EPOCH FROM jobs.last_duration)
    FROM jobs
    WHERE jobs.last_duration IS NOT NULL
    UNION ALL
    SELECT 'pipe_months_ahead', jsonb_build_object('table', ahead.parent), ahead.months_ahead
    FROM pipe.partitions_ahead() AS ahead
    UNION ALL
    SELECT 'pipe_live_months', jsonb_build_object('table', policy.parent), count(status.partition)
    FROM pipe.partition_policy() AS policy
    LEFT JOIN pipe.partition_status() AS status ON status.parent = policy.parent
    GROUP BY policy.parent
    UNION ALL
    SELECT 'pipe_months_to_export', jsonb_build_object('table', policy.parent), count(due.month)
    FROM pipe.partition_policy() AS policy
    LEFT JOIN upkeep.months_to_export() AS due ON due.parent = policy.parent
    GROUP BY policy.parent
    UNION ALL
    SELECT 'pipe_audit_gaps', '{}', count(*)
    FROM pipe.audit_coverage()
    UNION ALL
    SELECT figures.name, '{}', figures.value
    FROM pipe.audit_seal_status() AS seals
    CROSS JOIN LATERAL (
        VALUES
        ('pipe_audit_sealed_rows', seals.sealed_rows::float8),
        ('pipe_audit_seal_broken', (seals.broken_seal IS NOT NULL)::integer::float8),
        ('pipe_audit_last_seal_timestamp_seconds', extract(EPOCH FROM seals.last_sealed_at)::float8),
        ('pipe_audit_last_check_timestamp_seconds', extract(EPOCH FROM seals.last_verified_at)::float8)
    ) AS figures (name, value)
    WHERE figures.value IS NOT NULL
    UNION ALL
    SELECT figures.name, '{}', figures.value
    FROM upkeep.archiving() AS archiving
    CROSS JOIN upkeep.policy() AS policy
    CROSS JOIN LATERAL (
        VALUES
        ('pipe_archiving_ok', (NOT archiving.failing)::integer::float8),
        ('pipe_archiving_last_success_timestamp_seconds', extract(EPOCH FROM archiving.last_success)::float8),
        ('pipe_wal_waiting_bytes', archiving.waiting_bytes::float8),
        ('pipe_wal_bound_bytes', policy.wal_bound_mb * 1048576::float8)
    ) AS figures (name, value)
    WHERE figures.value IS NOT NULL
    UNION ALL
    SELECT figures.name, '{}', figures.value
    FROM upkeep.last_drill() AS drill
    CROSS JOIN LATERAL (
        VALUES
        ('pipe_drill_ok', drill.passed::integer::float8),
        ('pipe_drill_stale', drill.stale::integer::float8),
        ('pipe_drill_last_timestamp_seconds', extract(EPOCH FROM drill.ended_at)::float8),
        ('pipe_drill_last_passed_timestamp_seconds', extract(EPOCH FROM drill.passed_at)::float8),
        ('pipe_drill_recovery_seconds', drill.recovery_seconds),
        ('pipe_drill_recovery_point_timestamp_seconds', extract(EPOCH FROM drill.recovery_point)::float8),
        ('pipe_drill_backup_bytes', drill.bytes::float8)
    ) AS figures (name, value)
    WHERE figures.value IS NOT NULL
    UNION ALL
    SELECT 'pipe_transaction_age_ratio', '{}', max(ages.age / ages.age_limit::float8)
    FROM upkeep.transaction_ages() AS ages
    UNION ALL
    SELECT
        'pipe_certificate_expiry_timestamp_seconds',
        jsonb_build_object('certificate', ends.certificate),
        extract(EPOCH FROM current_setting(ends.setting, TRUE)::timestamptz)
    FROM (
        VALUES ('first', 'pipe.certificates_first_end'), ('authority', 'pipe.certificates_authority_end')
    ) AS ends (certificate, setting)
    WHERE current_setting(ends.setting, TRUE) <> ''
    UNION ALL
    SELECT 'pipe_findings', jsonb_build_object('kind', report.kind), count(*)
    FROM upkeep.report() AS report
    GROUP BY report.kind
    UNION ALL
    SELECT 'pipe_alerts', jsonb_build_object('severity', levels.severity), count(alerts.name)
    FROM (VALUES ('error'), ('warning')) AS levels (severity)
    LEFT JOIN upkeep.alerts() AS alerts ON alerts.severity = levels.severity
    GROUP BY levels.severity;
$function$;

COMMENT ON FUNCTION upkeep.metrics()
IS 'Figures of jobs, months, archiving, transaction ages, certificates, findings and alerts.';

REVOKE ALL ON FUNCTION upkeep.metrics() FROM public;
GRANT EXECUTE ON FUNCTION upkeep.metrics() TO pipe_monitor;

SET LOCAL ROLE pipe_owner;
