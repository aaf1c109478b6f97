-- What columns mean, where the migration that made them does not say it: the data dictionary is made of comments
-- (docs/data-dictionary.md), and psql shows them with \d+.
--
-- Archive and history views have the columns of a table of schema pipe, so they get its texts.

COMMENT ON COLUMN pipe.users.id IS 'Made by the database unless given.';
COMMENT ON COLUMN pipe.users.name IS 'As people want to be called; not unique.';
COMMENT ON COLUMN pipe.users.created_at IS 'When the row was made.';

COMMENT ON COLUMN pipe.organizations.id
IS 'Made by the database unless given; the tenant that a transaction names for isolation.';
COMMENT ON COLUMN pipe.organizations.name IS 'As shown; not unique.';
COMMENT ON COLUMN pipe.organizations.created_at IS 'When the row was made.';

COMMENT ON COLUMN pipe.organization_members.organization_id IS 'The tenant.';
COMMENT ON COLUMN pipe.organization_members.user_id IS 'The person.';
COMMENT ON COLUMN pipe.organization_members.joined_at IS 'Since when.';

COMMENT ON COLUMN pipe.pipelines.id IS 'Made by the database unless given.';
COMMENT ON COLUMN pipe.pipelines.organization_id IS 'Tenant that it belongs to.';
COMMENT ON COLUMN pipe.pipelines.name IS 'As shown; not unique.';
COMMENT ON COLUMN pipe.pipelines.description IS 'For people.';
COMMENT ON COLUMN pipe.pipelines.created_by IS 'Who made it; null: the system.';
COMMENT ON COLUMN pipe.pipelines.created_at IS 'When the row was made.';

COMMENT ON COLUMN pipe.pipeline_runs.id IS 'Made by the database unless given; unique together with started_at.';
COMMENT ON COLUMN pipe.pipeline_runs.pipeline_id IS 'Pipeline that ran; through it the tenant.';
COMMENT ON COLUMN pipe.pipeline_runs.completed_at IS 'When it ended, whatever the outcome; null: not yet.';
COMMENT ON COLUMN pipe.pipeline_runs.error_message IS 'Why it failed, for people.';
COMMENT ON COLUMN pipe.pipeline_runs.metrics IS 'What the run measured of itself.';
COMMENT ON COLUMN pipe.pipeline_runs.created_by IS 'Who started it; null: a schedule or the system.';

COMMENT ON COLUMN pipe.storage_files.id IS 'Made by the database unless given.';
COMMENT ON COLUMN pipe.storage_files.organization_id IS 'Tenant whose quota it counts against.';
COMMENT ON COLUMN pipe.storage_files.path IS 'Key in object storage; not unique, as a path may be written again.';
COMMENT ON COLUMN pipe.storage_files.mime_type IS 'Type of the content, where it is known.';
COMMENT ON COLUMN pipe.storage_files.metadata IS 'What else is known of the file.';
COMMENT ON COLUMN pipe.storage_files.created_by IS 'Who made it; null: the system.';
COMMENT ON COLUMN pipe.storage_files.created_at IS 'When the row was made.';

COMMENT ON COLUMN pipe.api_keys.id IS 'Made by the database unless given; a key of a slow hash is found by it.';
COMMENT ON COLUMN pipe.api_keys.organization_id IS 'Tenant that the key opens.';
COMMENT ON COLUMN pipe.api_keys.name IS 'What people call the key.';
COMMENT ON COLUMN pipe.api_keys.last_used_at IS 'Last time that it was used; null: never.';
COMMENT ON COLUMN pipe.api_keys.created_by IS 'Who made it; null: the system.';
COMMENT ON COLUMN pipe.api_keys.created_at IS 'When the row was made.';

COMMENT ON COLUMN pipe.audit_logs.id IS 'Tells rows of one moment apart.';
COMMENT ON COLUMN pipe.audit_logs.occurred_at
IS 'Wall clock when the row was written; partition key, months are those of UTC.';
COMMENT ON COLUMN pipe.audit_logs.transaction_at IS 'When the transaction began.';
COMMENT ON COLUMN pipe.audit_logs.transaction_id IS 'Groups what one transaction did.';
COMMENT ON COLUMN pipe.audit_logs.organization_id IS 'Tenant of the row that changed; null: of none.';
COMMENT ON COLUMN pipe.audit_logs.operation
IS 'INSERT, UPDATE, DELETE, TRUNCATE, or an important operation such as ARCHIVE.';
COMMENT ON COLUMN pipe.audit_logs.table_name IS 'What was changed.';
COMMENT ON COLUMN pipe.audit_logs.application_name IS 'What the client calls itself.';

COMMENT ON COLUMN pipe.audit_seals.number IS 'Place in the chain, from 1 without a gap.';
COMMENT ON COLUMN pipe.audit_seals.sealed_at IS 'When it was made.';
COMMENT ON COLUMN pipe.audit_seals.first_transaction IS 'First transaction that it covers.';
COMMENT ON COLUMN pipe.audit_seals.row_count IS 'Rows that it covers.';

COMMENT ON COLUMN pipe.audit_verifications.number IS 'Counts the checks.';
COMMENT ON COLUMN pipe.audit_verifications.verified_at IS 'When the check was made.';
COMMENT ON COLUMN pipe.audit_verifications.verified_by IS 'Role that made it.';
COMMENT ON COLUMN pipe.audit_verifications.first_seal IS 'First seal that was checked.';
COMMENT ON COLUMN pipe.audit_verifications.last_seal IS 'Last seal that was checked.';
COMMENT ON COLUMN pipe.audit_verifications.problem IS 'What does not hold; null: everything does.';

COMMENT ON COLUMN pipe.audit_seen.subject IS 'What is watched.';
COMMENT ON COLUMN pipe.audit_seen.seen IS 'How it was when it was last looked at.';
COMMENT ON COLUMN pipe.audit_seen.seen_at IS 'When that was.';

COMMENT ON COLUMN upkeep.jobs.job_name IS 'Name in pg_cron.';
COMMENT ON COLUMN upkeep.jobs.schedule IS 'When it runs, in the form of cron.';
COMMENT ON COLUMN upkeep.jobs.command IS 'What it runs.';
COMMENT ON COLUMN upkeep.jobs.since IS 'Since when it has had this schedule.';

COMMENT ON COLUMN upkeep.runs.run_id IS 'Number of the run in pg_cron.';
COMMENT ON COLUMN upkeep.runs.command IS 'What ran.';
COMMENT ON COLUMN upkeep.runs.started_at IS 'When it began.';
COMMENT ON COLUMN upkeep.runs.ended_at IS 'When it ended.';
COMMENT ON COLUMN upkeep.runs.status IS 'succeeded or failed.';
COMMENT ON COLUMN upkeep.runs.message IS 'What the command returned, or why it failed.';

-- Since drills are made of every repository.
COMMENT ON COLUMN upkeep.drills.backup
IS 'Label of the backup, or of one in each of several repositories; null: there was none.';
COMMENT ON COLUMN upkeep.drills.bytes IS 'Size of the database in that backup, or in the one that took longest.';
COMMENT ON COLUMN upkeep.drills.recovery_seconds
IS 'From the first restored file to the end of the recovery; the longest.';
COMMENT ON COLUMN upkeep.drills.recovery_point IS 'The newest moment that was restored, from every repository.';

COMMENT ON COLUMN upkeep.index_usage.schema_name IS 'Schema of the index.';
COMMENT ON COLUMN upkeep.index_usage.observed_since IS 'Since when its use is observed.';

DO $block$
DECLARE
    copied record;
BEGIN
    FOR copied IN
        SELECT twin.oid::regclass AS relation, twin_column.attname, col_description(live.oid, live_column.attnum) AS said
        FROM pg_catalog.pg_class AS live
        INNER JOIN pg_catalog.pg_class AS twin
            ON (twin.relnamespace = 'archive'::regnamespace AND twin.relname = live.relname)
            OR (twin.relnamespace = 'pipe'::regnamespace AND twin.relname IN (live.relname || '_all', live.relname || '_in_transit'))
        INNER JOIN pg_catalog.pg_attribute AS twin_column ON twin_column.attrelid = twin.oid
        INNER JOIN pg_catalog.pg_attribute AS live_column
            ON live_column.attrelid = live.oid AND live_column.attname = twin_column.attname
        WHERE
            live.relnamespace = 'pipe'::regnamespace
            AND live.relkind = 'p'
            AND live_column.attnum > 0
            AND col_description(live.oid, live_column.attnum)
            IS DISTINCT FROM col_description(twin.oid, twin_column.attnum)
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', copied.relation, copied.attname, copied.said);
    END LOOP;
END;
$block$;
