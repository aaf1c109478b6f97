-- Every month, live and archived, has its part of the new indexes: one that lacks it leaves the parent's invalid.

SELECT
    indexrelid::regclass AS index_name,
    indisvalid
FROM pg_catalog.pg_index
WHERE
    indexrelid IN (
        'pipe.idx_pipeline_runs_pipeline'::regclass,
        'archive.pipeline_runs_pipeline_id_started_at_idx'::regclass,
        'pipe.idx_api_keys_hash'::regclass
    );
