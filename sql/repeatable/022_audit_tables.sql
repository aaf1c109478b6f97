-- Which tables are audited: every table of schema pipe but those that the audit itself is made of. This file runs
-- after each migration, so a table that one makes is audited in the same `up`. What the triggers need is found in
-- the catalog: the primary key; the organization, from a column organization_id or a foreign key to pipelines; and
-- the columns to be hidden, which are password_hash, key_hash, and those whose comment says
-- "redacted in the audit log":
--   COMMENT ON COLUMN pipe.projects.token IS 'Deploy token; redacted in the audit log.';
--
-- The months of a partitioned table get the same triggers, for statements that name a month. Triggers that are as
-- they should be are left alone, without a lock.

CREATE OR REPLACE FUNCTION pipe.audit_triggers(p_relation regclass, p_function regproc) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (
            VALUES
            ('audit_insert', 'INSERT', 'REFERENCING NEW TABLE AS new_rows'),
            ('audit_update', 'UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
            ('audit_delete', 'DELETE', 'REFERENCING OLD TABLE AS old_rows'),
            ('audit_truncate', 'TRUNCATE', '')
        ) AS operation (trigger_name, event, tables)
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger
            WHERE
                tgrelid = p_relation
                AND tgname = operation.trigger_name
                AND tgfoid = p_function
                AND tgenabled = 'O'
        )
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
            wanted.trigger_name, wanted.event, p_relation, wanted.tables, p_function
        );
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_triggers(regclass, regproc)
IS 'Puts the four audit triggers on a table or a month, where they are not there already.';

CREATE OR REPLACE FUNCTION pipe.audit_organization(p_table regclass) RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(
        (
            SELECT format('r.%I', attname) FROM pg_attribute
            WHERE
                attrelid = p_table
                AND attname = CASE p_table WHEN to_regclass('pipe.organizations') THEN 'id' ELSE 'organization_id' END
                AND atttypid = 'uuid'::regtype
        ),
        (
            SELECT format('(SELECT p.organization_id FROM pipe.pipelines AS p WHERE p.id = r.%I)', attname)
            FROM pg_constraint INNER JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
            WHERE conrelid = p_table AND contype = 'f' AND confrelid = to_regclass('pipe.pipelines')
            ORDER BY attnum
            LIMIT 1
        ),
        'NULL::uuid'
    );
$function$;

COMMENT ON FUNCTION pipe.audit_organization(regclass)
IS 'The expression over a row "r" that finds its organization: organization_id, or by way of its pipeline.';

CREATE OR REPLACE FUNCTION pipe.audit_hidden(p_table regclass) RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(array_agg(attname ORDER BY attnum), '{}')
    FROM pg_attribute
    WHERE
        attrelid = p_table
        AND attnum > 0
        AND NOT attisdropped
        AND (
            attname IN ('password_hash', 'key_hash')
            OR col_description(attrelid, attnum) ~* 'redacted in the audit log'
        );
$function$;

COMMENT ON FUNCTION pipe.audit_hidden(regclass)
IS 'Columns whose values must not be copied into the log: hashes, and what a comment marks.';

CREATE OR REPLACE FUNCTION pipe.audit_table(p_table regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    bare_name CONSTANT name := (SELECT relname FROM pg_class WHERE oid = p_table);
    function_name CONSTANT text := format('pipe.%I', 'audit_of_' || bare_name);
    key_expression text;
    relation regclass;
BEGIN
    SELECT format('jsonb_build_object(%s)', string_agg(
        CASE
            WHEN attname = any(pipe.audit_hidden(p_table)) THEN format('%L, %L', attname, '[redacted]')
            ELSE format('%L, r.%I', attname, attname)
        END,
        ', ' ORDER BY attnum
    ))
    INTO key_expression
    FROM pg_index INNER JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indrelid = p_table AND indisprimary
    HAVING count(*) > 0;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'table % has no primary key, so its rows could not be named in the audit log', p_table
            USING ERRCODE = 'invalid_table_definition', HINT = 'Give it one in a migration.';
    END IF;

    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
        'SET search_path = pg_catalog, pg_temp SET timezone = ''UTC'' AS %L',
        function_name,
        pipe.audit_body(bare_name, key_expression, pipe.audit_organization(p_table), pipe.audit_hidden(p_table))
    );
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM public', function_name);
    EXECUTE format(
        'COMMENT ON FUNCTION %s() IS %L', function_name,
        format('Trigger function: records the changes of %s; made by pipe.audit_table().', p_table)
    );

    -- One trigger a row, as it was once.
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = p_table AND tgname = 'audit') THEN
        EXECUTE format('DROP TRIGGER audit ON %s', p_table);
    END IF;
    FOR relation IN SELECT p_table UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = p_table
    LOOP
        PERFORM pipe.audit_triggers(relation, function_name::regproc);
    END LOOP;
END;
$function$;

COMMENT ON FUNCTION pipe.audit_table(regclass) IS 'Has a table audited, as its columns and their comments say.';

CREATE OR REPLACE FUNCTION pipe.audit_month(p_month regclass, p_parent regclass) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pipe.audit_triggers(p_month, tgfoid) FROM pg_trigger WHERE tgrelid = p_parent AND tgname = 'audit_insert';
$function$;

COMMENT ON FUNCTION pipe.audit_month(regclass, regclass) IS 'Has a new month audited as its table is.';

REVOKE ALL ON FUNCTION
pipe.audit_triggers(regclass, regproc),
pipe.audit_organization(regclass),
pipe.audit_hidden(regclass),
pipe.audit_table(regclass),
pipe.audit_month(regclass, regclass)
FROM public;

-- A table without a primary key stops here, and with it the `up` that brought it.
SELECT pipe.audit_table(oid)
FROM pg_class
WHERE
    relnamespace = 'pipe'::regnamespace
    AND relkind IN ('r', 'p')
    AND NOT relispartition
    AND NOT relname = any(pipe.audit_exempt())
    -- Months that are just being archived.
    AND relname !~ '_y[0-9]{4}m[0-9]{2}$'
ORDER BY relname;

-- What recorded one row at a time.
DROP FUNCTION IF EXISTS pipe.audit_row();
DROP FUNCTION IF EXISTS pipe.audit_redact(jsonb);
