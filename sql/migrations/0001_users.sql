-- People who can log in to Pipe. One row a person; tenants are joined through organization_members.
--
-- Why it is like this:
--   * email is stored in lower case (refused otherwise), so the one unique index on it is case-insensitive in
--     effect, serves "WHERE email = ..." as it is, and ON CONFLICT (email) works. It is the document's
--     idx_users_email and its UNIQUE at once: a second index on the same column would only cost every write.
--   * password_hash takes nothing but a bcrypt hash: $2a$, $2b$ or $2y$, a cost of 04 to 31, 53 characters.
--   * status and the timestamps are NOT NULL (the document has defaults only): an unknown status has no meaning.
--   * A person is deleted by status = 'deleted'. Foreign keys to this table refuse a DELETE (ON DELETE RESTRICT):
--     whoever removes a row for good has to name everything that goes with it.

CREATE TABLE pipe.users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email varchar(255) NOT NULL,
    name varchar(100) NOT NULL,
    password_hash varchar(255) NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'active',
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_is_lower_case CHECK (email = lower(email)),
    CONSTRAINT users_email_has_one_at CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    CONSTRAINT users_password_hash_is_bcrypt CHECK (
        password_hash ~ '^[$]2[aby][$](0[4-9]|[12][0-9]|3[01])[$][./A-Za-z0-9]{53}$'
    ),
    CONSTRAINT users_status_is_known CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);

CREATE UNIQUE INDEX idx_users_email ON pipe.users (email);

-- The default privileges of the schema let pipe_readonly read whole tables; here it must not see the hashes.
REVOKE ALL ON TABLE pipe.users FROM pipe_readonly;
GRANT SELECT (id, email, name, status, created_at, updated_at) ON TABLE pipe.users TO pipe_readonly;

COMMENT ON TABLE pipe.users IS 'People who can log in.';
COMMENT ON COLUMN pipe.users.email IS 'Login name; lower case, unique.';
COMMENT ON COLUMN pipe.users.password_hash IS 'bcrypt hash; never shown to pipe_readonly, redacted in the audit log.';
COMMENT ON COLUMN pipe.users.status IS 'active, inactive, suspended or deleted (the row stays).';
COMMENT ON COLUMN pipe.users.updated_at IS 'Moves by itself on every update.';
