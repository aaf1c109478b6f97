-- Logins that failed, out of the members' journals.
--
-- Beside what `docker logs` shows, every server writes its log as JSON into memory, a file a minute
-- (infra/cluster/parameters.py). Reading whole minutes that are over, once each, is exact: nobody writes them any more.
-- A server keeps an hour in at most 16 MB, so a flood fills neither disk nor log, and the primary may be late.
--
-- A replica cannot write the audit log. So the primary reads its journal: as pipe_rewind, who may read files of a
-- server's log directory anyway, with the password that the member itself has in its configuration.
--
-- The function only tells, and what it is given says no more than until when a member was read: what writes the log
-- runs with the owner's rights, never with these (065_audit_logins.sql).

CREATE EXTENSION IF NOT EXISTS dblink SCHEMA pipe_audit;

-- Only with functions that pipe_rewind may call, who may not ask where the journal is.
CREATE OR REPLACE FUNCTION pipe_audit.journal_query(p_since timestamp with time zone) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format(
        $query$
        SELECT
            minute,
            -- A file of an hour ago has the same name.
            CASE
                WHEN (pg_stat_file(file, true)).modification >= minute THEN pg_read_binary_file(file, 0, 33554432, true)
            END,
            (SELECT sum((pg_stat_file(%1$L || '/' || name, true)).size) FROM pg_ls_dir(%1$L, true, false) AS name)
        FROM generate_series(
            greatest(%2$L::timestamptz, date_trunc('minute', clock_timestamp()) - interval '57 minutes'),
            -- What was logged in the last moment of a minute has a few seconds to get there.
            date_trunc('minute', clock_timestamp() - interval '5 seconds') - interval '1 minute',
            interval '1 minute'
        ) AS minute
        CROSS JOIN LATERAL concat(%1$L, to_char(minute AT TIME ZONE 'UTC', '"/minute-"MI".json"')) AS file
        $query$,
        current_setting('log_directory'), coalesce(p_since, '-infinity')
    );
$function$;

COMMENT ON FUNCTION pipe_audit.journal_query(timestamp with time zone)
IS 'SQL that reads a member''s journal from a minute on: minute, content (null: none), bytes of the whole journal.';

CREATE OR REPLACE FUNCTION pipe_audit.replica_connection(p_host text) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(word.name || '=''' || replace(replace(word.value, '\', '\\'), '''', '\''') || '''', ' ')
    FROM (SELECT pg_read_file('/etc/pipe/patroni.yml')::jsonb #> '{postgresql,authentication,rewind}' AS said) AS rewind
    CROSS JOIN LATERAL (
        VALUES
        ('host', p_host), ('dbname', 'postgres'), ('user', rewind.said ->> 'username'),
        ('password', rewind.said ->> 'password'), ('sslmode', rewind.said ->> 'sslmode'),
        ('sslrootcert', rewind.said ->> 'sslrootcert'), ('connect_timeout', '3'), ('application_name', 'pipe_audit'),
        ('options', '-c statement_timeout=20s')
    ) AS word (name, value);
$function$;

COMMENT ON FUNCTION pipe_audit.replica_connection(text)
IS 'How this member connects to another one to read its journal.';

-- The server writes no byte of zero; but where somebody has emptied a file that it writes, it leaves a hole.
CREATE OR REPLACE FUNCTION pipe_audit.without_zeros(p_bytes bytea) RETURNS bytea
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN position('\x00'::bytea IN p_bytes) = 0 THEN p_bytes
        ELSE decode(replace(regexp_replace(encode(p_bytes, 'hex'), '(..)', '\1 ', 'g'), '00 ', ''), 'hex')
    END;
$function$;

COMMENT ON FUNCTION pipe_audit.without_zeros(bytea) IS 'The bytes without those that no text may have.';

-- Names come as the client sent them, in no encoding in particular.
CREATE OR REPLACE FUNCTION pipe_audit.readable(p_bytes_as_latin text) RETURNS text
LANGUAGE plpgsql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN convert_from(convert_to(p_bytes_as_latin, 'LATIN1'), 'UTF8');
EXCEPTION
    WHEN character_not_in_repertoire OR untranslatable_character THEN
        RETURN p_bytes_as_latin;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.readable(text) IS 'A name as UTF-8 where it is that, else byte for byte.';

-- Who tries one name after another gets no row for each: what is beyond the 50 most frequent is one row without names.
CREATE OR REPLACE FUNCTION pipe_audit.failures(p_minutes bytea[])
RETURNS TABLE (
    role text, database text, address text, reason text, attempts bigint,
    first_at timestamp with time zone, last_at timestamp with time zone
)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH failed AS (
        SELECT
            entry.said ->> 'user' AS role,
            entry.said ->> 'dbname' AS database,
            entry.said ->> 'remote_host' AS address,
            reasons.reason,
            (entry.said ->> 'timestamp')::timestamp with time zone AS at
        FROM unnest(p_minutes) AS minute (content)
        CROSS JOIN LATERAL string_to_table(
            convert_from(pipe_audit.without_zeros(minute.content), 'LATIN1'), E'\n'
        ) AS line (text)
        CROSS JOIN LATERAL (
            SELECT line.text::jsonb AS said
            WHERE
                line.text LIKE '%"error_severity":"FATAL"%'
                AND pg_input_is_valid(line.text, 'jsonb')
            OFFSET 0
        ) AS entry
        INNER JOIN (
            VALUES
            ('28P01', 'wrong password or unknown role'), ('28000', 'refused by pg_hba.conf or may not log in'),
            ('3D000', 'unknown database'), ('42501', 'may not connect to the database'),
            ('53300', 'too many connections')
        ) AS reasons (sqlstate, reason) ON reasons.sqlstate = entry.said ->> 'state_code'
        WHERE entry.said ->> 'backend_type' = 'client backend' AND entry.said ->> 'error_severity' = 'FATAL'
    ),

    grouped AS (
        SELECT
            date_trunc('minute', failed.at) AS minute, failed.role, failed.database, failed.address, failed.reason,
            count(*) AS attempts, min(failed.at) AS first_at, max(failed.at) AS last_at,
            row_number() OVER (
                PARTITION BY date_trunc('minute', failed.at) ORDER BY count(*) DESC, min(failed.at)
            ) <= 50 AS named
        FROM failed
        GROUP BY 1, 2, 3, 4, 5
    )

    SELECT
        pipe_audit.readable(grouped.role), pipe_audit.readable(grouped.database), grouped.address, grouped.reason,
        grouped.attempts, grouped.first_at, grouped.last_at
    FROM grouped
    WHERE grouped.named
    UNION ALL
    SELECT
        NULL, NULL, NULL, format('%s more of role, database and address', count(*)),
        sum(grouped.attempts)::bigint, min(grouped.first_at), max(grouped.last_at)
    FROM grouped
    WHERE NOT grouped.named
    GROUP BY grouped.minute;
$function$;

COMMENT ON FUNCTION pipe_audit.failures(bytea[])
IS 'Failed logins in minutes of a journal, counted by minute, role, database, address and reason.';

-- A journal that is read holds rows that the server refused, in DETAIL: it is emptied at the next look, when what was
-- read is recorded for certain. That of a replica, where nothing is written, goes within the hour.
CREATE OR REPLACE FUNCTION pipe_audit.forget_journal(p_until timestamp with time zone) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    file text;
BEGIN
    FOR file IN
        SELECT journal.path
        FROM pg_ls_dir(current_setting('log_directory'), true, false) AS name
        CROSS JOIN LATERAL concat(current_setting('log_directory'), '/', name) AS journal (path)
        CROSS JOIN LATERAL pg_stat_file(journal.path, true) AS found
        WHERE name ~ '^minute-[0-9]{2}\.json$' AND found.size > 0 AND found.modification < p_until
    LOOP
        EXECUTE format('COPY (SELECT WHERE false) TO %L', file);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.forget_journal(timestamp with time zone)
IS 'Empties the files of this server''s journal that were read.';

-- p_seen: until when each member's journal was read, {"member-0": "2026-01-01T00:00:00Z"}; one that is not named is
-- read as far back as there is something. Of what lies between "unknown_from" and "unknown_until" there is no journal.
CREATE OR REPLACE FUNCTION pipe_audit.failed_logins(p_seen jsonb)
RETURNS TABLE (
    member text,
    read_until timestamp with time zone,
    unknown_from timestamp with time zone,
    unknown_until timestamp with time zone,
    is_full boolean,
    failed jsonb,
    problem text
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
DECLARE
    source record;
    journal record;
    query text;
    summary CONSTANT text := $sql$
        SELECT
            array_agg(content ORDER BY minute) AS minutes,
            min(minute) AS first,
            max(minute) + interval '1 minute' AS until,
            min(minute) FILTER (WHERE content IS NULL) AS first_missing,
            max(minute) FILTER (WHERE content IS NULL) + interval '1 minute' AS missing_until,
            coalesce(max(bytes) > 15 * 1024 * 1024, false) AS is_full
        FROM %s
    $sql$;
BEGIN
    IF current_setting('logging_collector') = 'off' THEN
        RETURN;
    END IF;
    FOR source IN
        SELECT btrim(pg_read_file('/etc/hostname'), E'\n') AS name, true AS is_here
        UNION
        SELECT application_name, false
        FROM pg_stat_replication
        WHERE usename = 'pipe_replicator' AND application_name ~ '^[a-z0-9-]+$'
        ORDER BY name
    LOOP
        member := source.name;
        read_until := (p_seen ->> member)::timestamp with time zone;
        unknown_from := NULL;
        unknown_until := NULL;
        is_full := false;
        failed := '[]';
        problem := NULL;
        query := pipe_audit.journal_query(read_until);
        BEGIN
            IF source.is_here THEN
                PERFORM pipe_audit.forget_journal(read_until);
                EXECUTE format(summary, format('(%s) AS journal (minute, content, bytes)', query)) INTO journal;
            ELSE
                EXECUTE format(
                    summary,
                    'pipe_audit.dblink($1, $2) AS journal (minute timestamptz, content bytea, bytes numeric)'
                ) INTO journal USING pipe_audit.replica_connection(member), query;
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                problem := SQLERRM;
        END;
        IF problem IS NULL AND journal.first IS NOT NULL THEN
            IF read_until < journal.first THEN
                unknown_from := read_until;
                unknown_until := greatest(journal.first, journal.missing_until);
            ELSIF read_until IS NOT NULL THEN
                unknown_from := journal.first_missing;
                unknown_until := journal.missing_until;
            END IF;
            read_until := journal.until;
            is_full := journal.is_full;
            SELECT coalesce(jsonb_agg(to_jsonb(login) ORDER BY login.first_at), '[]') INTO failed
            FROM pipe_audit.failures(journal.minutes) AS login;
        END IF;
        RETURN NEXT;
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.failed_logins(jsonb)
IS 'What the members'' journals tell since they were read last: failed logins, and of which time nothing is known.';

-- Those of dblink as well: whoever may call them speaks as this server.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pipe_audit FROM public;
GRANT USAGE ON SCHEMA pipe_audit TO pipe_migrator;
GRANT EXECUTE ON FUNCTION pipe_audit.failed_logins(jsonb) TO pipe_migrator;
