-- The audit trail of data: every INSERT, UPDATE, DELETE and TRUNCATE on a table of schema pipe becomes rows of
-- pipe.audit_logs, in the same transaction: a change that cannot be recorded does not happen.
--
-- Statement-level triggers with transition tables: whatever the number of rows, a function is called once and writes
-- them all with one INSERT. That function is generated for its table from the text below. With the columns written
-- out it costs half of one that finds them by their names at run time (figures: docs/audit.md), and a column that
-- it needs and that is gone stops the change instead of leaving a hole in the log.
--
-- An UPDATE's old and new rows come in two tables that share no identity; keys can change, even swap. They are paired
-- by position: the server appends both images of a row together, also for a row that moves to another month. Only a
-- BEFORE INSERT trigger of a month that swallows a moving row could put one table out of step; then their lengths
-- differ, and the UPDATE is refused rather than recorded wrongly. The join is a full one because that shows, and
-- because it cannot become a nested loop when the plan of a small UPDATE is used again for a large one.

CREATE OR REPLACE FUNCTION pipe.audit_unpaired(p_table text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'old and new rows of the UPDATE on % cannot be told apart', p_table
        USING ERRCODE = 'triggered_data_change_violation',
        HINT = 'A BEFORE INSERT trigger of a month dropped a row that was moving there.';
END;
$function$;

COMMENT ON FUNCTION pipe.audit_unpaired(text) IS 'Refuses an UPDATE that cannot be recorded rightly.';

-- The body of a table's trigger function. Expressions are over a row "r": the key as jsonb, the organization, and
-- the whole row, redacted.
CREATE OR REPLACE FUNCTION pipe.audit_body(
    p_table name, p_key text, p_organization text, p_hidden text[]
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- Found once a statement, and not once a row: OFFSET 0 keeps the planner from putting it where it is used.
    who CONSTANT text := $sql$(
            SELECT
                clock_timestamp() AS at, session_user AS session_role, inet_client_addr() AS client,
                CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END AS role,
                nullif(current_setting('pipe.app_user', true), '') AS app_user,
                nullif(current_setting('pipe.client_address', true), '') AS app_client,
                nullif(current_setting('application_name'), '') AS application
            OFFSET 0
        ) AS who$sql$;
    head CONSTANT text := $sql$'pipe', {table}, who.at, who.session_role, who.role, who.app_user, who.client,
            who.app_client, who.application$sql$;
    target CONSTANT text := $sql$
        INSERT INTO pipe.audit_logs (
            table_schema, table_name, occurred_at, session_role, acting_role, app_user, client_address,
            app_client_address, application_name, operation, organization_id, row_key, old_values, new_values
        )$sql$;
    body text := $sql$
BEGIN
    IF TG_OP = 'INSERT' THEN {target}
        SELECT {head}, 'INSERT', {organization}, {key}, NULL, {row}
        FROM {who} CROSS JOIN new_rows AS r;
    ELSIF TG_OP = 'UPDATE' THEN {target}
        SELECT {head},
            CASE WHEN before.place = after.place THEN 'UPDATE' ELSE pipe.audit_unpaired({table}) END,
            after.organization, before.key, {old_values}, {new_values}
        FROM {who} CROSS JOIN ((
            SELECT row_number() OVER () AS place, {key} AS key, to_jsonb(r) AS row_values FROM old_rows AS r
        ) AS before
        FULL JOIN (
            SELECT row_number() OVER () AS place, {organization} AS organization, to_jsonb(r) AS row_values
            FROM new_rows AS r
        ) AS after ON after.place = before.place)
        CROSS JOIN LATERAL (
            -- Compared before anything is hidden, so that a new password shows.
            SELECT
                coalesce(jsonb_object_agg(c.key, c.value), '{}') AS old_values,
                coalesce(jsonb_object_agg(c.key, after.row_values -> c.key), '{}') AS new_values
            FROM jsonb_each(before.row_values) AS c
            WHERE c.value IS DISTINCT FROM after.row_values -> c.key
        ) AS changed;
    ELSIF TG_OP = 'DELETE' THEN {target}
        SELECT {head}, 'DELETE', {organization}, {key}, {row}, NULL
        FROM {who} CROSS JOIN old_rows AS r;
    ELSE
        PERFORM pipe.audit_record('TRUNCATE', 'pipe', TG_TABLE_NAME, NULL, NULL, NULL, NULL);
    END IF;
    RETURN NULL;
END;
$sql$;
    redacted CONSTANT text := CASE WHEN cardinality(p_hidden) = 0 THEN '%s'
        ELSE format('pipe.audit_redact(%%s, %L)', p_hidden)
    END;
BEGIN
    body := replace(replace(replace(body, '{target}', target), '{who}', who), '{head}', head);
    body := replace(replace(body, '{row}', format(redacted, 'to_jsonb(r)')), '{table}', quote_literal(p_table));
    body := replace(body, '{old_values}', format(redacted, 'changed.old_values'));
    body := replace(body, '{new_values}', format(redacted, 'changed.new_values'));
    RETURN replace(replace(body, '{organization}', p_organization), '{key}', p_key);
END;
$function$;

COMMENT ON FUNCTION pipe.audit_body(name, text, text, text[])
IS 'Text of the function that records the changes of a table.';

REVOKE ALL ON FUNCTION pipe.audit_unpaired(text), pipe.audit_body(name, text, text, text[]) FROM public;
