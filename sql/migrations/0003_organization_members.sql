-- Who belongs to which tenant, and as what.
--
-- Why it is like this:
--   * The primary key finds the members of an organization; idx_organization_members_user finds the organizations
--     of a person, and saves a scan of this table when a user row is deleted.
--   * ON DELETE RESTRICT: a membership is a right, and rights must not vanish as a side effect of another DELETE.

CREATE TABLE pipe.organization_members (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role varchar(20) NOT NULL,
    joined_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT organization_members_pkey PRIMARY KEY (organization_id, user_id),
    CONSTRAINT organization_members_organization_id_fkey FOREIGN KEY (organization_id)
    REFERENCES pipe.organizations (id) ON DELETE RESTRICT,
    CONSTRAINT organization_members_user_id_fkey FOREIGN KEY (user_id)
    REFERENCES pipe.users (id) ON DELETE RESTRICT,
    CONSTRAINT organization_members_role_is_known CHECK (role IN ('owner', 'admin', 'member', 'readonly'))
);

CREATE INDEX idx_organization_members_user ON pipe.organization_members (user_id);

COMMENT ON TABLE pipe.organization_members IS 'Membership of a user in an organization.';
COMMENT ON COLUMN pipe.organization_members.role IS 'owner, admin, member or readonly.';
