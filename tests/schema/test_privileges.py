"""As each role: what it may and may not do; and that the matrix is the whole truth."""

from __future__ import annotations

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import BCRYPT, make_tenant, one

ROLES = [role.name for role in matrix.ROLES if role.login and role.name != matrix.MIGRATOR]
TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")


def denied(database: SchemaDatabase, role: str, statement: str) -> None:
    with database.session(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def expected_of(role: str, schema: str, table: str) -> matrix.Access:
    rows = (row for row in matrix.MATRIX if (row.kind, row.schema, row.name) == (matrix.Kind.TABLE, schema, table))
    given = [access for row in rows for name, access in row.access.items() if name in matrix.inherited(role)]
    assert len(given) < 2, "privileges of several roles on one table would have to be put together"
    return given[0] if given else matrix.NOTHING


@pytest.mark.parametrize("role", [*ROLES, matrix.REPLICATOR])
def test_a_role_has_exactly_what_the_matrix_says(owner: Connection, role: str) -> None:
    relations = owner.execute(
        "SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('pipe', 'archive', 'migrations', 'cron', 'upkeep')"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    ).fetchall()
    assert len(relations) > 20
    for oid, schema, table in relations:
        access = expected_of(role, schema, table)
        for privilege in TABLE_PRIVILEGES:
            allowed = one(owner, "SELECT has_table_privilege(%s, %s::oid, %s)", role, oid, privilege)
            wanted = privilege in access.privileges and not access.columns
            assert allowed == wanted, f"{role} {privilege} {schema}.{table}"
        columns = owner.execute(
            "SELECT attname, privilege, has_column_privilege(%s, attrelid, attnum, privilege) FROM pg_attribute,"
            " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS privilege"
            " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
            (role, oid),
        ).fetchall()
        for column, privilege, allowed in columns:
            wanted = privilege in access.privileges and (not access.columns or column in access.columns)
            assert allowed == wanted, f"{role} {privilege} ({column}) {schema}.{table}"


@pytest.mark.parametrize("role", [*ROLES, matrix.REPLICATOR])
def test_a_role_executes_only_the_functions_of_the_matrix(owner: Connection, role: str) -> None:
    functions = owner.execute(
        "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname IN ('pipe', 'archive', 'cron', 'upkeep') AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        (role,),
    ).fetchall()
    holders = matrix.inherited(role)
    rows = (row for row in matrix.MATRIX if row.kind is matrix.Kind.FUNCTION and holders & row.access.keys())
    assert set(functions) == {(row.schema, row.name.partition("(")[0]) for row in rows}


@pytest.mark.parametrize("role", [*ROLES, matrix.REPLICATOR])
def test_a_role_enters_only_the_schemas_of_the_matrix(owner: Connection, role: str) -> None:
    for schema in ("pipe", "archive", "migrations", "cron", "upkeep", "public"):
        row = next((r for r in matrix.MATRIX if (r.kind, r.schema) == (matrix.Kind.SCHEMA, schema)), None)
        usage = row is not None and not matrix.inherited(role).isdisjoint(row.access)
        assert one(owner, "SELECT has_schema_privilege(%s, %s, 'USAGE')", role, schema) == usage, schema
        assert one(owner, "SELECT has_schema_privilege(%s, %s, 'CREATE')", role, schema) is False, schema


def test_public_has_nothing(owner: Connection) -> None:
    found = owner.execute(
        """
        SELECT 'relation', oid::regclass::text FROM pg_class, aclexplode(relacl) AS entry
        WHERE entry.grantee = 0 AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information)')
        UNION ALL
        SELECT 'function', oid::regprocedure::text
        FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS entry
        WHERE entry.grantee = 0 AND pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information)')
        UNION ALL
        SELECT 'schema', nspname FROM pg_namespace, aclexplode(nspacl) AS entry
        WHERE entry.grantee = 0 AND nspname !~ '^(pg_|information)'
        UNION ALL
        SELECT 'database', datname FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS entry
        WHERE entry.grantee = 0 AND datname = 'pipe'
        """
    ).fetchall()
    assert found == []


def test_everything_belongs_to_the_owner(owner: Connection) -> None:
    found = owner.execute(
        """
        SELECT relname FROM pg_class WHERE relnamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
        AND relowner <> 'pipe_owner'::regrole
        UNION ALL
        SELECT proname FROM pg_proc WHERE pronamespace IN ('pipe'::regnamespace, 'archive'::regnamespace)
        AND proowner <> 'pipe_owner'::regrole
        """
    ).fetchall()
    assert found == []


def test_the_application_changes_rows(app: Connection) -> None:
    tenant = make_tenant(app)
    app.execute("INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%s, 'queued')", (tenant.pipeline,))
    app.execute("UPDATE pipe.pipeline_runs SET status = 'running' WHERE pipeline_id = %s", (tenant.pipeline,))
    assert one(app, "SELECT password_hash FROM pipe.users WHERE id = %s", tenant.user) == BCRYPT
    assert app.execute("DELETE FROM pipe.pipeline_runs WHERE pipeline_id = %s", (tenant.pipeline,)).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM pipe.audit_logs",
        "INSERT INTO pipe.audit_logs (session_role, acting_role, operation, table_schema, table_name)"
        " VALUES ('x', 'x', 'INSERT', 'x', 'x')",
        "UPDATE pipe.audit_logs SET app_user = 'somebody else'",
        "DELETE FROM pipe.audit_logs",
        "TRUNCATE pipe.audit_logs",
        "SELECT FROM pipe.audit_logs_all",
        "SELECT FROM archive.audit_logs",
        "TRUNCATE pipe.pipeline_runs",
        "CREATE TABLE pipe.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "ALTER TABLE pipe.users DISABLE TRIGGER audit",
        "DROP TABLE pipe.users",
        "SELECT pipe.audit_record('INSERT', 'pipe', 'users', NULL, NULL, NULL, NULL)",
        "SELECT pipe.ensure_partitions()",
        "SELECT pipe.archive_step()",
        "SELECT FROM cron.job",
        "SET ROLE pipe_owner",
        "INSERT INTO archive.pipeline_runs (pipeline_id, status) VALUES (gen_random_uuid(), 'queued')",
    ],
)
def test_the_application_may_not(database: SchemaDatabase, statement: str) -> None:
    denied(database, matrix.APP, statement)


def test_months_are_reached_through_their_table_only(database: SchemaDatabase, owner: Connection) -> None:
    month = one(owner, "SELECT to_char(now() AT TIME ZONE 'UTC', '\"y\"YYYY\"m\"MM')")
    for role in ROLES:
        denied(database, role, f"SELECT FROM pipe.pipeline_runs_{month}")
        denied(database, role, f"SELECT FROM pipe.audit_logs_{month}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password_hash FROM pipe.users",
        "SELECT * FROM pipe.users",
        "SELECT id FROM pipe.users WHERE password_hash LIKE '$2b$%%'",
        "SELECT key_hash FROM pipe.api_keys",
        "SELECT * FROM pipe.api_keys",
        "SELECT to_jsonb(api_keys) FROM pipe.api_keys",
        "INSERT INTO pipe.organizations (name) VALUES ('x')",
        "UPDATE pipe.organizations SET name = 'x'",
        "DELETE FROM pipe.organizations",
        "SELECT FROM pipe.audit_logs",
    ],
)
def test_the_reader_may_not(database: SchemaDatabase, statement: str) -> None:
    denied(database, matrix.READONLY, statement)


def test_the_reader_reads_everything_else(database: SchemaDatabase) -> None:
    with database.session(matrix.READONLY) as connection:
        connection.execute("SELECT id, email, name, status, created_at, updated_at FROM pipe.users")
        connection.execute("SELECT id, organization_id, name, last_used_at, expires_at FROM pipe.api_keys")
        for table in ("organizations", "organization_members", "pipelines", "pipeline_runs", "storage_files"):
            connection.execute(f"SELECT * FROM pipe.{table}".encode())
        connection.execute("SELECT * FROM pipe.pipeline_runs_all")
        connection.execute("SELECT * FROM archive.pipeline_runs")


def test_the_auditor_reads_the_audit_log_and_nothing_else(database: SchemaDatabase) -> None:
    with database.session(matrix.AUDITOR) as connection:
        connection.execute("SELECT * FROM pipe.audit_logs")
        connection.execute("SELECT * FROM pipe.audit_logs_all")
    denied(database, matrix.AUDITOR, "SELECT FROM pipe.users")
    denied(database, matrix.AUDITOR, "SELECT FROM pipe.pipeline_runs_all")
    denied(database, matrix.AUDITOR, "DELETE FROM pipe.audit_logs")


def test_the_monitor_sees_figures_and_no_rows(database: SchemaDatabase) -> None:
    with database.session(matrix.MONITOR) as connection:
        ahead = connection.execute("SELECT parent, months_ahead FROM pipe.partitions_ahead()").fetchall()
        assert sorted(ahead) == [("audit_logs", 6), ("pipeline_runs", 6)]
        assert one(connection, "SELECT count(*) FROM upkeep.job_health() WHERE job_name = 'pipe_partitions'") == 1
    denied(database, matrix.MONITOR, "SELECT FROM pipe.users")
    denied(database, matrix.MONITOR, "SELECT FROM pipe.audit_logs")


def test_nobody_logs_in_as_the_owner(database: SchemaDatabase) -> None:
    with pytest.raises(psycopg.OperationalError, match='role "pipe_owner" is not permitted to log in'):
        database.connect(matrix.OWNER)


def test_a_table_of_a_later_migration_is_reachable_without_another_line(database: SchemaDatabase) -> None:
    with database.session(matrix.MIGRATOR) as connection:
        connection.execute("SET LOCAL ROLE pipe_owner")
        connection.execute("CREATE TABLE pipe.later (id uuid)")
        connection.execute("CREATE FUNCTION pipe.later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        for role, privilege, wanted in [
            (matrix.APP, "SELECT, INSERT, UPDATE, DELETE", True),
            (matrix.APP, "TRUNCATE", False),
            (matrix.READONLY, "SELECT", True),
            (matrix.READONLY, "INSERT, UPDATE, DELETE", False),
            (matrix.AUDITOR, "SELECT", False),
        ]:
            allowed = one(connection, "SELECT has_table_privilege(%s, 'pipe.later', %s)", role, privilege)
            assert allowed == wanted, (role, privilege)
        assert one(connection, "SELECT has_function_privilege('pipe_app', 'pipe.later()', 'EXECUTE')") is False
