-- Definitions of pipelines; each belongs to one tenant.
--
-- Why it is like this:
--   * organization_id is NOT NULL: a pipeline without a tenant could be seen by nobody, or by everybody.
--   * created_by may be null: the system creates pipelines too.
--   * ON DELETE RESTRICT: a tenant's or a person's row goes only after what refers to it was dealt with by name.
--   * idx_pipelines_created_by keeps a DELETE on users from scanning this table.

CREATE TABLE pipe.pipelines (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL,
    name varchar(100) NOT NULL,
    description text,
    config jsonb NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'active',
    created_by uuid,
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT pipelines_pkey PRIMARY KEY (id),
    CONSTRAINT pipelines_organization_id_fkey FOREIGN KEY (organization_id)
    REFERENCES pipe.organizations (id) ON DELETE RESTRICT,
    CONSTRAINT pipelines_created_by_fkey FOREIGN KEY (created_by)
    REFERENCES pipe.users (id) ON DELETE RESTRICT,
    CONSTRAINT pipelines_status_is_known CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);

CREATE INDEX idx_pipelines_org ON pipe.pipelines (organization_id);
CREATE INDEX idx_pipelines_created_by ON pipe.pipelines (created_by);

COMMENT ON TABLE pipe.pipelines IS 'Definitions of pipelines.';
COMMENT ON COLUMN pipe.pipelines.config
IS 'Definition of the steps; no secrets in here, it is copied into the audit log.';
COMMENT ON COLUMN pipe.pipelines.status IS 'active, inactive, suspended or deleted (the row stays).';
COMMENT ON COLUMN pipe.pipelines.updated_at IS 'Moves by itself on every update.';
