-- The indexes that the application's most frequent questions need (docs/questions.md; their plans are tested).
--
-- Why it is like this:
--   * idx_pipeline_runs_pipeline gets started_at as its second column: "the latest runs of a pipeline" then reads 20
--     entries from its end, where a busy pipeline's whole history had to be read and sorted. It still finds the runs
--     of a pipeline, as the document's index does; beside it that one would cost every write and serve nothing.
--   * The archive gets the same, so that a month fits there without a new index.
--   * idx_api_keys_hash finds a key by its hash, which is how a key of a fast hash comes in. It is not unique: two
--     tenants may be given the same test key, and a hash with a salt is never looked up by it.
--
-- Writing to runs waits while the index of a month is made: about a second a million rows.

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX pipe.idx_pipeline_runs_pipeline;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX idx_pipeline_runs_pipeline ON pipe.pipeline_runs (pipeline_id, started_at);

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX archive.pipeline_runs_pipeline_id_idx;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX pipeline_runs_pipeline_id_started_at_idx ON archive.pipeline_runs (pipeline_id, started_at);

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX idx_api_keys_hash ON pipe.api_keys (key_hash);
