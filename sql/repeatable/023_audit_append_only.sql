-- What is in the log stays as it is, for the owner too: only who disables a trigger gets past these, and the seals
-- show what was done then.

SELECT
    pipe.ensure_trigger(
        kept.relation, 'append_only', 'BEFORE DELETE OR UPDATE', 'ROW', 'pipe.refuse_change', kept.message, kept.hint
    ) AS changes,
    pipe.ensure_trigger(
        kept.relation, 'append_only_truncate', 'BEFORE TRUNCATE', 'STATEMENT', 'pipe.refuse_change',
        kept.message, kept.hint
    ) AS truncation
FROM (
    VALUES
    (
        'pipe.audit_logs'::regclass,
        'the audit log is append-only', 'Old months leave by pipe.archive_step(), which loses nothing.'
    ),
    ('pipe.audit_seals'::regclass, 'seals are append-only', 'Without them nothing proves the audit log.'),
    ('pipe.audit_verifications'::regclass, 'checks of the seals are append-only', 'A newer check adds a row.')
) AS kept (relation, message, hint);

-- What is archived is read-only. Months inherit the row trigger when they are attached.
SELECT
    pipe.ensure_trigger(
        archived.relation, 'read_only', 'BEFORE INSERT OR DELETE OR UPDATE', 'ROW', 'pipe.refuse_change',
        'archived months are read-only', archived.hint
    ) AS changes,
    pipe.ensure_trigger(
        archived.relation, 'read_only_truncate', 'BEFORE TRUNCATE', 'STATEMENT', 'pipe.refuse_change',
        'archived months are read-only', archived.hint
    ) AS truncation
FROM (
    VALUES
    ('archive.pipeline_runs'::regclass, 'Live months are in pipe.pipeline_runs.'),
    ('archive.audit_logs'::regclass, 'Live months are in pipe.audit_logs.')
) AS archived (relation, hint);
