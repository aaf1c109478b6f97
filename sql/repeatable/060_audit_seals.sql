-- Seals: every few minutes the rows that are new in the audit log are digested into a chain, so that a later change
-- shows even when the owner or a superuser makes it (pipe.audit_verify() finds it).
--
-- Which rows a seal covers is exact without a lock that writers would wait for: those of all transactions from the
-- end of the seal before up to the oldest one that still runs. All of them have ended, and no row can join them: it
-- would need a transaction that is over. A long transaction delays its own rows and those after it, loses none. After
-- a failover or a restore the chain goes on, as seals and rows come out of the same WAL.
--
-- The newest seal leaves the database twice, since who can change rows could make the whole chain anew: as a line of
-- the server log, and as a named restore point in the WAL, which the backup repository keeps.

-- SQL of a digest over the rows of "span" (first_transaction, end_transaction). What it covers and how it is written
-- must stay as it is for ever: a column that comes later is not covered unless a new digest takes over from a seal on.
-- A million rows at a time, since an aggregate's state cannot exceed 1 GB.
CREATE OR REPLACE FUNCTION pipe.audit_digest_query() RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT format(
        $query$
        SELECT
            coalesce(sum(part.row_count), 0)::bigint AS row_count,
            min(part.first_row_at) AS first_row_at,
            max(part.last_row_at) AS last_row_at,
            sha256(string_agg(part.digest, '' ORDER BY part.number)) AS rows_hash
        FROM (
            SELECT
                numbered.place / 1000000 AS number,
                count(*) AS row_count,
                min(numbered.occurred_at) AS first_row_at,
                max(numbered.occurred_at) AS last_row_at,
                sha256(string_agg(numbered.digest, '' ORDER BY numbered.place)) AS digest
            FROM (
                SELECT
                    row_number() OVER (ORDER BY r.transaction_id, r.occurred_at, r.id, r.digest) - 1 AS place,
                    r.occurred_at,
                    r.digest
                FROM (%s) AS r
            ) AS numbered
            GROUP BY number
        ) AS part
        $query$,
        string_agg(
            format(
                $query$
                SELECT
                    transaction_id, occurred_at, id,
                    sha256(convert_to(jsonb_build_array(
                        id, occurred_at, transaction_at, statement_at, transaction_id, session_role, acting_role,
                        app_user, organization_id, operation, table_schema, table_name, row_key, old_values,
                        new_values, client_address, app_client_address, application_name
                    )::text, 'UTF8')) AS digest
                FROM %s
                WHERE transaction_id >= span.first_transaction AND transaction_id < span.end_transaction
                $query$,
                source.name
            ),
            ' UNION ALL '
        )
    )
    FROM (
        VALUES ('pipe.audit_logs'), ('archive.audit_logs')
        UNION ALL
        -- A month on its way to the archive is in neither.
        SELECT format('pipe.%I', status.partition)
        FROM pipe.partition_status() AS status
        WHERE status.parent = 'audit_logs' AND (NOT status.attached OR status.detach_pending)
    ) AS source (name);
$function$;

COMMENT ON FUNCTION pipe.audit_digest_query()
IS 'SQL that digests the audit log''s rows of a span of transactions, wherever their months are.';

CREATE OR REPLACE FUNCTION pipe.audit_seal_hash(p_seal pipe.audit_seals) RETURNS bytea
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
    SELECT sha256(convert_to((to_jsonb(p_seal) - 'hash')::text, 'UTF8'));
$function$;

COMMENT ON FUNCTION pipe.audit_seal_hash(pipe.audit_seals) IS 'The hash that a seal has to have.';

-- Nothing may move between live table and archive while rows are digested. Writers go on.
CREATE OR REPLACE FUNCTION pipe.audit_hold_months() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('pipe.partitions'));
    LOCK TABLE pipe.audit_logs IN SHARE UPDATE EXCLUSIVE MODE;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_hold_months()
IS 'Keeps months of the audit log where they are until the transaction ends.';

-- As the role that calls: it needs the owner's rights, and EXECUTE on pg_create_restore_point of its own.
CREATE OR REPLACE FUNCTION pipe.audit_seal() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '10s'
AS $function$
DECLARE
    before pipe.audit_seals;
    seal pipe.audit_seals;
    boundary xid8;
    mark text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('pipe.audit_seal')) THEN
        RETURN 'nothing done: another session seals';
    END IF;
    PERFORM pipe.audit_hold_months();
    SELECT * INTO before FROM pipe.audit_seals ORDER BY audit_seals.number DESC LIMIT 1;
    boundary := pg_snapshot_xmin(pg_current_snapshot());

    seal.number := coalesce(before.number, 0) + 1;
    seal.sealed_at := clock_timestamp();
    seal.first_transaction := coalesce(before.end_transaction, '0');
    seal.end_transaction := boundary;
    seal.previous_hash := before.hash;
    EXECUTE format(
        'SELECT digest.* FROM (SELECT $1, $2) AS span (first_transaction, end_transaction) '
        'CROSS JOIN LATERAL (%s) AS digest',
        pipe.audit_digest_query()
    )
    INTO seal.row_count, seal.first_row_at, seal.last_row_at, seal.rows_hash
    USING seal.first_transaction, boundary;
    IF seal.row_count = 0 THEN
        RETURN 'nothing to seal';
    END IF;
    seal.hash := pipe.audit_seal_hash(seal);
    INSERT INTO pipe.audit_seals VALUES (seal.*);

    mark := format('audit_seal_%s_%s', seal.number, left(encode(seal.hash, 'hex'), 12));
    RAISE LOG 'pipe audit: seal % over % rows has hash %', seal.number, seal.row_count, encode(seal.hash, 'hex');
    IF has_function_privilege('pg_create_restore_point(text)', 'EXECUTE') THEN
        PERFORM pg_create_restore_point(mark);
    END IF;
    RETURN format('%s, %s rows', mark, seal.row_count);
END;
$function$;

COMMENT ON FUNCTION pipe.audit_seal() IS 'Seals the audit log''s new rows; says which seal that was.';

REVOKE ALL ON FUNCTION
pipe.audit_digest_query(),
pipe.audit_seal_hash(pipe.audit_seals),
pipe.audit_hold_months(),
pipe.audit_seal()
FROM public;
