-- Drills: restores of the newest backup into a throw-away instance, each with what it found.
--
-- Why it is like this:
--   * A drill begins with a row, made by the database itself together with the restore point up to which is restored.
--     So one that never came back shows too.
--   * The row is not in what is restored: it is written after the restore point.

CREATE TABLE upkeep.drills (
    number bigint GENERATED ALWAYS AS IDENTITY,
    started_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    restore_point text NOT NULL,
    lsn pg_lsn NOT NULL,
    ended_at timestamp with time zone,
    backup text,
    bytes bigint,
    recovery_seconds double precision,
    recovery_point timestamp with time zone,
    compared_rows bigint,
    problems text[] NOT NULL DEFAULT '{}',
    CONSTRAINT drills_pkey PRIMARY KEY (number)
);

COMMENT ON TABLE upkeep.drills IS 'Restores of the newest backup into a throw-away instance, and what was found.';
COMMENT ON COLUMN upkeep.drills.number IS 'Counts drills.';
COMMENT ON COLUMN upkeep.drills.started_at IS 'When its restore point was made.';
COMMENT ON COLUMN upkeep.drills.restore_point IS 'Up to where it was restored; made for the drill.';
COMMENT ON COLUMN upkeep.drills.lsn IS 'Where that is in the WAL.';
COMMENT ON COLUMN upkeep.drills.ended_at IS 'Null: it runs, or it was cut short.';
COMMENT ON COLUMN upkeep.drills.backup IS 'Label of the backup; null: there was none.';
COMMENT ON COLUMN upkeep.drills.bytes IS 'Size of the database in that backup.';
COMMENT ON COLUMN upkeep.drills.recovery_seconds IS 'From the first restored file to the end of the recovery.';
COMMENT ON COLUMN upkeep.drills.recovery_point IS 'The newest moment that was restored.';
COMMENT ON COLUMN upkeep.drills.compared_rows
IS 'Rows counted on both sides at the same place in the WAL; null: they were not.';
COMMENT ON COLUMN upkeep.drills.problems IS 'What was wrong, a sentence each. None: it passed.';
