-- History of runs, one partition a month (UTC), named like pipeline_runs_y2024m03.
--
-- Why it is like this:
--   * A unique key of a partitioned table has to hold the partition key, so the primary key is (id, started_at).
--   * No default partition: DETACH CONCURRENTLY, which archives old months, cannot work beside one. A row for a
--     month without a partition is refused (SQLSTATE 23514); pipe.ensure_partitions() makes the months ahead.
--   * pipeline_id is NOT NULL: through it a run belongs to a tenant.
--   * ON DELETE RESTRICT: the history of a pipeline must not vanish as a side effect.
--   * idx_pipeline_runs_created_by keeps a DELETE on users from scanning every partition.
--   * Only the owner has privileges on partitions; everybody else goes through this table.

CREATE TABLE pipe.pipeline_runs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    pipeline_id uuid NOT NULL,
    status varchar(20) NOT NULL,
    started_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    completed_at timestamp with time zone,
    error_message text,
    metrics jsonb,
    created_by uuid,
    CONSTRAINT pipeline_runs_pkey PRIMARY KEY (id, started_at),
    CONSTRAINT pipeline_runs_pipeline_id_fkey FOREIGN KEY (pipeline_id)
    REFERENCES pipe.pipelines (id) ON DELETE RESTRICT,
    CONSTRAINT pipeline_runs_created_by_fkey FOREIGN KEY (created_by)
    REFERENCES pipe.users (id) ON DELETE RESTRICT,
    CONSTRAINT pipeline_runs_status_is_known CHECK (
        status IN ('queued', 'running', 'completed', 'failed', 'cancelled')
    )
) PARTITION BY RANGE (started_at);

CREATE INDEX idx_pipeline_runs_pipeline ON pipe.pipeline_runs (pipeline_id);
CREATE INDEX idx_pipeline_runs_status ON pipe.pipeline_runs (status);
CREATE INDEX idx_pipeline_runs_created_by ON pipe.pipeline_runs (created_by);

COMMENT ON TABLE pipe.pipeline_runs IS 'Runs of pipelines, partitioned by month of started_at (UTC).';
COMMENT ON COLUMN pipe.pipeline_runs.status IS 'queued, running, completed, failed or cancelled.';
COMMENT ON COLUMN pipe.pipeline_runs.started_at IS 'Partition key; months are those of UTC.';
