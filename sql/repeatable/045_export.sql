-- Archived months leave the database, and come back: what `make export-months` and `make attach-month` call.
--
-- Files are theirs; here is what must not go wrong whoever calls. A month is dropped only when it is due by its policy,
-- and only when its rows are still those that were read back from the export: count and checksum are computed here, of
-- the month and of what came back, by the same function. A month of the audit log must be under seal as a whole, and
-- every seal must hold, since nobody can look at it afterwards. What is dropped is recorded (DROP_MONTH) with count and
-- checksum, in the same transaction: this is how pipe.audit_verify() tells an exported month from a deleted one.
--
-- Dropping asks for the archive's parent, and for the tables that the month's foreign keys lead to, exclusively: each
-- is had within 30 ms, or all are let go and tried again.

CREATE OR REPLACE FUNCTION pipe.month_columns(p_parent name)
RETURNS TABLE (column_name name, type text, required boolean)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT attname, format_type(atttypid, atttypmod), attnotnull
    FROM pg_attribute
    WHERE attrelid = to_regclass(format('archive.%I', p_parent)) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum;
$function$;

COMMENT ON FUNCTION pipe.month_columns(name) IS 'Columns of the archived months of a table, in the order of an export.';

-- As who calls, since what came back is in a temporary table of its session. Sums, so that the order does not matter;
-- the text of a row depends on these settings only.
CREATE OR REPLACE FUNCTION pipe.month_checksum(
    p_parent name, p_table regclass, OUT row_count bigint, OUT checksum text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $function$
BEGIN
    EXECUTE format(
        $query$
        SELECT
            count(*),
            concat_ws(
                '-',
                coalesce(sum(('x' || left(digests.digest, 15))::bit(60)::bigint), 0),
                coalesce(sum(('x' || substr(digests.digest, 16, 15))::bit(60)::bigint), 0)
            )
        FROM (
            SELECT encode(sha256(convert_to(ROW(%s)::text, 'UTF8')), 'hex') AS digest FROM %s AS r
        ) AS digests
        $query$,
        (SELECT string_agg(format('r.%I', listed.column_name), ', ') FROM pipe.month_columns(p_parent) AS listed),
        p_table
    )
    INTO row_count, checksum;
END;
$function$;

COMMENT ON FUNCTION pipe.month_checksum(name, regclass)
IS 'Number of rows of a month and a checksum over them, whatever their order and wherever they are.';

CREATE OR REPLACE FUNCTION pipe.archived_month(p_parent name, p_month date) RETURNS regclass
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT link.inhrelid::regclass
    FROM pg_inherits AS link
    WHERE
        link.inhparent = to_regclass(format('archive.%I', p_parent))
        AND link.inhrelid = to_regclass(format('archive.%I', pipe.partition_name(p_parent, p_month)));
$function$;

COMMENT ON FUNCTION pipe.archived_month(name, date) IS 'Table of an archived month; null: it is not in the archive.';

CREATE OR REPLACE FUNCTION pipe.refuse_unsealed_month(p_month regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    has_unsealed boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %s WHERE transaction_id >= coalesce('
        '(SELECT max(audit_seals.end_transaction) FROM pipe.audit_seals), ''0''))', p_month
    ) INTO has_unsealed;
    IF has_unsealed THEN
        RAISE EXCEPTION 'month % has rows that are not under seal yet', p_month
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'The job pipe_audit_seal seals them within minutes.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.refuse_unsealed_month(regclass) IS 'Refuses a month of the audit log that is not under seal.';

-- A last look at a month of the audit log before nobody can look at it any more.
CREATE OR REPLACE FUNCTION pipe.refuse_unproven_month(p_month regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    fault record;
BEGIN
    PERFORM pipe.audit_hold_months();
    PERFORM pipe.refuse_unsealed_month(p_month);
    SELECT * INTO fault FROM pipe.audit_first_fault(1);
    IF fault.broken_seal IS NOT NULL THEN
        RAISE EXCEPTION 'seal % of the audit log does not hold: %', fault.broken_seal, fault.problem
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'A month that leaves cannot be looked at again: first find out what happened to its rows.';
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.refuse_unproven_month(regclass)
IS 'Refuses a month of the audit log to leave that is not under seal, or while a seal does not hold.';

CREATE OR REPLACE FUNCTION pipe.drop_month(
    p_parent name, p_month date, p_row_count bigint, p_checksum text, p_sha256 text
) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $function$
DECLARE
    attempts CONSTANT integer := 100;
    month CONSTANT regclass := pipe.archived_month(p_parent, p_month);
    now_there record;
BEGIN
    IF month IS NULL OR NOT EXISTS (
        SELECT FROM upkeep.months_to_export() AS due WHERE due.parent = p_parent AND due.month = p_month
    ) THEN
        RAISE EXCEPTION 'month % of archive.% is not due to leave', to_char(p_month, 'YYYY-MM'), quote_ident(p_parent)
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'upkeep.months_to_export() lists the months that are, by the settings data.*_export_after_months.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('pipe.partitions'));
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', month);
    IF p_parent = 'audit_logs' THEN
        PERFORM pipe.refuse_unproven_month(month);
    END IF;
    SELECT * INTO now_there FROM pipe.month_checksum(p_parent, month);
    IF (now_there.row_count, now_there.checksum) IS DISTINCT FROM (p_row_count, p_checksum) THEN
        RAISE EXCEPTION '% has % rows with checksum %, its export % with checksum %',
            month, now_there.row_count, now_there.checksum, p_row_count, p_checksum
            USING ERRCODE = 'data_exception', HINT = 'Nothing was dropped; export it again.';
    END IF;

    PERFORM pipe.audit_record(
        'DROP_MONTH', 'archive', pipe.partition_name(p_parent, p_month), NULL, NULL, NULL,
        jsonb_build_object('rows', p_row_count, 'checksum', p_checksum, 'sha256', p_sha256)
    );
    PERFORM set_config('lock_timeout', '30ms', true);
    FOR attempt IN 1..attempts LOOP
        BEGIN
            EXECUTE format('DROP TABLE %s', month);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = attempts THEN
                RAISE;
            END IF;
        END;
        PERFORM pg_sleep(0.3);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.drop_month(name, date, bigint, text, text)
IS 'Drops an archived month whose export was read back with this count and checksum; records both.';

CREATE OR REPLACE FUNCTION pipe.receive_month(p_parent name, p_month date) RETURNS regclass
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $function$
DECLARE
    partition CONSTANT name := pipe.partition_name(p_parent, p_month);
BEGIN
    IF NOT EXISTS (SELECT FROM pipe.partition_policy() AS policy WHERE policy.parent = p_parent) THEN
        RAISE EXCEPTION 'table pipe.% is not partitioned by month', quote_ident(p_parent)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pipe.partition_policy() lists the tables that are.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('pipe.partitions'));
    IF coalesce(
        to_regclass(format('archive.%I', partition)), to_regclass(format('pipe.%I', partition))
    ) IS NOT NULL THEN
        RAISE EXCEPTION 'month % of % is in the database already', to_char(p_month, 'YYYY-MM'), p_parent
            USING ERRCODE = 'duplicate_table', HINT = format('Ask the view pipe.%I.', p_parent || '_all');
    END IF;
    -- The check says what its bounds will say, so that attaching it need not look at its rows.
    EXECUTE format(
        'CREATE TABLE archive.%I (LIKE archive.%I INCLUDING ALL, CHECK (%3$I IS NOT NULL AND %3$I >= %4$L AND %3$I < %5$L))',
        partition, p_parent,
        (
            SELECT attname FROM pg_partitioned_table INNER JOIN pg_attribute ON attrelid = partrelid AND attnum = partattrs[0]
            WHERE partrelid = to_regclass(format('archive.%I', p_parent))
        ),
        pipe.partition_bound(p_month), pipe.partition_bound((p_month + interval '1 month')::date)
    );
    PERFORM pipe.strip_privileges(format('archive.%I', partition)::regclass);
    RETURN format('archive.%I', partition)::regclass;
END;
$function$;

COMMENT ON FUNCTION pipe.receive_month(name, date)
IS 'Makes the table for an exported month that comes back; nobody sees it before pipe.attach_month().';

CREATE OR REPLACE FUNCTION pipe.attach_month(
    p_parent name, p_month date, p_row_count bigint, p_checksum text, p_sha256 text
) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10s'
AS $function$
DECLARE
    partition CONSTANT name := pipe.partition_name(p_parent, p_month);
    arrived record;
BEGIN
    SELECT * INTO arrived FROM pipe.month_checksum(p_parent, format('archive.%I', partition)::regclass);
    IF (arrived.row_count, arrived.checksum) IS DISTINCT FROM (p_row_count, p_checksum) THEN
        RAISE EXCEPTION '% rows with checksum % came back, % with checksum % had left',
            arrived.row_count, arrived.checksum, p_row_count, p_checksum
            USING ERRCODE = 'data_exception', HINT = 'Nothing was attached; take another copy of the export.';
    END IF;
    EXECUTE format(
        'ALTER TABLE archive.%I ATTACH PARTITION archive.%I FOR VALUES FROM (%L) TO (%L)',
        p_parent, partition, pipe.partition_bound(p_month), pipe.partition_bound((p_month + interval '1 month')::date)
    );
    EXECUTE format(
        'CREATE TRIGGER read_only_truncate BEFORE TRUNCATE ON archive.%I FOR EACH STATEMENT '
        'EXECUTE FUNCTION pipe.refuse_change(%L, %L)',
        partition, 'archived months are read-only', format('Live months are in pipe.%I.', p_parent)
    );
    PERFORM pipe.audit_record(
        'ATTACH_MONTH', 'archive', partition, NULL, NULL, NULL,
        jsonb_build_object('rows', p_row_count, 'checksum', p_checksum, 'sha256', p_sha256)
    );
END;
$function$;

COMMENT ON FUNCTION pipe.attach_month(name, date, bigint, text, text)
IS 'Puts a month that came back into the archive, read-only, when its rows are those that had left.';

REVOKE ALL ON FUNCTION
pipe.month_columns(name),
pipe.month_checksum(name, regclass),
pipe.archived_month(name, date),
pipe.refuse_unsealed_month(regclass),
pipe.refuse_unproven_month(regclass),
pipe.drop_month(name, date, bigint, text, text),
pipe.receive_month(name, date),
pipe.attach_month(name, date, bigint, text, text)
FROM public;
