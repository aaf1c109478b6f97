-- updated_at moves by itself: whatever an UPDATE says of it, the wall clock wins.
--
-- clock_timestamp() and not now(), so that it moves inside the transaction that made the row as well.

CREATE OR REPLACE FUNCTION pipe.set_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END;
$function$;

COMMENT ON FUNCTION pipe.set_updated_at() IS 'Trigger function: sets updated_at to the wall clock.';

SELECT pipe.ensure_trigger(changing.relation, 'set_updated_at', 'BEFORE UPDATE', 'ROW', 'pipe.set_updated_at')
FROM (
    VALUES
    ('pipe.users'::regclass),
    ('pipe.organizations'::regclass),
    ('pipe.pipelines'::regclass)
) AS changing (relation);
