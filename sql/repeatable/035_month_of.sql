-- Why a row was refused that no month takes: PostgreSQL says which table and which moment (SQLSTATE 23514, no
-- constraint), and has no hint. It finds no partition before any trigger runs, so nothing of ours can speak there;
-- partitions that only refuse would have to move with the months, which stops writers (docs/partitions.md).

CREATE OR REPLACE FUNCTION pipe.month_of(
    p_table name, p_moment timestamp with time zone, OUT month text, OUT state text, OUT hint text
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
DECLARE
    first_day date;
    policy record;
BEGIN
    SELECT * INTO policy FROM pipe.partition_policy() AS known WHERE known.parent = p_table;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'table pipe.% is not partitioned by month', quote_ident(p_table)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It is pipeline_runs or audit_logs.';
    END IF;
    IF NOT isfinite(p_moment) THEN
        state := 'no month has it';
        hint := 'Send a moment.';
        RETURN;
    END IF;
    first_day := date_trunc('month', p_moment)::date;
    month := to_char(first_day, 'FMYYYY-MM');
    IF EXISTS (
        SELECT FROM pipe.partition_status() AS status
        WHERE status.parent = p_table AND status.month = first_day AND status.attached AND NOT status.detach_pending
    ) THEN
        state := 'live';
    ELSIF to_regclass(format('archive.%I', pipe.partition_name(p_table, first_day))) IS NOT NULL THEN
        state := 'archived';
        hint := format('Its rows are read-only, and in the view pipe.%I.', p_table || '_all');
    ELSIF to_regclass(format('pipe.%I', pipe.partition_name(p_table, first_day))) IS NOT NULL THEN
        state := 'being archived';
        hint := format('Its rows are read-only, and in the view pipe.%I.', p_table || '_all');
    ELSIF first_day > pipe.current_month() THEN
        state := 'not made yet';
        hint := format(
            'The job pipe_partitions makes it in %s, %s months ahead (data.months_ahead).',
            to_char(first_day - make_interval(months => policy.months_ahead), 'FMYYYY-MM'), policy.months_ahead
        );
    ELSE
        state := 'not there';
        hint := format(
            'It was never made, or was exported: make attach-month brings it back. SELECT pipe.ensure_partition(%L, %L) '
            'as pipe_migrator makes a new one, which is archived within the hour.', p_table, first_day
        );
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.month_of(name, timestamp with time zone)
IS 'Whether a month takes rows of a moment: live, archived, being archived, not made yet, not there; and what to do.';

REVOKE ALL ON FUNCTION pipe.month_of(name, timestamp with time zone) FROM public;
GRANT EXECUTE ON FUNCTION pipe.month_of(name, timestamp with time zone) TO pipe_app, pipe_monitor;
