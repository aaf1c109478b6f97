-- What the repository holds, as pgBackRest tells it on this member: members may read it, and nobody who is not a
-- superuser may run a program. The job pipe_audit_backups compares it with what it saw last (064_audit_server.sql).
--
-- The function only tells, and takes no argument: what writes the log runs with the owner's rights, never with these.

CREATE OR REPLACE FUNCTION pipe_audit.repository() RETURNS jsonb
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    told jsonb;
    stanza_name CONSTANT text := current_setting('cluster_name');
BEGIN
    -- The repository lets a member see its own stanza only, which has the cluster's name.
    IF stanza_name !~ '^[A-Za-z0-9_-]*$' THEN
        RAISE EXCEPTION 'the cluster''s name "%" cannot be that of a stanza', stanza_name;
    END IF;
    CREATE TEMPORARY TABLE pipe_audit_answer (line text) ON COMMIT DROP;
    -- One that hangs must not keep its job for ever. The two characters are none that JSON may hold as they are.
    EXECUTE format(
        $copy$COPY pg_temp.pipe_audit_answer FROM PROGRAM %L WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')$copy$,
        format('timeout 60 pgbackrest --stanza=%s --output=json info', stanza_name)
    );
    SELECT stanza.said INTO told
    FROM (SELECT string_agg(line, E'\n')::jsonb AS stanzas FROM pg_temp.pipe_audit_answer) AS answer
    CROSS JOIN LATERAL jsonb_array_elements(answer.stanzas) AS stanza (said)
    WHERE stanza.said ->> 'name' = stanza_name;
    DROP TABLE pg_temp.pipe_audit_answer;
    RETURN told;
END;
$function$;

COMMENT ON FUNCTION pipe_audit.repository() IS 'What pgBackRest tells of this cluster''s stanza; null: of none.';

-- A timeline begins when a replica takes over, or when a backup was restored up to some point.
CREATE OR REPLACE FUNCTION pipe_audit.timeline() RETURNS jsonb
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT jsonb_build_object('timeline', timeline.name, 'began', (
        SELECT split_part(line.text, E'\t', 3)
        FROM string_to_table(
            pg_read_file(format('pg_wal/%s.history', timeline.name), 0, 1000000, true), E'\n'
        ) WITH ORDINALITY AS line (text, place)
        WHERE line.text ~ '^\s*[0-9]'
        ORDER BY line.place DESC
        LIMIT 1
    ))
    FROM (SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS name) AS timeline;
$function$;

COMMENT ON FUNCTION pipe_audit.timeline() IS 'The server''s timeline, and in PostgreSQL''s words why it began.';

REVOKE ALL ON FUNCTION pipe_audit.repository(), pipe_audit.timeline() FROM public;
GRANT USAGE ON SCHEMA pipe_audit TO pipe_migrator;
GRANT EXECUTE ON FUNCTION pipe_audit.repository(), pipe_audit.timeline() TO pipe_migrator;
