-- Where old months live: one parent in schema archive for each partitioned table of schema pipe.
--
-- Why it is like this:
--   * Archived months are partitions again, so a query over years prunes as one over the live table does, and the
--     views over both (pipe.pipeline_runs_all, pipe.audit_logs_all) never have to be made anew.
--   * LIKE ... INCLUDING ALL copies columns, checks and indexes: a month fits without a change. A migration that
--     alters the live table has to alter its archive too.
--   * The foreign keys stay on the archived months themselves, as they were.
--   * Reading goes through the parents; only the owner has privileges on the months.

CREATE TABLE archive.pipeline_runs (LIKE pipe.pipeline_runs INCLUDING ALL) PARTITION BY RANGE (started_at);

CREATE TABLE archive.audit_logs (LIKE pipe.audit_logs INCLUDING ALL) PARTITION BY RANGE (occurred_at);

GRANT USAGE ON SCHEMA archive TO pipe_app, pipe_readonly, pipe_auditor;
GRANT SELECT ON TABLE archive.pipeline_runs TO pipe_app, pipe_readonly;
GRANT SELECT ON TABLE archive.audit_logs TO pipe_auditor;

COMMENT ON TABLE archive.pipeline_runs IS 'Archived months of pipe.pipeline_runs; read-only.';
COMMENT ON TABLE archive.audit_logs IS 'Archived months of pipe.audit_logs; read-only.';
