"""What the settings say to the database: SQL rendered from them, applied among the files of ``sql/repeatable/``.

Pure. Each has a number of its own, so that it comes after the functions that it calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import Settings


@dataclass(frozen=True)
class Rendered:
    """A repeatable text that is made, not read: its number of three digits, what it is about, and the SQL."""

    version: str
    name: str
    text: str


def rendered(settings: Settings) -> list[Rendered]:
    """Return the texts in the order of their numbers."""
    return [
        partition_policy(settings),
        months_ahead(settings),
        tenant_isolation(settings),
        drill_policy(settings),
        upkeep_policy(settings),
    ]


def partition_policy(settings: Settings) -> Rendered:
    """Say which tables have months, how many ahead, and when months leave the live table and the database."""
    data = settings.data
    rows = ",\n    ".join(
        f"('{parent}'::name, {data.months_ahead}, {keep}, {'null::integer' if export is None else export})"
        for parent, keep, export in (
            ("pipeline_runs", data.runs_keep_months, data.runs_export_after_months),
            ("audit_logs", data.audit_keep_months, data.audit_export_after_months),
        )
    )
    return Rendered("025", "partition_policy", _PARTITION_POLICY % rows)


def months_ahead(settings: Settings) -> Rendered:
    """Make the months at once, also those that a larger setting adds; from then on the job pipe_partitions does it."""
    text = f"-- The present month and {settings.data.months_ahead} ahead.\nSELECT pipe.ensure_partitions();\n"
    return Rendered("031", "months_ahead", text)


def tenant_isolation(settings: Settings) -> Rendered:
    """Turn row-level security by organization on or off."""
    on = "true" if settings.data.tenant_isolation else "false"
    return Rendered("071", "tenant_isolation", f"SELECT pipe.apply_tenant_isolation({on});\n")


def drill_policy(settings: Settings) -> Rendered:
    """Say how old a drill of the backups may be."""
    days = settings.backup.drill_max_age_days
    return Rendered("073", "drill_policy", _DRILL_POLICY % ("null::integer" if days is None else days))


def upkeep_policy(settings: Settings) -> Rendered:
    """Say when an index is rebuilt, a statement is slow, the audit log is sealed, and how much WAL may wait."""
    data, database, backup = settings.data, settings.database, settings.backup
    values = (data.reindex_bloat_percent, database.slow_statement_ms, data.audit_seal_minutes, backup.wal_bound_mb)
    return Rendered("079", "upkeep_policy", _UPKEEP_POLICY % values)


# Made anew, not replaced: CREATE OR REPLACE could not change its columns. Nothing depends on it but by name.
_PARTITION_POLICY = """\
DROP FUNCTION IF EXISTS pipe.partition_policy();

CREATE FUNCTION pipe.partition_policy()
RETURNS TABLE (parent name, months_ahead integer, keep_months integer, export_after_months integer)
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- keep_months: whole months kept live before the present one; older ones are archived.
    -- export_after_months: whole months after which an archived one may leave the database; null: never.
    VALUES
    %s;
$function$;

COMMENT ON FUNCTION pipe.partition_policy()
IS 'Tables partitioned by month: months made ahead, kept before archiving, and kept before export.';

REVOKE ALL ON FUNCTION pipe.partition_policy() FROM public;
"""

_DRILL_POLICY = """\
CREATE OR REPLACE FUNCTION upkeep.drill_policy() RETURNS TABLE (max_age_days integer)
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    VALUES (%s);
$function$;

COMMENT ON FUNCTION upkeep.drill_policy() IS 'After how many days without a drill that passed there is an alert.';

REVOKE ALL ON FUNCTION upkeep.drill_policy() FROM public;
"""

_UPKEEP_POLICY = """\
DROP FUNCTION IF EXISTS upkeep.policy();

CREATE FUNCTION upkeep.policy()
RETURNS TABLE (
    reindex_bloat_percent integer, slow_statement_ms integer, audit_seal_minutes integer, wal_bound_mb integer
)
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    VALUES (%d, %d, %d, %d);
$function$;

COMMENT ON FUNCTION upkeep.policy()
IS 'Bloat from which an index is rebuilt, duration of a slow statement, time between two seals, WAL that may wait.';

REVOKE ALL ON FUNCTION upkeep.policy() FROM public;
"""
