-- Who changed what, and when: append-only, one partition a month (UTC) like pipeline_runs.
--
-- Why it is like this:
--   * Rows are written by triggers that run as the owner (sql/repeatable). No role can write here, the application
--     cannot even read; pipe_auditor reads. Triggers refuse UPDATE, DELETE and TRUNCATE to the owner as well.
--   * No foreign keys: a record outlives what it tells of.
--   * occurred_at is the wall clock when the row was written (the partition key), transaction_at the start of the
--     transaction: both are needed to order and to group.
--   * operation is open (upper case, no list), since later migrations record more than changes of rows.

CREATE TABLE pipe.audit_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    occurred_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    transaction_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    session_role name NOT NULL,
    acting_role name NOT NULL,
    app_user text,
    organization_id uuid,
    operation varchar(20) NOT NULL,
    table_schema name NOT NULL,
    table_name name NOT NULL,
    row_key jsonb,
    old_values jsonb,
    new_values jsonb,
    client_address inet,
    application_name text,
    CONSTRAINT audit_logs_pkey PRIMARY KEY (id, occurred_at),
    CONSTRAINT audit_logs_operation_is_upper_case CHECK (operation ~ '^[A-Z][A-Z_]*$')
) PARTITION BY RANGE (occurred_at);

CREATE INDEX idx_audit_logs_org ON pipe.audit_logs (organization_id, occurred_at);
CREATE INDEX idx_audit_logs_table ON pipe.audit_logs (table_name, occurred_at);

-- The default privileges of the schema have just given DML to the application and SELECT to pipe_readonly.
REVOKE ALL ON TABLE pipe.audit_logs FROM pipe_app, pipe_readonly;
GRANT SELECT ON TABLE pipe.audit_logs TO pipe_auditor;

COMMENT ON TABLE pipe.audit_logs
IS 'Append-only record of every data change, partitioned by month of occurred_at (UTC).';
COMMENT ON COLUMN pipe.audit_logs.session_role IS 'Database role that logged in.';
COMMENT ON COLUMN pipe.audit_logs.acting_role IS 'Database role it acted as (SET ROLE), else the same.';
COMMENT ON COLUMN pipe.audit_logs.app_user IS 'Application user: the setting pipe.app_user of the transaction.';
COMMENT ON COLUMN pipe.audit_logs.row_key IS 'Primary key of the row, as it was before the change.';
COMMENT ON COLUMN pipe.audit_logs.old_values IS 'DELETE: the row; UPDATE: changed columns before; hashes redacted.';
COMMENT ON COLUMN pipe.audit_logs.new_values IS 'INSERT: the row; UPDATE: changed columns after; hashes redacted.';
COMMENT ON COLUMN pipe.audit_logs.client_address IS 'Peer of the connection; behind the proxy that is the proxy.';
