-- Bloated indexes are rebuilt without stopping anybody: at most one a night, the one that wastes most.
--
-- REINDEX CONCURRENTLY must be a statement of its own, so it is planned like the freezing of months (083_freeze.sql).
-- When it is cut off, an invalid index "..._ccnew" is left that costs every write: removing it comes first.
--
-- Bloat is estimated from the catalog and the statistics, as nobody would want to read every index every night. What
-- the estimate gets wrong would be rebuilt in vain, so an index that was rebuilt is left alone for a month.

CREATE OR REPLACE FUNCTION upkeep.index_bloat()
RETURNS TABLE (index_name regclass, bytes bigint, bloat_percent integer)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH indexes AS (
        SELECT
            index_class.oid, index_class.relname, index_class.relpages, index_class.reltuples, pg_index.indkey,
            pg_index.indisunique OR pg_index.indnatts > pg_index.indnkeyatts AS shares_no_entry,
            pg_namespace.nspname, table_class.oid AS table_oid, table_class.relname AS table_name,
            coalesce(substring(array_to_string(index_class.reloptions, ',') FROM 'fillfactor=([0-9]+)'), '90')::numeric
            / 100 AS fill
        FROM pg_index
        INNER JOIN pg_class AS index_class ON index_class.oid = pg_index.indexrelid AND index_class.relkind = 'i'
        INNER JOIN pg_class AS table_class ON table_class.oid = pg_index.indrelid
        INNER JOIN pg_namespace ON pg_namespace.oid = table_class.relnamespace
        INNER JOIN pg_am ON pg_am.oid = index_class.relam AND pg_am.amname = 'btree'
        WHERE
            pg_namespace.nspname IN ('pipe', 'archive', 'upkeep')
            AND pg_index.indisvalid
            -- Below 4 MB nothing is won.
            AND index_class.relpages >= 512
            AND index_class.reltuples >= 0
    ),

    -- The statistics of an expression stand under the index's own name. Not analysed yet: not judged.
    keys AS (
        SELECT
            indexes.oid,
            sum(pg_stats.avg_width * (1 - pg_stats.null_frac)) AS width,
            max(
                CASE
                    WHEN pg_stats.n_distinct < 0 THEN - pg_stats.n_distinct * indexes.reltuples
                    ELSE pg_stats.n_distinct
                END
            ) AS distinct_keys
        FROM indexes
        INNER JOIN pg_attribute AS key_column ON key_column.attrelid = indexes.oid
        LEFT JOIN pg_attribute AS table_column
            ON table_column.attrelid = indexes.table_oid
            AND table_column.attnum = indexes.indkey[key_column.attnum - 1]
            AND table_column.attnum > 0
        LEFT JOIN pg_stats
            ON pg_stats.schemaname = indexes.nspname
            AND NOT pg_stats.inherited
            AND (pg_stats.tablename, pg_stats.attname) = (
                CASE WHEN table_column.attnum IS NULL THEN indexes.relname ELSE indexes.table_name END,
                coalesce(table_column.attname, key_column.attname)
            )
        GROUP BY indexes.oid
        HAVING bool_and(pg_stats.attname IS NOT NULL)
    ),

    -- An entry: header, key and line pointer, aligned to 8 bytes. Equal keys share one entry for up to about 200 rows
    -- of 6 bytes each (deduplication), but not in a unique index or one with INCLUDE.
    sizes AS (
        SELECT
            indexes.*,
            ceil((8 + keys.width) / 8.0) * 8 + 4 AS entry,
            least(indexes.reltuples / greatest(keys.distinct_keys, 1), 200) AS copies
        FROM indexes
        INNER JOIN keys ON keys.oid = indexes.oid
    ),

    needed AS (
        SELECT
            sizes.*,
            1 + ceil(
                sizes.reltuples
                * CASE
                    WHEN sizes.shares_no_entry OR sizes.copies < 2 THEN sizes.entry
                    ELSE 6 + sizes.entry / sizes.copies
                END
                / ((8192 - 24 - 16) * sizes.fill::float8)
            ) AS pages
        FROM sizes
    )

    SELECT
        needed.oid::regclass,
        needed.relpages::bigint * 8192,
        greatest(0, round(100 * (1 - needed.pages / needed.relpages)))::integer
    FROM needed
    ORDER BY (needed.relpages - needed.pages) DESC;
$function$;

COMMENT ON FUNCTION upkeep.index_bloat()
IS 'Estimated share of each bigger B-tree that a rebuild would free; most bytes first.';

REVOKE ALL ON FUNCTION upkeep.index_bloat() FROM public;

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.plan_reindex() RETURNS text
LANGUAGE plpgsql
SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    command text;
BEGIN
    SELECT format('DROP INDEX CONCURRENTLY %s', pg_index.indexrelid::regclass) INTO command
    FROM pg_index
    INNER JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    WHERE
        NOT pg_index.indisvalid
        AND pg_class.relname ~ '_cc(new|old)[0-9]*$'
        AND pg_class.relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace, 'upkeep'::regnamespace)
        -- One that is being built at this moment is no leftover.
        AND NOT EXISTS (
            SELECT FROM pg_stat_progress_create_index AS building WHERE building.relid = pg_index.indrelid
        )
    ORDER BY pg_class.relname
    LIMIT 1;

    IF command IS NULL THEN
        SELECT due.command INTO command
        FROM upkeep.index_bloat() AS index,
            upkeep.policy() AS policy,
            format('REINDEX INDEX CONCURRENTLY %s', index.index_name) AS due (command)
        WHERE
            index.bloat_percent >= policy.reindex_bloat_percent
            AND NOT EXISTS (
                SELECT FROM upkeep.runs
                WHERE
                    runs.command = due.command
                    AND runs.status = 'succeeded'
                    AND runs.started_at > CURRENT_TIMESTAMP - interval '30 days'
            )
        LIMIT 1;
    END IF;
    RETURN upkeep.run_once('reindex', command);
END;
$function$;

COMMENT ON FUNCTION upkeep.plan_reindex()
IS 'Plans the removal of a left-over index, or the rebuild of the most bloated one, and says what. As pipe_migrator.';

REVOKE ALL ON FUNCTION upkeep.plan_reindex() FROM public;

SET LOCAL ROLE pipe_owner;
