"""Every change of a row is recorded: who, when, which organization, what; without hashes; and stays recorded."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import BCRYPT, SHA256, Tenant, make_tenant, one


def last_record(connection: Connection, table: str) -> dict[str, Any]:
    """Return the newest record of a table, read as a superuser in the same transaction."""
    cursor = connection.execute(
        "SELECT * FROM pipe.audit_logs WHERE table_name = %s ORDER BY occurred_at DESC, operation LIMIT 1", (table,)
    )
    row = cursor.fetchone()
    assert row is not None
    assert cursor.description is not None
    return dict(zip((column.name for column in cursor.description), row, strict=True))


@pytest.fixture
def writer(owner: Connection) -> Connection:
    """A session that writes as the application and can read the log: its login role is the provisioner."""
    owner.execute("SET LOCAL application_name = 'pipe-worker'")
    owner.execute("SET LOCAL pipe.app_user = 'user-42'")
    owner.execute("SET LOCAL pipe.client_address = '203.0.113.7'")
    return owner


@pytest.fixture
def tenant(writer: Connection) -> Tenant:
    """A tenant in the writer's transaction."""
    return make_tenant(writer)


def test_an_insert_is_recorded_with_who_and_when(writer: Connection, tenant: Tenant) -> None:
    writer.execute("SET LOCAL ROLE pipe_app")
    file = one(
        writer,
        "INSERT INTO pipe.storage_files (organization_id, path, size) VALUES (%s, '/a', 7) RETURNING id",
        tenant.organization,
    )
    writer.execute("RESET ROLE")
    record = last_record(writer, "storage_files")
    assert record["operation"] == "INSERT"
    assert (record["session_role"], record["acting_role"]) == (matrix.PROVISIONER, matrix.APP)
    assert (record["app_user"], record["application_name"]) == ("user-42", "pipe-worker")
    assert record["organization_id"] == tenant.organization
    assert record["table_schema"] == "pipe"
    assert record["row_key"] == {"id": str(file)}
    assert record["old_values"] is None
    assert (record["new_values"]["path"], record["new_values"]["size"]) == ("/a", 7)
    assert record["client_address"] is not None
    assert record["app_client_address"] == "203.0.113.7" != str(record["client_address"])
    assert record["transaction_at"] == one(writer, "SELECT now()")
    assert record["transaction_at"] < record["statement_at"] < record["occurred_at"]
    assert record["transaction_id"] == one(writer, "SELECT pg_current_xact_id()")


def test_an_update_keeps_what_changed_and_nothing_else(writer: Connection, tenant: Tenant) -> None:
    writer.execute("UPDATE pipe.pipelines SET description = 'x' WHERE id = %s", (tenant.pipeline,))
    record = last_record(writer, "pipelines")
    assert record["operation"] == "UPDATE"
    assert set(record["new_values"]) == {"description", "updated_at"}
    assert (record["old_values"]["description"], record["new_values"]["description"]) == (None, "x")


def test_a_delete_keeps_the_row(writer: Connection, tenant: Tenant) -> None:
    writer.execute("DELETE FROM pipe.pipelines WHERE id = %s", (tenant.pipeline,))
    record = last_record(writer, "pipelines")
    assert (record["operation"], record["new_values"]) == ("DELETE", None)
    assert record["old_values"]["id"] == str(tenant.pipeline)
    assert record["row_key"] == {"id": str(tenant.pipeline)}


def test_a_membership_has_a_key_of_two_columns(writer: Connection, tenant: Tenant) -> None:
    writer.execute(
        "INSERT INTO pipe.organization_members (organization_id, user_id, role) VALUES (%s, %s, 'owner')",
        (tenant.organization, tenant.user),
    )
    key = {"organization_id": str(tenant.organization), "user_id": str(tenant.user)}
    assert last_record(writer, "organization_members")["row_key"] == key


def test_a_run_belongs_to_the_organization_of_its_pipeline(writer: Connection, tenant: Tenant) -> None:
    writer.execute("INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%s, 'queued')", (tenant.pipeline,))
    record = last_record(writer, "pipeline_runs")
    assert record["organization_id"] == tenant.organization
    assert set(record["row_key"]) == {"id", "started_at"}


def test_an_organization_belongs_to_itself_and_a_user_to_none(writer: Connection, tenant: Tenant) -> None:
    assert last_record(writer, "organizations")["organization_id"] == tenant.organization
    assert last_record(writer, "users")["organization_id"] is None


def test_hashes_never_reach_the_log(writer: Connection, tenant: Tenant) -> None:
    other = BCRYPT.replace("$12$", "$11$")
    writer.execute("UPDATE pipe.users SET password_hash = %s WHERE id = %s", (other, tenant.user))
    record = last_record(writer, "users")
    assert record["old_values"]["password_hash"] == record["new_values"]["password_hash"] == "[redacted]"
    writer.execute(
        "INSERT INTO pipe.api_keys (organization_id, name, key_hash) VALUES (%s, 'ci', %s)",
        (tenant.organization, SHA256),
    )
    writer.execute("DELETE FROM pipe.users WHERE id NOT IN (SELECT created_by FROM pipe.pipelines)")
    everything = one(writer, "SELECT string_agg(audit_logs::text, '') FROM pipe.audit_logs")
    for secret in (BCRYPT, other, SHA256):
        assert secret not in str(everything)
        assert secret[10:40] not in str(everything)


def test_an_unchanged_hash_is_not_mentioned(writer: Connection, tenant: Tenant) -> None:
    writer.execute("UPDATE pipe.users SET name = 'Grace' WHERE id = %s", (tenant.user,))
    assert "password_hash" not in last_record(writer, "users")["new_values"]


def test_emptying_a_table_is_recorded(writer: Connection) -> None:
    writer.execute("TRUNCATE pipe.api_keys")
    assert last_record(writer, "api_keys")["operation"] == "TRUNCATE"


def test_the_rows_of_a_statement_have_its_time_and_the_next_one_has_another(writer: Connection, tenant: Tenant) -> None:
    said = []
    for path in ("/a", "/b"):
        said.append(
            one(
                writer,
                "WITH made AS (INSERT INTO pipe.storage_files (organization_id, path, size)"
                " SELECT %s, %s || n, n FROM generate_series(1, 3) AS n RETURNING id)"
                " SELECT statement_timestamp() FROM made LIMIT 1",
                tenant.organization,
                path,
            )
        )
    recorded = writer.execute(
        "SELECT statement_at, count(*) FROM pipe.audit_logs WHERE table_name = 'storage_files' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert recorded == [(said[0], 3), (said[1], 3)]


def test_without_the_settings_the_application_s_user_and_client_are_unknown(owner: Connection) -> None:
    make_tenant(owner)
    record = last_record(owner, "users")
    assert (record["app_user"], record["app_client_address"]) == (None, None)


@pytest.mark.parametrize("setting", ["pipe.app_user", "pipe.client_address"])
def test_they_are_given_for_one_transaction_only(database: SchemaDatabase, setting: str) -> None:
    with database.session(matrix.APP) as connection:
        connection.execute(f"SET LOCAL {setting} = 'user-42'".encode())
        connection.rollback()
        assert one(connection, "SELECT current_setting(%s, true)", setting) in (None, "")


def test_what_is_rolled_back_leaves_no_record(app: Connection, owner: Connection) -> None:
    tenant = make_tenant(app)
    app.rollback()
    rows = owner.execute("SELECT FROM pipe.audit_logs WHERE row_key ->> 'id' = %s", (str(tenant.user),)).fetchall()
    assert rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pipe.audit_logs SET app_user = 'somebody else'",
        "DELETE FROM pipe.audit_logs",
        "TRUNCATE pipe.audit_logs",
    ],
)
@pytest.mark.parametrize("role", [matrix.OWNER, matrix.PROVISIONER])
def test_the_log_is_append_only_for_the_mighty_too(
    writer: Connection, tenant: Tenant, role: str, statement: str
) -> None:
    writer.execute(f"SET LOCAL ROLE {role}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"audit_logs.* is refused: the audit log is append"):
        writer.execute(statement.encode())


def test_a_month_of_the_log_cannot_be_emptied(writer: Connection, tenant: Tenant) -> None:
    month = one(writer, "SELECT pipe.partition_name('audit_logs', pipe.current_month())")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        writer.execute(f"TRUNCATE pipe.{month}".encode())


def test_an_object_of_a_session_cannot_stand_in_for_the_log(database: SchemaDatabase) -> None:
    """Even who may make temporary tables cannot lead the trigger astray."""
    with database.session(matrix.PROVISIONER) as connection:
        connection.execute("CREATE TEMPORARY TABLE audit_logs (LIKE pipe.audit_logs)")
        connection.execute("CREATE FUNCTION pg_temp.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$SELECT '{}'$$")
        connection.execute("SET LOCAL search_path = pg_temp, pipe, pg_catalog")
        tenant = make_tenant(connection)
        assert one(connection, "SELECT count(*) FROM pg_temp.audit_logs") == 0
        assert (
            one(connection, "SELECT count(*) FROM pipe.audit_logs WHERE row_key ->> 'id' = %s", str(tenant.pipeline))
            == 1
        )
