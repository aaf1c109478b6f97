-- A drill says whose backup it was of, and one that the primary took no part in is kept as well.
--
-- Why it is like this:
--   * What is restored into another stack brings the drills of its source along, which say nothing of the new stack's
--     backups. The name is the cluster's, which is the stanza's too, and no restore brings it.
--   * A drill that could not begin at the primary has no restore point; that it failed has to be known all the same.

ALTER TABLE upkeep.drills ADD COLUMN stack text;

-- In what was restored from a backup of before this migration, the watch has still seen the source's name last.
UPDATE upkeep.drills
SET stack = coalesce(
    (
        SELECT audit_seen.seen #>> '{}' FROM pipe.audit_seen
        WHERE audit_seen.subject = 'CLUSTER server'
    ),
    current_setting('cluster_name')
);

ALTER TABLE upkeep.drills ALTER COLUMN stack SET DEFAULT current_setting('cluster_name');

-- A row a week: it is read in no time.
-- squawk-ignore adding-not-nullable-field
ALTER TABLE upkeep.drills ALTER COLUMN stack SET NOT NULL;

-- squawk-ignore ban-drop-not-null
ALTER TABLE upkeep.drills ALTER COLUMN restore_point DROP NOT NULL;

-- squawk-ignore ban-drop-not-null
ALTER TABLE upkeep.drills ALTER COLUMN lsn DROP NOT NULL;

COMMENT ON COLUMN upkeep.drills.stack IS 'Whose backup it was: the name of the cluster then.';
COMMENT ON COLUMN upkeep.drills.started_at
IS 'When its restore point was made; where there is none, when it was recorded.';
COMMENT ON COLUMN upkeep.drills.restore_point
IS 'Up to where it was restored; made for the drill. Null: the primary did not answer when it began.';
COMMENT ON COLUMN upkeep.drills.lsn IS 'Where that is in the WAL.';
