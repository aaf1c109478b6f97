-- Whether the seals still hold: each is computed anew from the rows that are there now, and compared.
--
-- Found is: a row of a sealed transaction that was changed, removed or added, wherever its month is; a seal that was
-- changed or removed from the chain; the newest seals removed, if a check had seen them. Not found is what happens
-- before a row is sealed, and a chain that was made anew as a whole: that shows against the seals in the server log
-- and in the backup repository (docs/audit.md).

-- A month that was exported and dropped is told of in the log itself, by operation DROP_MONTH with the count and the
-- checksum that were read back from the export. Its rows cannot be looked at until it is attached again, so its seals
-- count as links of the chain only. But they say how many rows there were: what is missing from all of them together
-- has to be what was exported, no row more.
CREATE OR REPLACE FUNCTION pipe.audit_exported_months()
RETURNS TABLE (first_day date, row_count bigint)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Of one that came back and left again, the last time.
    SELECT DISTINCT ON (told.table_name)
        to_date(right(told.table_name, 8), '"y"YYYY"m"MM'),
        (told.new_values ->> 'rows')::bigint
    FROM pipe.audit_logs_all AS told
    WHERE
        told.operation = 'DROP_MONTH'
        AND told.table_name ~ '^audit_logs_y[0-9]{4}m[0-9]{2}$'
        AND told.new_values ?& '{rows,checksum,sha256}'
        AND to_regclass(format('pipe.%I', told.table_name)) IS NULL
        AND to_regclass(format('archive.%I', told.table_name)) IS NULL
    ORDER BY told.table_name, told.occurred_at DESC;
$function$;

COMMENT ON FUNCTION pipe.audit_exported_months()
IS 'Months of the audit log that were exported and dropped, and are not back, with the number of their rows.';

CREATE OR REPLACE FUNCTION pipe.audit_first_fault(p_first bigint, OUT broken_seal bigint, OUT problem text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
DECLARE
    before pipe.audit_seals;
    seal pipe.audit_seals;
    link record;
    seen bigint;
    -- Found when the first seal lacks rows: it takes a look at the whole log.
    exported date[];
    exported_rows bigint;
    missing bigint := 0;
    first_lacking bigint;
BEGIN
    SELECT * INTO before FROM pipe.audit_seals WHERE audit_seals.number = p_first - 1;
    IF p_first > 1 AND NOT FOUND THEN
        broken_seal := p_first - 1;
        problem := 'it is missing';
        RETURN;
    END IF;
    FOR link IN EXECUTE format(
        'SELECT span AS seal, digest.row_count, digest.rows_hash FROM pipe.audit_seals AS span CROSS JOIN LATERAL (%s) AS digest '
        'WHERE span.number >= $1 ORDER BY span.number',
        pipe.audit_digest_query()
    ) USING p_first
    LOOP
        seal := link.seal;
        broken_seal := seal.number;
        IF seal.number <> coalesce(before.number, 0) + 1 THEN
            broken_seal := coalesce(before.number, 0) + 1;
            problem := 'it is missing';
        ELSIF seal.hash <> pipe.audit_seal_hash(seal) THEN
            problem := 'the seal itself was changed';
        ELSIF seal.previous_hash IS DISTINCT FROM before.hash
            OR seal.first_transaction <> coalesce(before.end_transaction, '0')
        THEN
            problem := 'it does not follow on the seal before';
        ELSIF link.rows_hash IS DISTINCT FROM seal.rows_hash THEN
            IF exported IS NULL THEN
                SELECT coalesce(array_agg(months.first_day), '{}'), coalesce(sum(months.row_count), 0)
                INTO exported, exported_rows
                FROM pipe.audit_exported_months() AS months;
            END IF;
            IF link.row_count < seal.row_count AND EXISTS (
                SELECT FROM unnest(exported) AS months (first_day)
                WHERE
                    months.first_day <= seal.last_row_at
                    AND months.first_day + interval '1 month' > seal.first_row_at
            ) THEN
                missing := missing + seal.row_count - link.row_count;
                first_lacking := coalesce(first_lacking, seal.number);
            ELSE
                problem := CASE
                    WHEN link.row_count = seal.row_count THEN format('%s rows, of which some were changed', link.row_count)
                    ELSE format('%s rows where %s were sealed', link.row_count, seal.row_count)
                END;
            END IF;
        END IF;
        IF problem IS NOT NULL THEN
            RETURN;
        END IF;
        before := seal;
    END LOOP;
    IF p_first = 1 AND missing <> exported_rows THEN
        broken_seal := first_lacking;
        problem := format('%s rows are missing from here on, where %s were exported', missing, exported_rows);
        RETURN;
    END IF;

    SELECT max(last_seal) INTO seen FROM pipe.audit_verifications;
    IF seen > coalesce(before.number, 0) THEN
        broken_seal := coalesce(before.number, 0) + 1;
        problem := format('it is missing; an earlier check saw seals up to %s', seen);
    ELSE
        broken_seal := NULL;
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_first_fault(bigint)
IS 'The first seal, from this one on, that does not hold, and why; nulls: all do.';

CREATE OR REPLACE FUNCTION pipe.audit_verify(
    first_seal bigint DEFAULT NULL, OUT checked_seals bigint, OUT broken_seal bigint, OUT problem text
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    first_checked bigint := first_seal;
    newest bigint;
BEGIN
    PERFORM pipe.audit_hold_months();
    SELECT coalesce(max(number), 0) INTO newest FROM pipe.audit_seals;
    -- All of them once a week, those of the last two days in between.
    IF first_checked IS NULL AND EXISTS (
        SELECT FROM pipe.audit_verifications AS earlier
        WHERE earlier.first_seal = 1 AND earlier.verified_at > CURRENT_TIMESTAMP - interval '6 days 12 hours'
    ) THEN
        SELECT min(number) INTO first_checked FROM pipe.audit_seals WHERE sealed_at > CURRENT_TIMESTAMP - interval '2 days';
        first_checked := coalesce(first_checked, newest);
    END IF;
    first_checked := greatest(first_checked, 1);

    SELECT fault.broken_seal, fault.problem INTO broken_seal, problem FROM pipe.audit_first_fault(first_checked) AS fault;
    checked_seals := greatest(newest - first_checked + 1, 0);
    INSERT INTO pipe.audit_verifications (verified_by, first_seal, last_seal, broken_seal, problem)
    VALUES (session_user, first_checked, newest, broken_seal, problem);
    IF broken_seal IS NOT NULL THEN
        RAISE WARNING 'pipe audit: seal % does not hold: %', broken_seal, problem;
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_verify(bigint)
IS 'Checks the seals from this one on, by default those that are due, and names the first that does not hold.';

-- For monitoring. A seal that broke stays broken until a check of all seals finds it whole.
CREATE OR REPLACE FUNCTION pipe.audit_seal_status()
RETURNS TABLE (
    last_sealed_at timestamp with time zone,
    sealed_rows numeric,
    broken_seal bigint,
    last_verified_at timestamp with time zone,
    unsealed_since timestamp with time zone
)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        (SELECT max(sealed_at) FROM pipe.audit_seals),
        (SELECT coalesce(sum(row_count), 0) FROM pipe.audit_seals),
        (
            SELECT min(checks.broken_seal) FROM pipe.audit_verifications AS checks
            WHERE checks.number >= coalesce(
                (SELECT max(whole.number) FROM pipe.audit_verifications AS whole WHERE whole.first_seal = 1), 0
            )
        ),
        (SELECT max(verified_at) FROM pipe.audit_verifications),
        (
            SELECT occurred_at FROM pipe.audit_logs
            WHERE transaction_id >= coalesce((SELECT max(end_transaction) FROM pipe.audit_seals), '0')
            ORDER BY transaction_id
            LIMIT 1
        );
$function$;

COMMENT ON FUNCTION pipe.audit_seal_status()
IS 'Newest seal, rows under seal, first broken seal, last check, and since when rows wait to be sealed.';

-- What looked at one seal at a time.
DROP FUNCTION IF EXISTS pipe.audit_rows_are_gone(pipe.audit_seals);

REVOKE ALL ON FUNCTION
pipe.audit_exported_months(),
pipe.audit_first_fault(bigint),
pipe.audit_verify(bigint),
pipe.audit_seal_status()
FROM public;

GRANT EXECUTE ON FUNCTION pipe.audit_verify(bigint) TO pipe_auditor;
GRANT EXECUTE ON FUNCTION pipe.audit_seal_status() TO pipe_auditor, pipe_monitor;
