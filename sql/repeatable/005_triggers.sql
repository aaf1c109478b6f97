-- Triggers that are as they should be are left alone: to make one anew stops all who write into its table, and these
-- files are applied again after each migration.

CREATE OR REPLACE FUNCTION pipe.ensure_trigger(
    p_relation regclass, p_trigger name, p_event text, p_each text, p_function text,
    VARIADIC p_arguments text[] DEFAULT '{}'
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    definition CONSTANT text := format(
        'TRIGGER %I %s ON %s FOR EACH %s EXECUTE FUNCTION %s(%s)', p_trigger, p_event, p_relation, p_each, p_function,
        (
            SELECT string_agg(quote_literal(argument.value), ', ' ORDER BY argument.place)
            FROM unnest(p_arguments) WITH ORDINALITY AS argument (value, place)
        )
    );
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger AS present
        WHERE
            present.tgrelid = p_relation
            AND present.tgname = p_trigger
            AND pg_get_triggerdef(present.oid) = 'CREATE ' || definition
            -- That of a partitioned table stands for those of its months.
            AND NOT EXISTS (
                SELECT FROM pg_trigger AS changed
                WHERE present.oid IN (changed.oid, changed.tgparentid) AND changed.tgenabled <> 'O'
            )
    ) THEN
        EXECUTE 'CREATE OR REPLACE ' || definition;
    END IF;
END;
$function$;

COMMENT ON FUNCTION pipe.ensure_trigger(regclass, name, text, text, text, text[])
IS 'Makes a trigger where it is not there already; the event in the words of pg_get_triggerdef(), or it is made anew.';

REVOKE ALL ON FUNCTION pipe.ensure_trigger(regclass, name, text, text, text, text[]) FROM public;
