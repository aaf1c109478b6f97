-- What is in the log stays as it is, for the owner too: only who disables a trigger gets past these, and the seals
-- show what was done then.

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON pipe.audit_logs
FOR EACH ROW EXECUTE FUNCTION pipe.refuse_change(
    'the audit log is append-only', 'Old months leave by pipe.archive_step(), which loses nothing.'
);
CREATE OR REPLACE TRIGGER append_only_truncate BEFORE TRUNCATE ON pipe.audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION pipe.refuse_change(
    'the audit log is append-only', 'Old months leave by pipe.archive_step(), which loses nothing.'
);

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON pipe.audit_seals
FOR EACH ROW EXECUTE FUNCTION pipe.refuse_change('seals are append-only', 'Without them nothing proves the audit log.');
CREATE OR REPLACE TRIGGER append_only_truncate BEFORE TRUNCATE ON pipe.audit_seals
FOR EACH STATEMENT EXECUTE FUNCTION pipe.refuse_change(
    'seals are append-only', 'Without them nothing proves the audit log.'
);

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON pipe.audit_verifications
FOR EACH ROW EXECUTE FUNCTION pipe.refuse_change('checks of the seals are append-only', 'A newer check adds a row.');
CREATE OR REPLACE TRIGGER append_only_truncate BEFORE TRUNCATE ON pipe.audit_verifications
FOR EACH STATEMENT EXECUTE FUNCTION pipe.refuse_change(
    'checks of the seals are append-only', 'A newer check adds a row.'
);

-- What is archived is read-only. Months inherit the row trigger when they are attached.
CREATE OR REPLACE TRIGGER read_only BEFORE INSERT OR UPDATE OR DELETE ON archive.pipeline_runs
FOR EACH ROW EXECUTE FUNCTION pipe.refuse_change(
    'archived months are read-only', 'Live months are in pipe.pipeline_runs.'
);
CREATE OR REPLACE TRIGGER read_only_truncate BEFORE TRUNCATE ON archive.pipeline_runs
FOR EACH STATEMENT EXECUTE FUNCTION pipe.refuse_change(
    'archived months are read-only', 'Live months are in pipe.pipeline_runs.'
);
CREATE OR REPLACE TRIGGER read_only BEFORE INSERT OR UPDATE OR DELETE ON archive.audit_logs
FOR EACH ROW EXECUTE FUNCTION pipe.refuse_change(
    'archived months are read-only', 'Live months are in pipe.audit_logs.'
);
CREATE OR REPLACE TRIGGER read_only_truncate BEFORE TRUNCATE ON archive.audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION pipe.refuse_change(
    'archived months are read-only', 'Live months are in pipe.audit_logs.'
);
