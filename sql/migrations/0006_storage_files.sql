-- Files that pipelines read or made; the bytes lie in object storage, here is what is known of them.
--
-- Why it is like this:
--   * organization_id is NOT NULL: every file counts against somebody's quota.
--   * size cannot be negative: sums over it are what is billed.
--   * ON DELETE RESTRICT: rows that go with a tenant or a person must be removed by name, or the bytes are orphaned.
--   * idx_storage_files_created_by keeps a DELETE on users from scanning this table.

CREATE TABLE pipe.storage_files (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL,
    path varchar(500) NOT NULL,
    size bigint NOT NULL,
    mime_type varchar(100),
    metadata jsonb,
    created_by uuid,
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT storage_files_pkey PRIMARY KEY (id),
    CONSTRAINT storage_files_organization_id_fkey FOREIGN KEY (organization_id)
    REFERENCES pipe.organizations (id) ON DELETE RESTRICT,
    CONSTRAINT storage_files_created_by_fkey FOREIGN KEY (created_by)
    REFERENCES pipe.users (id) ON DELETE RESTRICT,
    CONSTRAINT storage_files_size_is_not_negative CHECK (size >= 0)
);

CREATE INDEX idx_storage_files_org ON pipe.storage_files (organization_id);
CREATE INDEX idx_storage_files_path ON pipe.storage_files (path);
CREATE INDEX idx_storage_files_created_by ON pipe.storage_files (created_by);

COMMENT ON TABLE pipe.storage_files IS 'Files in object storage.';
COMMENT ON COLUMN pipe.storage_files.size IS 'Bytes.';
