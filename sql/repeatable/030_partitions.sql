-- Monthly partitions of pipeline_runs and audit_logs: made ahead of time by the database itself.
--
-- Months are those of UTC whatever the session's time zone, and are named like pipeline_runs_y2024m03. A month is
-- made as a plain table and then attached: ATTACH PARTITION takes only SHARE UPDATE EXCLUSIVE on the parent, so
-- readers and writers of it go on, where CREATE TABLE ... PARTITION OF would stop them.
--
-- But a month of pipeline_runs gets its foreign keys by it, for which pipelines and users are locked until the
-- transaction ends: readers go on, writers wait, also behind an ATTACH that itself waits. So all months are made before
-- the first of them is attached, and what is locked is had within 50 ms, or all of it is let go and tried again. The
-- last try, after half a minute, waits a little longer, at most two seconds, for an autovacuum to give way. Then the
-- job fails, and comes again tomorrow: months are ahead.
--
-- Which tables, and how many months: pipe.partition_policy(), rendered from the settings (infra/policies.py).

CREATE OR REPLACE FUNCTION pipe.current_month() RETURNS date
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT date_trunc('month', CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date;
$function$;

COMMENT ON FUNCTION pipe.current_month() IS 'First day of the present month in UTC.';

CREATE OR REPLACE FUNCTION pipe.partition_name(p_parent name, p_month date) RETURNS name
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT (p_parent || to_char(p_month, '"_y"YYYY"m"MM'))::name;
$function$;

COMMENT ON FUNCTION pipe.partition_name(name, date)
IS 'Name of the partition of a month, e.g. pipeline_runs_y2024m03.';

CREATE OR REPLACE FUNCTION pipe.partition_bound(p_month date) RETURNS text
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_char(date_trunc('month', p_month::timestamp), 'YYYY-MM-DD "00:00:00+00"');
$function$;

COMMENT ON FUNCTION pipe.partition_bound(date)
IS 'Start of a month in UTC, as a literal that no TimeZone setting bends.';

-- What every catalog question here starts from: the months of a parent, attached or not.
CREATE OR REPLACE FUNCTION pipe.partition_status()
RETURNS TABLE (parent name, partition name, month date, attached boolean, detach_pending boolean)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        policy.parent,
        child.relname,
        to_date(right(child.relname, 8), '"y"YYYY"m"MM'),
        link.inhrelid IS NOT NULL,
        coalesce(link.inhdetachpending, false)
    FROM pipe.partition_policy() AS policy
    INNER JOIN pg_class AS child
        ON child.relnamespace = 'pipe'::regnamespace
        AND child.relkind = 'r'
        AND child.relname ~ ('^' || policy.parent || '_y[0-9]{4}m(0[1-9]|1[0-2])$')
    LEFT JOIN pg_inherits AS link ON link.inhrelid = child.oid
    ORDER BY policy.parent, child.relname;
$function$;

COMMENT ON FUNCTION pipe.partition_status()
IS 'Live months of the partitioned tables; not attached: left over by an archive run that goes on by itself.';

CREATE OR REPLACE FUNCTION pipe.partitions_ahead()
RETURNS TABLE (parent name, months_ahead integer)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Consecutive months after the present one: a month behind a gap does not count.
    SELECT
        policy.parent,
        (
            SELECT count(*)::integer
            FROM (
                SELECT status.month, row_number() OVER (ORDER BY status.month) AS place
                FROM pipe.partition_status() AS status
                WHERE
                    status.parent = policy.parent
                    AND status.attached
                    AND NOT status.detach_pending
                    AND status.month > pipe.current_month()
            ) AS ahead
            WHERE ahead.month = pipe.current_month() + make_interval(months => ahead.place::integer)
        )
    FROM pipe.partition_policy() AS policy;
$function$;

COMMENT ON FUNCTION pipe.partitions_ahead()
IS 'Months made ahead of the present one, without a gap; fewer than 2 is an alert.';

CREATE OR REPLACE FUNCTION pipe.strip_privileges(p_table regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    grantee text;
BEGIN
    -- Whoever the default privileges let in: only the owner has business with one month.
    FOR grantee IN
        SELECT DISTINCT CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(entry.grantee)) END
        FROM pg_class, aclexplode(pg_class.relacl) AS entry
        WHERE pg_class.oid = p_table AND entry.grantee <> pg_class.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', p_table, grantee);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.strip_privileges(regclass) IS 'Takes every privilege on a table from everyone but its owner.';

-- Where it waits for long nobody waits behind it.
CREATE OR REPLACE FUNCTION pipe.make_partition(p_parent name, p_month date) RETURNS name
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $function$
DECLARE
    first_day date := date_trunc('month', p_month::timestamp)::date;
    new_partition name := pipe.partition_name(p_parent, first_day);
    is_attached boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM pipe.partition_policy() AS policy WHERE policy.parent = p_parent) THEN
        RAISE EXCEPTION 'table pipe.% is not partitioned by month', quote_ident(p_parent)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pipe.partition_policy() lists the tables that are.';
    END IF;
    IF to_regclass(format('archive.%I', new_partition)) IS NOT NULL THEN
        RAISE EXCEPTION 'month % of pipe.% is archived', to_char(first_day, 'YYYY-MM'), p_parent
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = format('Its rows are in archive.%I and in the view pipe.%I.', new_partition, p_parent || '_all');
    END IF;

    -- One maker or archiver of months at a time, on every connection.
    PERFORM pg_advisory_xact_lock(hashtext('pipe.partitions'));
    SELECT status.attached INTO is_attached
    FROM pipe.partition_status() AS status
    WHERE status.partition = new_partition;
    IF is_attached THEN
        RETURN NULL;
    ELSIF NOT is_attached THEN
        RAISE EXCEPTION 'month % of pipe.% is being archived', to_char(first_day, 'YYYY-MM'), p_parent
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'The job pipe_archive finishes it.';
    END IF;

    EXECUTE format('CREATE TABLE pipe.%I (LIKE pipe.%I INCLUDING ALL)', new_partition, p_parent);
    PERFORM pipe.strip_privileges(format('pipe.%I', new_partition)::regclass);
    -- Row triggers come with ATTACH; those of statements do not.
    IF p_parent = 'audit_logs' THEN
        EXECUTE format(
            'CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON pipe.%I FOR EACH STATEMENT '
            'EXECUTE FUNCTION pipe.refuse_change(%L, %L)',
            new_partition, 'the audit log is append-only', 'Old months leave by pipe.archive_step(), which loses nothing.'
        );
    ELSE
        PERFORM pipe.audit_month(format('pipe.%I', new_partition)::regclass, format('pipe.%I', p_parent)::regclass);
    END IF;
    RETURN new_partition;
END;
$function$;

COMMENT ON FUNCTION pipe.make_partition(name, date)
IS 'Makes the table of a month, for pipe.attach_partitions(), and returns its name; null: the month was there.';

CREATE OR REPLACE FUNCTION pipe.attach_partitions(p_partitions name[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $function$
DECLARE
    attempts CONSTANT integer := 100;
    made record;
BEGIN
    FOR attempt IN 1..attempts LOOP
        BEGIN
            FOR made IN
                SELECT status.parent, status.partition, status.month
                FROM pipe.partition_status() AS status
                WHERE status.partition = any(p_partitions)
            LOOP
                EXECUTE format(
                    'ALTER TABLE pipe.%I ATTACH PARTITION pipe.%I FOR VALUES FROM (%L) TO (%L)',
                    made.parent, made.partition,
                    pipe.partition_bound(made.month), pipe.partition_bound((made.month + interval '1 month')::date)
                );
            END LOOP;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = attempts THEN
                RAISE;
            END IF;
            -- An autovacuum gives way only to who waits for longer than deadlock_timeout: the last attempt does.
            IF attempt = attempts - 1 THEN
                PERFORM set_config(
                    'lock_timeout',
                    least(
                        extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + 500, 2000
                    )::integer::text,
                    true
                );
            END IF;
        END;
        PERFORM pg_sleep(0.3);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.attach_partitions(name[])
IS 'Attaches months that pipe.make_partition() made, all of them at once or, when their locks are not to be had, none.';

CREATE OR REPLACE FUNCTION pipe.ensure_partition(p_parent name, p_month date) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    made CONSTANT name := pipe.make_partition(p_parent, p_month);
BEGIN
    PERFORM pipe.attach_partitions(ARRAY[made]);
    RETURN made IS NOT NULL;
END;
$function$;

COMMENT ON FUNCTION pipe.ensure_partition(name, date) IS 'Makes the partition of a month; true if it was not there.';

CREATE OR REPLACE FUNCTION pipe.ensure_partitions() RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    made CONSTANT name[] := ARRAY(
        SELECT pipe.make_partition(policy.parent, (pipe.current_month() + make_interval(months => ahead.month))::date)
        FROM pipe.partition_policy() AS policy, generate_series(0, policy.months_ahead) AS ahead (month)
    );
BEGIN
    PERFORM pipe.attach_partitions(made);
    RETURN num_nonnulls(VARIADIC made);
END;
$function$;

COMMENT ON FUNCTION pipe.ensure_partitions()
IS 'Makes the partitions of the present month and of those ahead; returns how many were missing.';

REVOKE ALL ON FUNCTION
pipe.current_month(),
pipe.partition_name(name, date),
pipe.partition_bound(date),
pipe.partition_status(),
pipe.partitions_ahead(),
pipe.strip_privileges(regclass),
pipe.make_partition(name, date),
pipe.attach_partitions(name[]),
pipe.ensure_partition(name, date),
pipe.ensure_partitions()
FROM public;

GRANT EXECUTE ON FUNCTION pipe.partition_status(), pipe.partitions_ahead() TO pipe_monitor;
