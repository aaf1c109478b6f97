-- The audit log's own functions: how a record is written by hand, what is hidden in it, and what refuses a change.
--
-- The application names its user, and the client that it works for, once a transaction:
--   SET LOCAL pipe.app_user = '<id or name>';  SET LOCAL pipe.client_address = '<address>';
-- PostgreSQL itself sees only the proxy's address, and cannot be told another by the PROXY protocol. What the
-- application says stays apart (app_client_address) from what the server knows (client_address).
--
-- The functions run as their owner (SECURITY DEFINER), since nobody else may write the log; search_path is fixed
-- with pg_temp last, so that no temporary object can stand in for a real one. Inside them current_user is the owner:
-- the caller is session_user (who logged in) and the setting "role" (whom it acts as).

CREATE OR REPLACE FUNCTION pipe.audit_record(
    p_operation text,
    p_table_schema name,
    p_table_name text,
    p_organization_id uuid,
    p_row_key jsonb,
    p_old_values jsonb,
    p_new_values jsonb
) RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    INSERT INTO pipe.audit_logs (
        session_role, acting_role, app_user, organization_id, operation, table_schema, table_name,
        row_key, old_values, new_values, client_address, app_client_address, application_name
    ) VALUES (
        session_user,
        CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END,
        nullif(current_setting('pipe.app_user', true), ''),
        p_organization_id, p_operation, p_table_schema, p_table_name,
        p_row_key, p_old_values, p_new_values,
        inet_client_addr(),
        nullif(current_setting('pipe.client_address', true), ''),
        nullif(current_setting('application_name'), '')
    );
$function$;

COMMENT ON FUNCTION pipe.audit_record(text, name, text, uuid, jsonb, jsonb, jsonb)
IS 'Writes one row of the audit log: who and when are found here, the rest is given.';

-- Migrations, archive runs, DDL: what is not the change of a row. Operation: upper case, at most 20 characters.
CREATE OR REPLACE FUNCTION pipe.audit_event(p_operation text, p_object text, p_details jsonb) RETURNS void
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pipe.audit_record(p_operation, NULL, p_object, NULL, NULL, NULL, p_details);
$function$;

COMMENT ON FUNCTION pipe.audit_event(text, text, jsonb)
IS 'Records an important operation: what was done, with which object, and particulars. No secrets in these.';

CREATE OR REPLACE FUNCTION pipe.audit_redact(p_values jsonb, p_columns text[]) RETURNS jsonb
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT p_values || coalesce(
        (
            SELECT jsonb_object_agg(hidden.name, '[redacted]')
            FROM unnest(p_columns) AS hidden (name)
            WHERE p_values ->> hidden.name IS NOT NULL
        ),
        '{}'
    );
$function$;

COMMENT ON FUNCTION pipe.audit_redact(jsonb, text[])
IS 'Hides the values of columns that must not be copied into the log; null stays null.';

CREATE OR REPLACE FUNCTION pipe.audit_exempt() RETURNS name[]
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT '{audit_logs,audit_seals,audit_verifications,audit_seen}'::name[];
$function$;

COMMENT ON FUNCTION pipe.audit_exempt()
IS 'The tables of schema pipe that the audit itself is made of: they are not audited.';

CREATE OR REPLACE FUNCTION pipe.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'insufficient_privilege', HINT = TG_ARGV[1];
END;
$function$;

COMMENT ON FUNCTION pipe.refuse_change()
IS 'Trigger function: refuses with the reason and the hint given to the trigger.';

REVOKE ALL ON FUNCTION
pipe.audit_record(text, name, text, uuid, jsonb, jsonb, jsonb),
pipe.audit_event(text, text, jsonb),
pipe.audit_redact(jsonb, text[]),
pipe.audit_exempt(),
pipe.refuse_change()
FROM public;

-- What took a name, which ends after 63 bytes: paths of migrations and identities of objects can be longer.
DROP FUNCTION IF EXISTS pipe.audit_record(text, name, name, uuid, jsonb, jsonb, jsonb);

-- For event triggers: sql/provisioner/audit_events.sql.
GRANT EXECUTE ON FUNCTION pipe.audit_event(text, text, jsonb) TO pipe_recorder;
