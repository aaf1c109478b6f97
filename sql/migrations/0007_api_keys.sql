-- Keys by which programs of a tenant log in. Only a hash of a key is ever stored.
--
-- Why it is like this:
--   * key_hash takes only what says of itself which secure hash it is:
--       bcrypt                                     $2b$12$...
--       argon2id, scrypt, PBKDF2 (PHC strings)     $argon2id$v=19$m=65536,t=3,p=4$salt$hash
--                                                  $scrypt$ln=17,r=8,p=1$salt$hash
--                                                  $pbkdf2-sha256$i=600000$salt$hash  (also passlib's $29000$)
--       SHA-2, plain or as HMAC                    sha256:<64 hex>  sha512:<128 hex>  hmac-sha256:<64 hex>  ...
--     A fast hash is enough for a key, which is random and long; a password never gets one. Bare hex is refused:
--     it cannot be told from a raw key. Hex digits are lower case, so equal hashes are equal strings.
--   * organization_id is NOT NULL: a key without a tenant would open nothing, or everything.
--   * ON DELETE RESTRICT: a key is revoked by name, not as a side effect.
--   * idx_api_keys_created_by keeps a DELETE on users from scanning this table.

CREATE TABLE pipe.api_keys (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL,
    name varchar(100) NOT NULL,
    key_hash varchar(255) NOT NULL,
    last_used_at timestamp with time zone,
    created_by uuid,
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_organization_id_fkey FOREIGN KEY (organization_id)
    REFERENCES pipe.organizations (id) ON DELETE RESTRICT,
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by)
    REFERENCES pipe.users (id) ON DELETE RESTRICT,
    CONSTRAINT api_keys_key_hash_is_secure CHECK (
        key_hash ~ '^[$]2[aby][$](0[4-9]|[12][0-9]|3[01])[$][./A-Za-z0-9]{53}$'
        OR key_hash ~ '^[$]argon2id[$]v=19[$]m=[0-9]+,t=[0-9]+,p=[0-9]+[$][A-Za-z0-9+/]{11,86}[$][A-Za-z0-9+/]{43,86}$'
        OR key_hash ~ '^[$]scrypt[$]ln=[0-9]+,r=[0-9]+,p=[0-9]+[$][A-Za-z0-9+/]{11,86}[$][A-Za-z0-9+/]{43,86}$'
        OR key_hash
        ~ '^[$]pbkdf2-sha(256|512)[$](i=)?[0-9]{4,9}(,l=[0-9]+)?[$][A-Za-z0-9+/.]{11,86}[$][A-Za-z0-9+/.]{43,86}$'
        OR key_hash ~ '^(hmac-)?sha256:[0-9a-f]{64}$'
        OR key_hash ~ '^(hmac-)?sha512:[0-9a-f]{128}$'
    )
);

CREATE INDEX idx_api_keys_org ON pipe.api_keys (organization_id);
CREATE INDEX idx_api_keys_created_by ON pipe.api_keys (created_by);

-- The default privileges of the schema let pipe_readonly read whole tables; here it must not see the hashes.
REVOKE ALL ON TABLE pipe.api_keys FROM pipe_readonly;
GRANT SELECT (id, organization_id, name, last_used_at, created_by, created_at, expires_at)
ON TABLE pipe.api_keys TO pipe_readonly;

COMMENT ON TABLE pipe.api_keys IS 'API keys of organizations.';
COMMENT ON COLUMN pipe.api_keys.key_hash IS 'Secure hash; never shown to pipe_readonly, redacted in the audit log.';
COMMENT ON COLUMN pipe.api_keys.expires_at IS 'The key is refused from then on; null: never.';
