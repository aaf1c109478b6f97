-- What the database remembers about its own upkeep: its jobs, what became of their runs, and which indexes are used.
--
-- Why it is like this:
--   * Schema upkeep holds no tenant's data, so that schema pipe holds nothing else. Its tables are the owner's alone;
--     pipe_monitor reads figures and alerts by function (sql/repeatable/080 and up).
--   * jobs says since when a job has had its schedule: pg_cron does not know, and without it a job that never ran could
--     not be told from one that is not due yet.
--   * runs outlives pg_cron's own history, which is kept short because nothing there has an index.
--   * index_usage outlives PostgreSQL's counters, which a crash or a failover sets back to nothing.

CREATE TABLE upkeep.jobs (
    job_name text NOT NULL,
    schedule text NOT NULL,
    command text NOT NULL,
    since timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT jobs_pkey PRIMARY KEY (job_name)
);

CREATE TABLE upkeep.runs (
    run_id bigint NOT NULL,
    job_name text NOT NULL,
    command text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    status text NOT NULL,
    message text,
    CONSTRAINT runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT runs_status_is_final CHECK (status IN ('succeeded', 'failed'))
);

CREATE INDEX idx_runs_job ON upkeep.runs (job_name, started_at);

CREATE TABLE upkeep.index_usage (
    schema_name name NOT NULL,
    index_name name NOT NULL,
    observed_since timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_used_at timestamp with time zone,
    CONSTRAINT index_usage_pkey PRIMARY KEY (schema_name, index_name)
);

COMMENT ON TABLE upkeep.jobs IS 'The jobs that pg_cron is told to run, and since when each has its schedule.';
COMMENT ON TABLE upkeep.runs IS 'Ended runs of jobs; of those that run more often than hourly only the failed ones.';
COMMENT ON TABLE upkeep.index_usage IS 'When each index was last seen to be used, on whichever member was primary.';
COMMENT ON COLUMN upkeep.runs.job_name IS 'Name of the job, or one-shot when it was gone before it was looked up.';
COMMENT ON COLUMN upkeep.index_usage.index_name IS 'A partitioned index stands for those of its months.';
COMMENT ON COLUMN upkeep.index_usage.last_used_at IS 'Null: not since it is observed.';
