-- The audit log becomes cheaper to write, says more, and is sealed.
--
-- Why it is like this:
--   * Names of roles and tables are stored as text: the type "name" takes 64 bytes whatever it holds, which was a
--     third of a row.
--   * Each index costs every change of every table. The primary key begins with the transaction, so that new rows go
--     to the end of it instead of a random page, and finds the rows that a seal covers and what else a transaction
--     did. Questions for a time use a BRIN index, which costs next to nothing, as rows come in order of time.
--   * statement_at and app_client_address are null in older rows: nobody knows any more.
--   * table_schema may be null: a role or a server is in no schema.
--   * audit_seals: the rows of all transactions from first_transaction up to (not including) end_transaction,
--     digested; each seal holds the hash of the one before. See sql/repeatable/023_audit_seals.sql.
--   * audit_verifications: what became of each check of the seals.
--   * audit_seen: what the watch saw last (roles, timeline, backups), so that it can tell what changed.
--   * These tables are about the log itself, so they are not audited; the first two are append-only as it is.
--
-- The types are changed by writing the months anew: about 4 s a million rows, in which nothing can be written to any
-- audited table. With a long history choose a quiet hour.
-- squawk-ignore-file changing-column-type, adding-serial-primary-key-field, constraint-missing-not-valid
-- squawk-ignore-file ban-drop-not-null, ban-drop-constraint, ban-drop-view
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion

-- A month on its way to the archive is in neither table, and would stay as it was.
DO $block$
BEGIN
    IF EXISTS (
        SELECT FROM pg_catalog.pg_class
        WHERE
            relnamespace = 'pipe'::regnamespace
            AND relkind = 'r'
            AND NOT relispartition
            AND relname ~ '^audit_logs_y[0-9]{4}m[0-9]{2}$'
    ) THEN
        RAISE EXCEPTION 'a month of pipe.audit_logs is just being archived'
            USING ERRCODE = 'object_in_use', HINT = 'The job pipe_archive finishes it within minutes; then run up again.';
    END IF;
END;
$block$;

-- Made again by sql/repeatable/050_history_views.sql.
DROP VIEW IF EXISTS pipe.audit_logs_all;

DROP INDEX pipe.idx_audit_logs_table;

ALTER TABLE pipe.audit_logs
DROP CONSTRAINT audit_logs_pkey,
ALTER COLUMN session_role TYPE text,
ALTER COLUMN acting_role TYPE text,
ALTER COLUMN table_schema TYPE text,
ALTER COLUMN table_schema DROP NOT NULL,
ALTER COLUMN table_name TYPE text,
ADD COLUMN statement_at timestamp with time zone,
ADD COLUMN app_client_address text,
ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (transaction_id, occurred_at, id);

ALTER TABLE pipe.audit_logs ALTER COLUMN statement_at SET DEFAULT statement_timestamp();

CREATE INDEX idx_audit_logs_time ON pipe.audit_logs USING brin (occurred_at) WITH (pages_per_range = 32);

DROP INDEX archive.audit_logs_table_name_occurred_at_idx;

ALTER TABLE archive.audit_logs
DROP CONSTRAINT audit_logs_pkey,
ALTER COLUMN session_role TYPE text,
ALTER COLUMN acting_role TYPE text,
ALTER COLUMN table_schema TYPE text,
ALTER COLUMN table_schema DROP NOT NULL,
ALTER COLUMN table_name TYPE text,
ADD COLUMN statement_at timestamp with time zone,
ADD COLUMN app_client_address text,
ADD CONSTRAINT audit_logs_pkey PRIMARY KEY (transaction_id, occurred_at, id);

ALTER TABLE archive.audit_logs ALTER COLUMN statement_at SET DEFAULT statement_timestamp();

CREATE INDEX audit_logs_occurred_at_idx ON archive.audit_logs USING brin (occurred_at) WITH (pages_per_range = 32);

COMMENT ON COLUMN pipe.audit_logs.statement_at IS 'When the statement began; null in rows from before it was kept.';
COMMENT ON COLUMN pipe.audit_logs.app_client_address
IS 'Client as the application names it: the setting pipe.client_address of the transaction.';
COMMENT ON COLUMN pipe.audit_logs.table_schema IS 'Null: not an object of a schema.';

CREATE TABLE pipe.audit_seals (
    number bigint NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    first_transaction xid8 NOT NULL,
    end_transaction xid8 NOT NULL,
    first_row_at timestamp with time zone NOT NULL,
    last_row_at timestamp with time zone NOT NULL,
    row_count bigint NOT NULL,
    rows_hash bytea NOT NULL,
    previous_hash bytea,
    hash bytea NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (number),
    CONSTRAINT audit_seals_number_counts_from_one CHECK (number >= 1),
    CONSTRAINT audit_seals_first_has_none_before CHECK ((number = 1) = (previous_hash IS NULL)),
    CONSTRAINT audit_seals_range_is_not_empty CHECK (first_transaction < end_transaction AND row_count > 0),
    CONSTRAINT audit_seals_hashes_are_sha256 CHECK (octet_length(rows_hash) = 32 AND octet_length(hash) = 32)
);

COMMENT ON TABLE pipe.audit_seals IS 'Chain of seals over the audit log; append-only.';
COMMENT ON COLUMN pipe.audit_seals.end_transaction IS 'First transaction that is no longer covered.';
COMMENT ON COLUMN pipe.audit_seals.first_row_at IS 'Earliest occurred_at of the rows.';
COMMENT ON COLUMN pipe.audit_seals.last_row_at IS 'Latest occurred_at of the rows.';
COMMENT ON COLUMN pipe.audit_seals.rows_hash IS 'SHA-256 over the digests of the rows.';
COMMENT ON COLUMN pipe.audit_seals.previous_hash IS 'Hash of the seal before.';
COMMENT ON COLUMN pipe.audit_seals.hash IS 'SHA-256 over everything else in this row.';

CREATE TABLE pipe.audit_verifications (
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    verified_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    verified_by text NOT NULL,
    first_seal bigint NOT NULL,
    last_seal bigint NOT NULL,
    broken_seal bigint,
    problem text,
    CONSTRAINT audit_verifications_pkey PRIMARY KEY (number),
    CONSTRAINT audit_verifications_problem_is_told CHECK (broken_seal IS NULL OR problem IS NOT NULL)
);

COMMENT ON TABLE pipe.audit_verifications IS 'Checks of the seals and what they found; append-only.';
COMMENT ON COLUMN pipe.audit_verifications.broken_seal IS 'First seal that does not hold; null: none.';

CREATE TABLE pipe.audit_seen (
    subject text NOT NULL,
    seen jsonb NOT NULL,
    seen_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_seen_pkey PRIMARY KEY (subject)
);

COMMENT ON TABLE pipe.audit_seen IS 'What pipe.audit_watch() saw last, by subject.';

-- The default privileges of the schema have just given DML to the application and SELECT to pipe_readonly.
REVOKE ALL ON TABLE pipe.audit_seals, pipe.audit_verifications, pipe.audit_seen FROM pipe_app, pipe_readonly;
GRANT SELECT ON TABLE pipe.audit_seals, pipe.audit_verifications TO pipe_auditor;
