-- Logins that failed, on the primary and on each replica: a record a minute for each role, database, address and
-- reason, with how many there were. What the server wrote down of them is read by sql/provisioner/server_logins.sql.
--
-- A time of which there is no journal is recorded as well: a member that was restarted has lost what was not read yet,
-- a minute or two, and one that did not answer for an hour what is older than that.

CREATE OR REPLACE FUNCTION pipe.audit_watch_logins() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    journal record;
    recorded bigint := 0;
    added bigint;
    silent text[] := '{}';
BEGIN
    IF NOT pipe.audit_may_ask('failed_logins') THEN
        RETURN 'nothing done: nobody to ask yet';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('pipe.audit_watch_logins')) THEN
        RETURN 'nothing done: another session looks';
    END IF;
    FOR journal IN
        SELECT read.*
        FROM (
            SELECT jsonb_object_agg(substr(subject, 8), seen) AS members FROM pipe.audit_seen
            WHERE subject LIKE 'LOGINS %'
        ) AS known
        CROSS JOIN LATERAL pipe_audit.failed_logins(coalesce(known.members, '{}')) AS read
    LOOP
        IF journal.problem IS NOT NULL THEN
            silent := silent || journal.member;
            RAISE WARNING 'pipe audit: % does not show its failed logins: %', journal.member, journal.problem;
            CONTINUE;
        END IF;
        INSERT INTO pipe.audit_logs (
            session_role, acting_role, operation, table_name, client_address, application_name, new_values
        )
        SELECT
            session_user, session_user, 'LOGIN_FAILED', coalesce(login.said ->> 'role', 'several'),
            CASE WHEN pg_input_is_valid(login.said ->> 'address', 'inet') THEN (login.said ->> 'address')::inet END,
            nullif(current_setting('application_name'), ''),
            login.said || jsonb_build_object('member', journal.member)
        FROM jsonb_array_elements(journal.failed) AS login (said);
        GET DIAGNOSTICS added = ROW_COUNT;
        recorded := recorded + added;
        IF journal.unknown_from < journal.unknown_until THEN
            PERFORM pipe.audit_record(
                'LOGINS_UNKNOWN', NULL, journal.member, NULL, NULL, NULL,
                jsonb_build_object('from', journal.unknown_from, 'until', journal.unknown_until)
            );
        END IF;
        IF journal.is_full THEN
            PERFORM pipe.audit_record(
                'LOGINS_UNKNOWN', NULL, journal.member, NULL, NULL, NULL,
                jsonb_build_object('until', journal.read_until, 'reason', 'its journal is full')
            );
        END IF;
        INSERT INTO pipe.audit_seen AS seen (subject, seen)
        VALUES ('LOGINS ' || journal.member, to_jsonb(journal.read_until))
        ON CONFLICT (subject) DO UPDATE SET seen = excluded.seen, seen_at = now();
    END LOOP;
    RETURN format('%s recorded%s', recorded, ', no answer from ' || nullif(array_to_string(silent, ', '), ''));
END;
$function$;

COMMENT ON FUNCTION pipe.audit_watch_logins()
IS 'Records failed logins of all members since it was called last, and of which time nothing is known.';

REVOKE ALL ON FUNCTION pipe.audit_watch_logins() FROM public;
