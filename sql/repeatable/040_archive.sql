-- Archiving: months older than the kept ones leave the live table, lose nothing, and stay readable in schema archive.
--
-- DETACH PARTITION ... CONCURRENTLY must be a statement of its own: no function and no transaction may hold it. So
-- pipe.archive_step() does none of it by itself. It looks at what is there, and for each table either
--   1. schedules a one-shot pg_cron job "pipe_detach_<month>" whose command is that single statement,
--   2. schedules FINALIZE instead, when an earlier DETACH was cut off half-way (one such at most a table), or
--   3. puts away a month that is detached (pipe.archive_finish): all in one transaction,
-- and removes one-shot jobs that are done. From before the first to the end of the third, the view over live and
-- archived rows reads the month by its own name (050_history_views.sql), so that no reader misses it or counts it
-- twice. There is no state but the catalog's, and each step is all or nothing: a crash or a failover at any point
-- leaves a picture from which the next call goes on. The job pipe_archive calls it every hour; while something is under
-- way "pipe_archive_follow_up" does so every second.
--
-- Who writes or reads the live table waits for none of it: its parent is locked in SHARE UPDATE EXCLUSIVE mode at most.
-- What is locked harder is had within 50 ms or let go: the view, the month itself. But the second half of a DETACH, a
-- single statement that can have no lock_timeout of its own, asks for the month exclusively (who reads it through the
-- view holds it) and, since the month's foreign keys become its own, for their tables in a mode that stops writers.
-- Whoever comes after it waits behind it. So the follow-up watches, and cancels a DETACH that waits there; it is half
-- done then, and FINALIZE comes a minute later. While it watches it also cancels one that is in a deadlock with a
-- reader, before the server ends the reader.
--
-- It runs as pipe_migrator, since pg_cron runs a job as the role that scheduled it and the owner cannot log in.

CREATE OR REPLACE FUNCTION pipe.archive_finish(p_parent name, p_partition name) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Whoever reads the month waits meanwhile.
SET lock_timeout = '50ms'
AS $function$
DECLARE
    first_day date;
    row_trigger name;
    row_count bigint;
BEGIN
    SELECT status.month INTO first_day
    FROM pipe.partition_status() AS status
    WHERE status.parent = p_parent AND status.partition = p_partition AND NOT status.attached;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'table pipe.% is not a detached month of pipe.%', quote_ident(p_partition), quote_ident(p_parent)
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'pipe.partition_status() shows what is there.';
    END IF;

    -- What takes time comes before what others would have to wait for.
    EXECUTE format('SELECT count(*) FROM pipe.%I', p_partition) INTO row_count;
    PERFORM pipe.show_history(p_parent, NULL);

    FOR row_trigger IN
        SELECT tgname FROM pg_trigger
        WHERE tgrelid = format('pipe.%I', p_partition)::regclass AND NOT tgisinternal
    LOOP
        EXECUTE format('DROP TRIGGER %I ON pipe.%I', row_trigger, p_partition);
    END LOOP;
    PERFORM pipe.strip_privileges(format('pipe.%I', p_partition)::regclass);

    EXECUTE format('ALTER TABLE pipe.%I SET SCHEMA archive', p_partition);
    EXECUTE format(
        'ALTER TABLE archive.%I ATTACH PARTITION archive.%I FOR VALUES FROM (%L) TO (%L)',
        p_parent, p_partition,
        pipe.partition_bound(first_day), pipe.partition_bound((first_day + interval '1 month')::date)
    );
    EXECUTE format(
        'CREATE TRIGGER read_only_truncate BEFORE TRUNCATE ON archive.%I FOR EACH STATEMENT '
        'EXECUTE FUNCTION pipe.refuse_change(%L, %L)',
        p_partition, 'archived months are read-only', format('Live months are in pipe.%I.', p_parent)
    );

    PERFORM pipe.audit_record(
        'ARCHIVE', 'archive', p_partition, NULL, NULL, NULL, jsonb_build_object('rows', row_count)
    );
END;
$function$;

COMMENT ON FUNCTION pipe.archive_finish(name, name)
IS 'Moves a detached month to schema archive, read-only, as a partition of its parent there.';

-- True while pg_cron is about to run the job, or has not yet taken note of its end: unscheduling it then would
-- have the run recorded as cancelled. PL/pgSQL, because the owner, who makes it, has no access to schema cron.
CREATE OR REPLACE FUNCTION pipe.job_is_busy(p_job text) RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN EXISTS (
        SELECT FROM cron.job AS cron_job
        INNER JOIN cron.job_run_details AS run ON run.jobid = cron_job.jobid
        WHERE cron_job.jobname = p_job AND run.status NOT IN ('succeeded', 'failed')
    );
END;
$function$;

COMMENT ON FUNCTION pipe.job_is_busy(text) IS 'Whether a run of this pg_cron job has not ended yet.';

-- Whether a transaction that is open for longer than a moment has locked one of these.
CREATE OR REPLACE FUNCTION pipe.is_held(VARIADIC p_relations text[]) RETURNS boolean
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (
        SELECT FROM pg_locks INNER JOIN pg_stat_activity USING (pid)
        WHERE
            pg_locks.relation IN (SELECT to_regclass(format('pipe.%I', name)) FROM unnest(p_relations) AS name)
            AND pg_locks.granted
            AND pid <> pg_backend_pid()
            AND pg_stat_activity.xact_start < clock_timestamp() - interval '1 second'
    );
$function$;

COMMENT ON FUNCTION pipe.is_held(text[])
IS 'Whether a relation of schema pipe is locked by a transaction that has been open for longer than a second.';

CREATE OR REPLACE FUNCTION pipe.archive_step() RETURNS text
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $function$
DECLARE
    follow_up CONSTANT text := 'pipe_archive_follow_up';
    due record;
    stale record;
    job_name text;
    job_command text;
    waiting boolean := false;
    done text[] := '{}';
BEGIN
    IF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'role % cannot log in, so pg_cron could not run what it schedules', quote_ident(current_user)
            USING ERRCODE = 'invalid_role_specification',
            HINT = 'Call pipe.archive_step() as pipe_migrator, without SET ROLE.';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('pipe.partitions')) THEN
        RETURN 'nothing done: another session makes or archives partitions';
    END IF;

    FOR due IN
        SELECT status.parent, status.partition FROM pipe.partition_status() AS status WHERE NOT status.attached
    LOOP
        BEGIN
            -- Its rows are counted before it is locked: not again and again while a report reads them.
            IF pipe.is_held(due.parent || '_all', due.partition) THEN
                RAISE lock_not_available;
            END IF;
            PERFORM pipe.archive_finish(due.parent, due.partition);
            done := done || format('archived %s', due.partition);
            -- One a step: no lock is kept while another month is counted.
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            done := done || format('%s is in use, next time', due.partition);
        END;
    END LOOP;

    -- At most one month a table and step: a pending one first, else the oldest that is due.
    FOR due IN
        SELECT DISTINCT ON (status.parent) status.*
        FROM pipe.partition_status() AS status
        INNER JOIN pipe.partition_policy() AS policy ON policy.parent = status.parent
        WHERE
            status.attached
            AND (
                status.detach_pending
                OR status.month < pipe.current_month() - make_interval(months => policy.keep_months)
            )
        ORDER BY status.parent, status.detach_pending DESC, status.month
    LOOP
        -- One month of a table is on its way at a time: the view over live and archived rows shows one.
        CONTINUE WHEN EXISTS (
            SELECT FROM pipe.partition_status() AS status WHERE status.parent = due.parent AND NOT status.attached
        );
        IF pipe.month_in_transit(due.parent) IS DISTINCT FROM due.partition THEN
            BEGIN
                PERFORM pipe.show_history(due.parent, due.partition);
            EXCEPTION WHEN lock_not_available THEN
                done := done || format('view %s_all is in use, next time', due.parent);
                waiting := true;
                CONTINUE;
            END;
        END IF;
        job_name := 'pipe_detach_' || due.partition;
        job_command := format(
            'ALTER TABLE pipe.%I DETACH PARTITION pipe.%I %s',
            due.parent, due.partition, CASE WHEN due.detach_pending THEN 'FINALIZE' ELSE 'CONCURRENTLY' END
        );
        CONTINUE WHEN pipe.job_is_busy(job_name)
        OR EXISTS (SELECT FROM cron.job AS cron_job WHERE cron_job.jobname = job_name AND cron_job.command = job_command);
        -- Every minute until it is done: then the next step takes the job away.
        PERFORM cron.schedule(job_name, '* * * * *', job_command);
        done := done || format('scheduled %s', job_command);
    END LOOP;

    FOR stale IN
        SELECT cron_job.jobname FROM cron.job AS cron_job
        WHERE
            cron_job.jobname ~ '^pipe_detach_'
            AND NOT pipe.job_is_busy(cron_job.jobname)
            AND NOT EXISTS (
                SELECT FROM pipe.partition_status() AS status
                WHERE status.attached AND 'pipe_detach_' || status.partition = cron_job.jobname
            )
    LOOP
        PERFORM cron.unschedule(stale.jobname);
    END LOOP;

    IF waiting
        OR EXISTS (SELECT FROM cron.job AS cron_job WHERE cron_job.jobname ~ '^pipe_detach_')
        OR EXISTS (SELECT FROM pipe.partition_status() AS status WHERE NOT status.attached)
    THEN
        IF NOT EXISTS (SELECT FROM cron.job AS cron_job WHERE cron_job.jobname = follow_up) THEN
            PERFORM cron.schedule(follow_up, '1 seconds', 'SELECT pipe.archive_follow_up()');
        END IF;
    ELSIF EXISTS (SELECT FROM cron.job AS cron_job WHERE cron_job.jobname = follow_up)
        AND NOT pipe.job_is_busy(follow_up)
    THEN
        PERFORM cron.unschedule(follow_up);
    END IF;

    RETURN coalesce(nullif(array_to_string(done, '; '), ''), 'nothing to do');
END;
$function$;

COMMENT ON FUNCTION pipe.archive_step()
IS 'Brings archiving one step further and says what it did; call again at will. As pipe_migrator only.';

-- Waiting for transactions to end blocks nobody: that is a lock of another type.
CREATE OR REPLACE FUNCTION pipe.detaching()
RETURNS TABLE (pid integer, blocks_since timestamp with time zone)
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT session.pid, waiting.waitstart
    FROM pg_stat_activity AS session
    LEFT JOIN pg_locks AS waiting
        ON waiting.pid = session.pid AND NOT waiting.granted AND waiting.locktype = 'relation'
    WHERE
        session.usename = current_user
        AND session.state = 'active'
        AND session.query ~ '^ALTER TABLE pipe[.]\w+ DETACH PARTITION pipe[.]\w+ (CONCURRENTLY|FINALIZE)$';
$function$;

COMMENT ON FUNCTION pipe.detaching()
IS 'Sessions that detach a month just now, and since when each waits for a lock that others would wait behind.';

CREATE OR REPLACE FUNCTION pipe.archive_follow_up() RETURNS text
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Some seconds at most: FINALIZE waits for snapshots that are older than itself, also for this one.
    FOR look IN 1..100 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pipe.detaching());
        PERFORM pg_cancel_backend(detaching.pid)
        FROM pipe.detaching()
        WHERE
            detaching.blocks_since < clock_timestamp() - interval '40 ms'
            -- FINALIZE has the month and waits for a snapshot whose owner wants the month: one of the two has to end.
            OR EXISTS (
                SELECT FROM unnest(pg_blocking_pids(detaching.pid)) AS other (pid)
                WHERE detaching.pid = ANY (pg_blocking_pids(other.pid))
            );
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN pipe.archive_step();
END;
$function$;

COMMENT ON FUNCTION pipe.archive_follow_up()
IS 'Sees to it that nobody waits behind a DETACH, then takes the next step of archiving. As pipe_migrator only.';

REVOKE ALL ON FUNCTION
pipe.archive_finish(name, name),
pipe.job_is_busy(text),
pipe.is_held(text[]),
pipe.detaching(),
pipe.archive_step(),
pipe.archive_follow_up()
FROM public;
