-- A month of the audit log still fits into the archive without a change, and nobody but the auditor gets at the seals.

SELECT
    array_agg((attname, atttypid, attnotnull) ORDER BY attname) FILTER (
        WHERE attrelid = 'pipe.audit_logs'::regclass
    ) = array_agg((attname, atttypid, attnotnull) ORDER BY attname) FILTER (
        WHERE attrelid = 'archive.audit_logs'::regclass
    )
FROM pg_catalog.pg_attribute
WHERE
    attrelid IN ('pipe.audit_logs'::regclass, 'archive.audit_logs'::regclass)
    AND attnum > 0
    AND NOT attisdropped;

SELECT
    rolname,
    rolname = 'pipe_auditor' AS may_read
FROM pg_catalog.pg_roles
WHERE
    rolname IN ('pipe_app', 'pipe_readonly', 'pipe_auditor', 'pipe_monitor')
    AND has_table_privilege(rolname, 'pipe.audit_seals', 'SELECT');
