"""Who may do what: role × object × privilege, as one table.

Pure data. :data:`MATRIX` is to be read; :mod:`infra.access.arguments` turns it into the arguments of
``pulumi_postgresql`` resources. What is not in the table is granted to nobody but the owner. The files of ``sql/`` say
the same where a default privilege would otherwise let somebody in for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

DATABASE = "pipe"
SCHEMAS = ("pipe", "archive", "migrations", "upkeep")
# Each with the schema that its objects go to; pg_cron insists on one of its own.
EXTENSIONS = {"pg_cron": None, "pg_stat_statements": "upkeep"}

PUBLIC = "public"
OWNER, MIGRATOR = "pipe_owner", "pipe_migrator"
APP, READONLY, AUDITOR, MONITOR = "pipe_app", "pipe_readonly", "pipe_auditor", "pipe_monitor"
APP_B = "pipe_app_b"
RECORDER = "pipe_recorder"
# The provisioner's own schema, which the files of sql/provisioner make.
AUDIT_SCHEMA = "pipe_audit"
DRILL = "pipe_drill"
REPLICATOR, PROVISIONER = "pipe_replicator", "pipe_provisioner"


@dataclass(frozen=True)
class RoleSpec:
    """A role: whether it logs in, and the roles whose rights it inherits."""

    name: str
    login: bool = True
    member_of: tuple[str, ...] = ()


# pipe_replicator and pipe_provisioner have to be there before anything can connect: the cluster's bootstrap makes them.
ROLES = (
    RoleSpec(OWNER, login=False),
    # Event triggers run with its rights, which end at adding a record: see sql/provisioner/audit_events.sql.
    RoleSpec(RECORDER, login=False),
    # Inherits, so that pg_cron's jobs, which are single statements and cannot SET ROLE first, have the owner's rights.
    # The job that logs slow statements looks at every role's.
    RoleSpec(MIGRATOR, member_of=(OWNER, "pg_read_all_stats")),
    RoleSpec(APP),
    # The application's other login: all that it may do comes from pipe_app, whichever of the two is open.
    RoleSpec(APP_B, member_of=(APP,)),
    RoleSpec(READONLY),
    RoleSpec(AUDITOR),
    RoleSpec(MONITOR, member_of=("pg_monitor",)),
    # Who restores backups on trial: it marks a place in the WAL, asks what is there, and tells what came of it.
    RoleSpec(DRILL),
)


def inherited(role: str) -> frozenset[str]:
    """Return `role` and the roles of the table whose rights it inherits."""
    return frozenset({role}).union(*(spec.member_of for spec in ROLES if spec.name == role))


class Kind(Enum):
    """What a privilege is on; the value is pulumi_postgresql's ``object_type``."""

    DATABASE = "database"
    SCHEMA = "schema"
    TABLE = "table"  # views and partitioned tables as well
    SEQUENCE = "sequence"
    FUNCTION = "function"


@dataclass(frozen=True)
class Access:
    """Privileges on an object; with `columns`, on these columns of a table only."""

    privileges: tuple[str, ...]
    columns: tuple[str, ...] = ()


NOTHING = Access(())
CONNECT = Access(("CONNECT",))
USAGE = Access(("USAGE",))
EXECUTE = Access(("EXECUTE",))
READ = Access(("SELECT",))
WRITE = Access(("SELECT", "INSERT", "UPDATE", "DELETE"))
TIDY = Access(("SELECT", "DELETE"))


def read_columns(*columns: str) -> Access:
    """Return the right to read `columns` and no others."""
    return Access(("SELECT",), columns)


@dataclass(frozen=True)
class Row:
    """What each role may do with an object; without a name: with the database, the schema, or all of a kind in it."""

    kind: Kind
    schema: str
    name: str
    access: dict[str, Access] = field(hash=False)


MATRIX = (
    # ── the way in ──
    Row(Kind.DATABASE, "", "", dict.fromkeys((MIGRATOR, APP, READONLY, AUDITOR, MONITOR, DRILL), CONNECT)),
    Row(
        Kind.SCHEMA, "pipe", "",
        {APP: USAGE, READONLY: USAGE, AUDITOR: USAGE, MONITOR: USAGE, RECORDER: USAGE},
    ),
    Row(Kind.SCHEMA, "archive", "", {APP: USAGE, READONLY: USAGE, AUDITOR: USAGE}),
    Row(Kind.SCHEMA, "migrations", "", {}),
    Row(Kind.SCHEMA, "upkeep", "", {MONITOR: USAGE, DRILL: USAGE}),
    # ── scheduling, which the jobs of sql/repeatable need before they are made ──
    Row(Kind.SCHEMA, "cron", "", {MIGRATOR: USAGE}),
    Row(Kind.TABLE, "cron", "job", {PUBLIC: NOTHING, MIGRATOR: READ}),
    Row(Kind.TABLE, "cron", "job_run_details", {PUBLIC: NOTHING, MIGRATOR: TIDY}),
    Row(Kind.SEQUENCE, "cron", "", {PUBLIC: NOTHING}),
    Row(Kind.FUNCTION, "cron", "", {PUBLIC: NOTHING}),
    Row(Kind.FUNCTION, "cron", "schedule(text, text, text)", {MIGRATOR: EXECUTE}),
    Row(Kind.FUNCTION, "cron", "unschedule(text)", {MIGRATOR: EXECUTE}),
    # ── a restore point before each migration, which the first one needs already ──
    Row(Kind.FUNCTION, "pg_catalog", "pg_create_restore_point(text)", {MIGRATOR: EXECUTE}),
    Row(Kind.FUNCTION, "pg_catalog", "pg_switch_wal()", {MIGRATOR: EXECUTE}),
    # ── what waits to be archived, for whoever watches ──
    Row(Kind.FUNCTION, "pg_catalog", "pg_ls_archive_statusdir()", {MIGRATOR: EXECUTE}),
    # ── tables ──
    Row(
        Kind.TABLE, "pipe", "users",
        {APP: WRITE, READONLY: read_columns("id", "email", "name", "status", "created_at", "updated_at")},
    ),
    Row(Kind.TABLE, "pipe", "organizations", {APP: WRITE, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "organization_members", {APP: WRITE, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "pipelines", {APP: WRITE, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "pipeline_runs", {APP: WRITE, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "storage_files", {APP: WRITE, READONLY: READ}),
    Row(
        Kind.TABLE, "pipe", "api_keys",
        {
            APP: WRITE,
            READONLY: read_columns(
                "id", "organization_id", "name", "last_used_at", "created_by", "created_at", "expires_at"
            ),
        },
    ),
    Row(Kind.TABLE, "pipe", "audit_logs", {AUDITOR: READ}),
    Row(Kind.TABLE, "pipe", "audit_seals", {AUDITOR: READ}),
    Row(Kind.TABLE, "pipe", "audit_verifications", {AUDITOR: READ}),
    Row(Kind.TABLE, "pipe", "audit_seen", {}),
    # ── history ──
    Row(Kind.TABLE, "archive", "pipeline_runs", {APP: READ, READONLY: READ}),
    Row(Kind.TABLE, "archive", "audit_logs", {AUDITOR: READ}),
    Row(Kind.TABLE, "pipe", "pipeline_runs_all", {APP: READ, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "audit_logs_all", {AUDITOR: READ}),
    Row(Kind.TABLE, "pipe", "pipeline_runs_in_transit", {APP: READ, READONLY: READ}),
    Row(Kind.TABLE, "pipe", "audit_logs_in_transit", {AUDITOR: READ}),
    # ── tenants ──
    Row(Kind.FUNCTION, "pipe", "current_organization()", {APP: EXECUTE, READONLY: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "organizations_of_user(uuid)", {APP: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "organization_of_api_key(uuid)", {APP: EXECUTE}),
    # ── why a row was refused ──
    Row(
        Kind.FUNCTION, "pipe", "month_of(name, timestamp with time zone)",
        {APP: EXECUTE, MONITOR: EXECUTE},
    ),
    # ── what only a superuser sees, for the jobs that watch ──
    Row(Kind.SCHEMA, AUDIT_SCHEMA, "", {MIGRATOR: USAGE}),
    Row(Kind.FUNCTION, AUDIT_SCHEMA, "failed_logins(jsonb)", {MIGRATOR: EXECUTE}),
    Row(Kind.FUNCTION, AUDIT_SCHEMA, "repository()", {MIGRATOR: EXECUTE}),
    Row(Kind.FUNCTION, AUDIT_SCHEMA, "timeline()", {MIGRATOR: EXECUTE}),
    # ── figures for monitoring ──
    Row(Kind.FUNCTION, "pipe", "partition_status()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "partitions_ahead()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "audit_event(text, text, jsonb)", {RECORDER: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "audit_coverage()", {AUDITOR: EXECUTE, MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "audit_seal_status()", {AUDITOR: EXECUTE, MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "pipe", "audit_verify(bigint)", {AUDITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "job_health()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "alerts()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "metrics()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "report()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "last_migration()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "last_drill()", {MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "begin_drill()", {DRILL: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "end_drill(bigint, jsonb)", {DRILL: EXECUTE}),
    # The extension gives PUBLIC its views. What a role may see in them depends on pg_read_all_stats.
    Row(Kind.TABLE, "upkeep", "pg_stat_statements", {PUBLIC: NOTHING, MIGRATOR: READ, MONITOR: READ}),
    Row(Kind.TABLE, "upkeep", "pg_stat_statements_info", {PUBLIC: NOTHING, MONITOR: READ}),
    Row(
        Kind.FUNCTION, "upkeep", "pg_stat_statements(boolean)",
        {PUBLIC: NOTHING, MIGRATOR: EXECUTE, MONITOR: EXECUTE},
    ),
    Row(Kind.FUNCTION, "upkeep", "pg_stat_statements_info()", {PUBLIC: NOTHING, MONITOR: EXECUTE}),
    Row(Kind.FUNCTION, "upkeep", "pg_stat_statements_reset(oid, oid, bigint, boolean)", {MIGRATOR: EXECUTE}),
    # ── upkeep's own records, the owner's alone ──
    Row(Kind.TABLE, "upkeep", "jobs", {}),
    Row(Kind.TABLE, "upkeep", "runs", {}),
    Row(Kind.TABLE, "upkeep", "index_usage", {}),
    Row(Kind.TABLE, "upkeep", "drills", {}),
)  # fmt: skip


@dataclass(frozen=True)
class Default:
    """What a role gets on objects that the owner makes later; without a schema, in all of them."""

    role: str
    kind: Kind
    schema: str
    access: Access


# A table of a later migration is reachable without another line. Audit log, months and hashes take it back in SQL.
DEFAULTS = (
    Default(PUBLIC, Kind.FUNCTION, "", NOTHING),
    Default(APP, Kind.TABLE, "pipe", WRITE),
    Default(READONLY, Kind.TABLE, "pipe", READ),
)
