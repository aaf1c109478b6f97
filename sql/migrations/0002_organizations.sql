-- Tenants. Everything but users belongs to exactly one of them.
--
-- Why it is like this:
--   * plan_type has no list of allowed values: plans are the product's matter and change without a migration.
--   * status and the timestamps are NOT NULL: an unknown status has no meaning.
--   * A tenant is deleted by status = 'deleted'; foreign keys to this table refuse a DELETE.

CREATE TABLE pipe.organizations (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name varchar(100) NOT NULL,
    plan_type varchar(50) NOT NULL DEFAULT 'free',
    status varchar(20) NOT NULL DEFAULT 'active',
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_status_is_known CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);

COMMENT ON TABLE pipe.organizations IS 'Tenants.';
COMMENT ON COLUMN pipe.organizations.plan_type IS 'Plan the tenant is on; free unless said otherwise.';
COMMENT ON COLUMN pipe.organizations.status IS 'active, inactive, suspended or deleted (the row stays).';
COMMENT ON COLUMN pipe.organizations.updated_at IS 'Moves by itself on every update.';
