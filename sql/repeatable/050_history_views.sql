-- Live and archived rows in one place, for questions that go further back than the live table does.
--
-- A month on its way from one to the other is in neither: from the first half of DETACH ... CONCURRENTLY until it is
-- attached to its archive. So that no reader misses it, or counts it twice, the view over both is made anew around the
-- move (pipe.show_history): before DETACH it gets a third arm that reads the month by its own name, and the other two
-- leave the month's range out; when the month is in the archive it has two arms again. Nobody sees a moment between:
-- who reads the view holds its lock, and replacing it waits for them, never longer than 50 ms.
--
-- With two arms, which is nearly always, the view costs nothing. Conditions on the partition key reach every arm, so
-- months that cannot match are pruned; only the month on its way is asked in any case, by its indexes.
--
-- security_invoker: the view must not give more than its tables do, and row security has to see who asks. Nobody but
-- the owner has privileges on a month, so the third arm goes through the view <table>_in_transit, which reads as the
-- owner and therefore says itself what row security would; a barrier keeps others' conditions from seeing more.

CREATE OR REPLACE FUNCTION pipe.month_in_transit(p_parent name) RETURNS name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT month.relname
    FROM pg_rewrite
    INNER JOIN pg_depend ON pg_depend.objid = pg_rewrite.oid AND pg_depend.classid = 'pg_rewrite'::regclass
    INNER JOIN pg_class AS month ON month.oid = pg_depend.refobjid AND pg_depend.refclassid = 'pg_class'::regclass
    WHERE
        pg_rewrite.ev_class = to_regclass(format('pipe.%I', p_parent || '_in_transit'))
        AND month.relname ~ ('^' || p_parent || '_y[0-9]{4}m(0[1-9]|1[0-2])$')
    LIMIT 1;
$function$;

COMMENT ON FUNCTION pipe.month_in_transit(name)
IS 'Month that the view over live and archived rows reads by its own name; null: none is on its way.';

CREATE OR REPLACE FUNCTION pipe.show_history(p_parent name, p_partition name) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $function$
DECLARE
    history CONSTANT text := p_parent || '_all';
    transit CONSTANT text := p_parent || '_in_transit';
    live CONSTANT regclass := format('pipe.%I', p_parent)::regclass;
    archived CONSTANT regclass := format('archive.%I', p_parent)::regclass;
    key CONSTANT text := pg_get_partkeydef(live);
    month CONSTANT date := to_date(right(p_partition, 8), '"y"YYYY"m"MM');
    columns text;
    key_column text;
    others text := '';
    visible text := 'true';
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute
    WHERE attrelid = live AND attnum > 0 AND NOT attisdropped;
    key_column := substring(key FROM '\((.*)\)');

    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = live AND attname = 'pipeline_id') THEN
        visible := format(
            'NOT row_security_active(%L::regclass) OR pipeline_id = ANY (ARRAY(SELECT pipelines.id '
            'FROM pipe.pipelines WHERE pipelines.organization_id = '
            '(SELECT nullif(current_setting(''pipe.organization_id'', true), '''')::uuid)))', live
        );
    END IF;
    IF p_partition IS NOT NULL THEN
        others := format(
            ' WHERE %1$s < %2$L OR %1$s >= %3$L',
            key_column, pipe.partition_bound(month), pipe.partition_bound((month + interval '1 month')::date)
        );
    END IF;

    -- Whoever reads takes the view over all first; in the other order the two could wait for each other.
    IF p_partition IS NULL THEN
        EXECUTE format(
            'CREATE OR REPLACE VIEW pipe.%I WITH (security_invoker = true) AS '
            'SELECT %2$s FROM %3$s UNION ALL SELECT %2$s FROM %4$s', history, columns, live, archived
        );
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE VIEW pipe.%I WITH (security_barrier = true) AS SELECT %s FROM %s WHERE %s',
        transit, columns,
        CASE WHEN p_partition IS NULL THEN archived::text ELSE format('pipe.%I', p_partition) END,
        CASE WHEN p_partition IS NULL THEN 'false' ELSE visible END
    );
    IF p_partition IS NOT NULL THEN
        EXECUTE format(
            'CREATE OR REPLACE VIEW pipe.%I WITH (security_invoker = true) AS '
            'SELECT %2$s FROM %3$s%6$s UNION ALL SELECT %2$s FROM %4$s%6$s UNION ALL SELECT %2$s FROM pipe.%5$I',
            history, columns, live, archived, transit, others
        );
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.show_history(name, name)
IS 'Makes the view over live and archived rows, with a month read by its own name, or (null) without.';

REVOKE ALL ON FUNCTION pipe.month_in_transit(name), pipe.show_history(name, name) FROM public;

-- Also when this file is applied while a month is on its way.
SELECT pipe.show_history(policy.parent, pipe.month_in_transit(policy.parent))
FROM pipe.partition_policy() AS policy;

COMMENT ON VIEW pipe.pipeline_runs_all IS 'Runs, live and archived; ask with a range of started_at.';
COMMENT ON VIEW pipe.audit_logs_all IS 'The audit log, live and archived; ask with a range of occurred_at.';
COMMENT ON VIEW pipe.pipeline_runs_in_transit IS 'Runs of the month that is being archived just now; else empty.';
COMMENT ON VIEW pipe.audit_logs_in_transit IS 'Audit log of the month that is being archived just now; else empty.';

-- The default privileges of the schema have just given DML to the application and SELECT to pipe_readonly.
REVOKE ALL ON TABLE
pipe.pipeline_runs_all, pipe.audit_logs_all, pipe.pipeline_runs_in_transit, pipe.audit_logs_in_transit
FROM pipe_app, pipe_readonly;
GRANT SELECT ON TABLE pipe.pipeline_runs_all, pipe.pipeline_runs_in_transit TO pipe_app, pipe_readonly;
GRANT SELECT ON TABLE pipe.audit_logs_all, pipe.audit_logs_in_transit TO pipe_auditor;
