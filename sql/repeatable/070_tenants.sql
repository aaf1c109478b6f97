-- Tenant isolation: row-level security by the organization that a transaction names. Off unless the stack says
-- data.tenant_isolation, which applies pipe.apply_tenant_isolation(true).
--
-- The application names its organization once a transaction, and leaves nothing behind in a pooled session:
--     SELECT set_config('pipe.organization_id', $1, true);          or  SET LOCAL pipe.organization_id = '<uuid>';
--
-- Why it is like this:
--   * A policy compares with (SELECT pipe.current_organization()): evaluated once a statement, and an index on
--     organization_id can serve the comparison. Without the setting it is null, and nothing is seen or written.
--   * A run belongs to a tenant through its pipeline. To read, the tenant's pipelines are gathered once a statement, as
--     an array that the index on pipeline_id takes: a subquery in its place is a filter on every row that would
--     otherwise be found (measured by bench/tenants.py). To write, the one pipeline is looked up by its key.
--   * pipe_readonly is held to it as well: a role that is left out would be a way around. Who may see all tenants acts
--     as the owner (pipe_migrator, jobs, audit triggers), which row security does not concern.
--   * Months are reached through their parents, whose policy holds for them; nobody else has privileges on them.
--   * users is not isolated: people belong to several organizations and log in before one is chosen.
--   * Policies are made from the columns, so that the table of a later migration is isolated without another line.

CREATE OR REPLACE FUNCTION pipe.current_organization() RETURNS uuid
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- The setting is empty, not missing, in a session where an earlier transaction had it.
    organization CONSTANT text := nullif(current_setting('pipe.organization_id', true), '');
BEGIN
    IF NOT pg_input_is_valid(organization, 'uuid') THEN
        RAISE EXCEPTION 'setting pipe.organization_id is not a uuid: "%"', organization
            USING ERRCODE = 'invalid_text_representation',
            HINT = 'Name the organization once a transaction: SET LOCAL pipe.organization_id = ''<uuid>''.';
    END IF;
    RETURN organization::uuid;
END;
$function$;

COMMENT ON FUNCTION pipe.current_organization()
IS 'Organization that the transaction names in the setting pipe.organization_id; null: none.';

-- Before an organization is known, row security hides what would tell it: two questions are answered all the same.
CREATE OR REPLACE FUNCTION pipe.organizations_of_user(p_user_id uuid)
RETURNS TABLE (organization_id uuid, name text, role text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT organizations.id, organizations.name, organization_members.role
    FROM pipe.organization_members
    INNER JOIN pipe.organizations ON organizations.id = organization_members.organization_id
    WHERE organization_members.user_id = p_user_id AND organizations.status = 'active'
    ORDER BY organizations.name, organizations.id;
$function$;

COMMENT ON FUNCTION pipe.organizations_of_user(uuid)
IS 'Active organizations that a user can choose from after the login, whatever the transaction has named.';

CREATE OR REPLACE FUNCTION pipe.organization_of_api_key(p_api_key_id uuid) RETURNS uuid
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT api_keys.organization_id FROM pipe.api_keys WHERE api_keys.id = p_api_key_id;
$function$;

COMMENT ON FUNCTION pipe.organization_of_api_key(uuid)
IS 'Organization to name before the key itself can be read and its hash compared; null: no such key.';

CREATE OR REPLACE FUNCTION pipe.tenant_policies() RETURNS TABLE (relation regclass, visible text, allowed text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        tenant_table.relation,
        CASE tenant_table.tenant_column
            WHEN 'pipeline_id' THEN
                'pipeline_id = ANY (ARRAY(SELECT pipelines.id FROM pipe.pipelines '
                'WHERE pipelines.organization_id = (SELECT pipe.current_organization())))'
            ELSE format('%I = (SELECT pipe.current_organization())', tenant_table.tenant_column)
        END,
        CASE tenant_table.tenant_column
            WHEN 'pipeline_id' THEN format(
                'EXISTS (SELECT FROM pipe.pipelines WHERE pipelines.id = %I.pipeline_id '
                'AND pipelines.organization_id = (SELECT pipe.current_organization()))', tenant_table.relname
            )
            ELSE format('%I = (SELECT pipe.current_organization())', tenant_table.tenant_column)
        END
    FROM (
        SELECT
            pg_class.oid::regclass AS relation,
            pg_class.relname,
            CASE WHEN pg_class.oid = 'pipe.organizations'::regclass THEN 'id' ELSE min(pg_attribute.attname::text) END
                AS tenant_column
        FROM pg_class
        INNER JOIN pg_attribute ON pg_attribute.attrelid = pg_class.oid
        WHERE
            pg_class.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
            AND pg_class.relkind IN ('r', 'p')
            AND NOT pg_class.relispartition
            -- Nor a month that is on its way to the archive: only the owner has privileges on it.
            AND pg_class.relname !~ '_y[0-9]{4}m[0-9]{2}$'
            -- The audit log is the auditor's, for all tenants; the application cannot read it at all.
            AND pg_class.relname <> 'audit_logs'
            AND NOT pg_attribute.attisdropped
            AND (
                pg_attribute.attname IN ('organization_id', 'pipeline_id')
                OR pg_class.oid = 'pipe.organizations'::regclass
            )
        GROUP BY pg_class.oid
    ) AS tenant_table;
$function$;

COMMENT ON FUNCTION pipe.tenant_policies()
IS 'Tables that belong to an organization; conditions of rows to be seen, and of rows to be written.';

-- A table that is as it should be is not touched: its lock would stop everyone. The others are locked together, each
-- waited for shorter than deadlock_timeout, so that no transaction of the application is ever the victim; where one of
-- them is busy all are let go and tried again.
CREATE OR REPLACE FUNCTION pipe.apply_tenant_isolation(p_on boolean) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $function$
DECLARE
    attempts CONSTANT integer := 30;
    wanted record;
    changed integer := 0;
BEGIN
    FOR attempt IN 1..attempts LOOP
        BEGIN
            FOR wanted IN
                SELECT policies.relation, rule.definition, policy.oid AS policy
                FROM pipe.tenant_policies() AS policies
                CROSS JOIN LATERAL (
                    SELECT format('USING (%s) WITH CHECK (%s)', policies.visible, policies.allowed) AS definition
                ) AS rule
                INNER JOIN pg_class ON pg_class.oid = policies.relation
                LEFT JOIN pg_policy AS policy ON policy.polrelid = policies.relation AND policy.polname = 'tenant'
                WHERE
                    pg_class.relrowsecurity <> p_on
                    OR (p_on AND obj_description(policy.oid, 'pg_policy') IS DISTINCT FROM rule.definition)
                ORDER BY policies.relation::text
            LOOP
                EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', wanted.relation);
                IF wanted.policy IS NOT NULL THEN
                    EXECUTE format('DROP POLICY tenant ON %s', wanted.relation);
                END IF;
                IF p_on THEN
                    EXECUTE format(
                        'CREATE POLICY tenant ON %s TO pipe_app, pipe_readonly %s', wanted.relation, wanted.definition
                    );
                    -- The catalog keeps a policy in its own words; this is how a changed one is known.
                    EXECUTE format('COMMENT ON POLICY tenant ON %s IS %L', wanted.relation, wanted.definition);
                    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', wanted.relation);
                ELSE
                    EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', wanted.relation);
                END IF;
                changed := changed + 1;
            END LOOP;
            RETURN changed;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = attempts THEN
                RAISE;
            END IF;
        END;
        changed := 0;
        PERFORM pg_sleep(0.3);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.apply_tenant_isolation(boolean)
IS 'Turns tenant isolation on or off; returns how many tables that changed.';

REVOKE ALL ON FUNCTION
pipe.current_organization(),
pipe.organizations_of_user(uuid),
pipe.organization_of_api_key(uuid),
pipe.tenant_policies(),
pipe.apply_tenant_isolation(boolean)
FROM public;

-- A policy's functions run as whoever asks.
GRANT EXECUTE ON FUNCTION pipe.current_organization() TO pipe_app, pipe_readonly;
GRANT EXECUTE ON FUNCTION pipe.organizations_of_user(uuid), pipe.organization_of_api_key(uuid) TO pipe_app;

-- Where isolation is on it follows a change of this file. Whether it is on is said by what is rendered next.
SELECT pipe.apply_tenant_isolation(true)
FROM pg_catalog.pg_class
WHERE oid = 'pipe.organizations'::regclass AND relrowsecurity;
