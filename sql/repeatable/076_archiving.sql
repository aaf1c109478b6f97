-- How archiving fares: whether it fails, since when, and how much WAL waits on the primary for it.
--
-- What waits is counted from the files by which PostgreSQL itself knows it. Its statistics do not tell: each member has
-- its own. One that was promoted while archiving failed is stuck at a history file, and has archived nothing yet, or
-- did so last in another time as the primary. History files wait there too, but take no room.

SET LOCAL ROLE pipe_migrator;

CREATE OR REPLACE FUNCTION upkeep.archiving()
RETURNS TABLE (failing boolean, last_success timestamptz, stuck_at text, waiting_bytes bigint)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH waiting AS MATERIALIZED (
        SELECT left(file.name, -length('.ready')) AS name
        FROM pg_ls_archive_statusdir() AS file
        -- A replica archives nothing: what it has of these is from its own time as the primary.
        WHERE file.name LIKE '%.ready' AND NOT pg_is_in_recovery()
    )

    SELECT
        archiver.failing,
        archiver.last_archived_time,
        CASE WHEN archiver.failing THEN archiver.last_failed_wal END,
        (
            SELECT count(*) FROM waiting
            -- The last segment of the timeline before is archived as far as it goes, and is as large.
            WHERE waiting.name ~ '^[0-9A-F]{24}(\.partial)?$'
        ) * pg_size_bytes(current_setting('wal_segment_size'))
    FROM (
        SELECT
            stat.last_archived_time,
            stat.last_failed_wal,
            -- What once failed here may have been archived by another member since.
            coalesce(stat.last_failed_time > coalesce(stat.last_archived_time, '-infinity'), false)
            AND EXISTS (SELECT FROM waiting WHERE waiting.name = stat.last_failed_wal) AS failing
        FROM pg_stat_archiver AS stat
    ) AS archiver;
$function$;

COMMENT ON FUNCTION upkeep.archiving()
IS 'Whether archiving fails, its last success, the segment that it is stuck at, and the bytes that wait for it.';

REVOKE ALL ON FUNCTION upkeep.archiving() FROM public;

SET LOCAL ROLE pipe_owner;
