-- How archiving fares: whether it fails, since when, and how much WAL waits on the primary for it.
--
-- What waits is counted from the names of segments, so no right to look into directories is needed: while archiving
-- fails, PostgreSQL names the oldest segment that it is stuck at; else the next one after the last that went. The one
-- that is being written does not wait yet.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.archiving()
RETURNS TABLE (failing boolean, last_success timestamptz, stuck_at text, waiting_bytes bigint)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        archiver.failing,
        archiver.last_archived_time,
        CASE WHEN archiver.failing THEN archiver.last_failed_wal END,
        coalesce(
            greatest(
                0,
                written.segment - coalesce(
                    -- History files have other names, and go first.
                    CASE
                        WHEN archiver.failing AND left(archiver.last_failed_wal, 24) ~ '^[0-9A-F]{24}$'
                            THEN (pg_split_walfile_name(left(archiver.last_failed_wal, 24))).segment_number
                    END,
                    CASE
                        WHEN left(archiver.last_archived_wal, 24) ~ '^[0-9A-F]{24}$'
                            THEN (pg_split_walfile_name(left(archiver.last_archived_wal, 24))).segment_number + 1
                    END
                )
            ) * pg_size_bytes(current_setting('wal_segment_size')),
            0
        )::bigint
    FROM (
        SELECT
            stat.*,
            coalesce(stat.last_failed_time > coalesce(stat.last_archived_time, '-infinity'), false) AS failing
        FROM pg_stat_archiver AS stat
    ) AS archiver
    CROSS JOIN LATERAL (
        SELECT
            CASE
                WHEN NOT pg_is_in_recovery()
                    THEN (pg_split_walfile_name(pg_walfile_name(pg_current_wal_lsn()))).segment_number
            END AS segment
    ) AS written;
$function$;

COMMENT ON FUNCTION upkeep.archiving()
IS 'Whether archiving fails, its last success, the segment that it is stuck at, and the bytes that wait for it.';

REVOKE ALL ON FUNCTION upkeep.archiving() FROM public;

SET LOCAL ROLE pipe_owner;
