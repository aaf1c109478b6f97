-- What a person should look at when there is time: indexes that cost more than they give, or are missing, tables on
-- their way to a wraparound, tables full of dead rows. What cannot wait is an alert (088_alerts.sql).

CREATE OR REPLACE FUNCTION upkeep.index_report()
RETURNS TABLE (kind text, object text, message text, hint text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Months are left out: they have what their table has.
    WITH indexes AS (
        SELECT
            pg_index.*,
            pg_namespace.nspname,
            index_class.relname,
            index_class.relam,
            ARRAY(
                SELECT concat_ws('/', entry.attnum, entry.opclass, entry.sorting, entry.direction)
                FROM unnest(
                    pg_index.indkey::smallint [], pg_index.indclass::oid [], pg_index.indcollation::oid [],
                    pg_index.indoption::smallint []
                ) AS entry (attnum, opclass, sorting, direction)
            ) AS columns,
            pg_index.indexprs IS NULL AND pg_index.indpred IS NULL AS plain,
            pg_get_expr(pg_index.indexprs, pg_index.indrelid) AS expressions,
            pg_get_expr(pg_index.indpred, pg_index.indrelid) AS predicate,
            EXISTS (
                SELECT FROM pg_constraint
                WHERE pg_constraint.conindid = pg_index.indexrelid AND pg_constraint.contype IN ('p', 'u', 'x')
            ) AS of_constraint
        FROM pg_index
        INNER JOIN pg_class AS index_class ON index_class.oid = pg_index.indexrelid
        INNER JOIN pg_namespace ON pg_namespace.oid = index_class.relnamespace
        WHERE pg_namespace.nspname IN ('pipe', 'archive', 'upkeep') AND NOT index_class.relispartition
    ),

    foreign_keys AS (
        SELECT fk.*, pg_namespace.nspname
        FROM pg_constraint AS fk
        INNER JOIN pg_class ON pg_class.oid = fk.conrelid
        INNER JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
        WHERE fk.contype = 'f' AND fk.conparentid = 0 AND pg_namespace.nspname IN ('pipe', 'archive', 'upkeep')
    )

    SELECT
        'unused index',
        indexes.indexrelid::regclass::text,
        format('index %s was not used since %s', indexes.indexrelid::regclass, known.since::date),
        'Replicas count their own scans: look at last_idx_scan of pg_stat_all_indexes there, then drop it by a migration.'
    FROM indexes
    INNER JOIN upkeep.index_usage AS usage ON (usage.schema_name, usage.index_name) = (indexes.nspname, indexes.relname)
    CROSS JOIN LATERAL (SELECT greatest(usage.observed_since, usage.last_used_at) AS since) AS known
    WHERE
        NOT indexes.indisunique
        -- Reading the archive is rare by its nature.
        AND indexes.nspname = 'pipe'
        AND known.since < CURRENT_TIMESTAMP - interval '30 days'
    UNION ALL
    SELECT
        'duplicate index',
        spare.indexrelid::regclass::text,
        format('index %s gives nothing that %s does not', spare.indexrelid::regclass, other.indexrelid::regclass),
        format('Drop it by a migration: DROP INDEX CONCURRENTLY %s.', spare.indexrelid::regclass)
    FROM indexes AS spare
    INNER JOIN indexes AS other
        ON other.indrelid = spare.indrelid AND other.indexrelid <> spare.indexrelid AND other.relam = spare.relam
    WHERE
        NOT spare.of_constraint
        AND (
            (
                -- The same in every respect; of two that are equal the older one stays.
                spare.columns = other.columns
                AND spare.expressions IS NOT DISTINCT FROM other.expressions
                AND spare.predicate IS NOT DISTINCT FROM other.predicate
                AND (NOT spare.indisunique OR other.indisunique)
                AND (
                    other.of_constraint
                    OR (other.indisunique AND NOT spare.indisunique)
                    OR other.indexrelid < spare.indexrelid
                )
            )
            OR (
                -- The beginning of a wider one, which serves the same questions.
                NOT spare.indisunique
                AND spare.plain
                AND other.plain
                AND cardinality(spare.columns) < cardinality(other.columns)
                AND spare.columns = other.columns[1:cardinality(spare.columns)]
            )
        )
    UNION ALL
    SELECT
        'foreign key without index',
        foreign_keys.conrelid::regclass::text,
        format('foreign key %s of %s has no index', foreign_keys.conname, foreign_keys.conrelid::regclass),
        format('A DELETE on %s scans the whole table; make one by a migration.', foreign_keys.confrelid::regclass)
    FROM foreign_keys
    WHERE NOT EXISTS (
        SELECT FROM pg_index AS serving
        WHERE
            serving.indrelid = foreign_keys.conrelid
            AND serving.indpred IS NULL
            AND (serving.indkey::smallint [])[0:cardinality(foreign_keys.conkey) - 1] @> foreign_keys.conkey
    )
    UNION ALL
    SELECT
        'bloated index',
        bloated.index_name::text,
        format('about %s %% of index %s (%s) is air', bloated.bloat_percent, bloated.index_name, pg_size_pretty(bloated.bytes)),
        'The job pipe_reindex rebuilds one a night, each at most once a month.'
    FROM upkeep.index_bloat() AS bloated, upkeep.policy() AS policy
    WHERE bloated.bloat_percent >= policy.reindex_bloat_percent;
$function$;

COMMENT ON FUNCTION upkeep.index_report()
IS 'Indexes that are not used, duplicate or bloated, and foreign keys without one.';

CREATE OR REPLACE FUNCTION upkeep.transaction_ages()
RETURNS TABLE (object text, age bigint, age_limit bigint)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The limit is where autovacuum comes whatever it costs; that of a table can be lower.
    WITH server AS (SELECT current_setting('autovacuum_freeze_max_age')::bigint AS age_limit)

    SELECT
        pg_class.oid::regclass::text,
        age(pg_class.relfrozenxid),
        least(
            server.age_limit,
            substring(array_to_string(pg_class.reloptions, ',') FROM 'autovacuum_freeze_max_age=([0-9]+)')::bigint
        )
    FROM pg_class
    CROSS JOIN server
    WHERE
        pg_class.relkind IN ('r', 'm')
        AND pg_class.relnamespace IN (
            'pipe'::regnamespace, 'archive'::regnamespace, 'migrations'::regnamespace, 'upkeep'::regnamespace,
            'cron'::regnamespace
        )
    UNION ALL
    SELECT 'database ' || pg_database.datname, age(pg_database.datfrozenxid), server.age_limit
    FROM pg_database
    CROSS JOIN server;
$function$;

COMMENT ON FUNCTION upkeep.transaction_ages()
IS 'Age in transactions of the oldest row that is not frozen, and the age at which autovacuum is forced.';

CREATE OR REPLACE FUNCTION upkeep.report()
RETURNS TABLE (kind text, object text, message text, hint text)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT found.kind, found.object, found.message, found.hint FROM upkeep.index_report() AS found
    UNION ALL
    SELECT
        'near wraparound',
        ages.object,
        format('%s is %s transactions old, %s %% of its limit', ages.object, ages.age, 100 * ages.age / ages.age_limit),
        'VACUUM (FREEZE) at a quiet hour, before autovacuum does it at any hour; of a database: its oldest tables.'
    FROM upkeep.transaction_ages() AS ages
    WHERE ages.age > ages.age_limit * 0.8
    UNION ALL
    SELECT
        'dead rows',
        pg_class.oid::regclass::text,
        format('%s of %s rows of %s are dead', counted.dead, counted.dead + counted.live, pg_class.oid::regclass),
        'Autovacuum does not keep up or is held up: look for old transactions and unused replication slots.'
    FROM pg_class
    CROSS JOIN LATERAL (
        SELECT pg_stat_get_dead_tuples(pg_class.oid) AS dead, pg_stat_get_live_tuples(pg_class.oid) AS live
    ) AS counted
    WHERE
        pg_class.relkind = 'r'
        AND pg_class.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace, 'upkeep'::regnamespace)
        AND counted.dead > 10000
        AND counted.dead > counted.live * 0.5;
$function$;

COMMENT ON FUNCTION upkeep.report() IS 'What a person should look at when there is time; each line with a hint.';

REVOKE ALL ON FUNCTION upkeep.index_report(), upkeep.transaction_ages(), upkeep.report() FROM public;
GRANT EXECUTE ON FUNCTION upkeep.report() TO pipe_monitor;
