-- Backups and their expiry, from what pgBackRest tells of the repository: each label that is new is a record, and each
-- that is gone. Who began it is not known: backups are made outside the database.

CREATE OR REPLACE FUNCTION pipe.audit_watch_backups() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    told jsonb;
    change record;
    made integer := 0;
    gone integer := 0;
BEGIN
    IF NOT pipe.audit_may_ask('repository') THEN
        RETURN 'nothing done: nobody to ask yet';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('pipe.audit_watch_backups')) THEN
        RETURN 'nothing done: another session looks';
    END IF;
    told := pipe_audit.repository();
    -- 2: the stanza is there, and no backup in it. With anything else the list is not to be trusted.
    IF told IS NULL OR told #>> '{status,code}' NOT IN ('0', '2') THEN
        IF NOT EXISTS (SELECT FROM pipe.audit_seen WHERE subject LIKE 'BACKUP %') THEN
            RETURN 'nothing done: there is no backup yet';
        END IF;
        RAISE EXCEPTION
            'the repository does not tell its backups: %', coalesce(told #>> '{status,message}', 'no such stanza')
            USING HINT = 'Ask it on a member: pgbackrest info. What changes meanwhile is recorded once it answers.';
    END IF;

    FOR change IN
            SELECT
                coalesce(now.label, substr(seen.subject, 8)) AS label,
                seen.seen AS before,
                now.particulars AS after
            FROM (
                SELECT
                    backup.said ->> 'label' AS label,
                    jsonb_build_object(
                        'type', backup.said ->> 'type',
                        'started_at', to_timestamp((backup.said #>> '{timestamp,start}')::double precision),
                        'ended_at', to_timestamp((backup.said #>> '{timestamp,stop}')::double precision),
                        'bytes', backup.said #> '{info,size}',
                        'first_wal', backup.said #>> '{archive,start}',
                        'last_wal', backup.said #>> '{archive,stop}',
                        'failed_checksums', coalesce((backup.said ->> 'error')::boolean, false)
                    ) AS particulars
                FROM jsonb_array_elements(told -> 'backup') AS backup (said)
            ) AS now
            FULL JOIN (SELECT * FROM pipe.audit_seen WHERE subject LIKE 'BACKUP %') AS seen
                ON seen.subject = 'BACKUP ' || now.label
            WHERE now.label IS NULL OR seen.subject IS NULL
            ORDER BY label
    LOOP
        IF change.after IS NULL THEN
            PERFORM pipe.audit_record('EXPIRE', NULL, change.label, NULL, NULL, change.before, NULL);
            DELETE FROM pipe.audit_seen WHERE subject = 'BACKUP ' || change.label;
            gone := gone + 1;
        ELSE
            PERFORM pipe.audit_record('BACKUP', NULL, change.label, NULL, NULL, NULL, change.after);
            INSERT INTO pipe.audit_seen (subject, seen) VALUES ('BACKUP ' || change.label, change.after);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN format('%s made, %s expired', made, gone);
END;
$function$;

COMMENT ON FUNCTION pipe.audit_watch_backups()
IS 'Records backups that were made or expired since it was called last; says how many.';

REVOKE ALL ON FUNCTION pipe.audit_watch_backups() FROM public;
