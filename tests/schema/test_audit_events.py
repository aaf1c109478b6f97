"""DDL, grants, roles, new timelines and restores are recorded too, and recording cannot be used to gain rights."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from cli.migration import LONGEST_NAME
from infra.access import matrix
from tests.fixtures.schema_database import ROOT, Connection, SchemaDatabase
from tests.schema.rows import one


def events(connection: Connection, operation: str) -> list[tuple[str, Any]]:
    """Return object and particulars of this transaction's records."""
    return connection.execute(
        "SELECT table_name, new_values FROM pipe.audit_logs"
        " WHERE operation = %s AND transaction_id = pg_current_xact_id() ORDER BY occurred_at",
        (operation,),
    ).fetchall()


def test_what_is_made_and_changed_is_recorded_whoever_does_it(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_owner")
    owner.execute("CREATE TABLE pipe.projects (id uuid PRIMARY KEY, token text)")
    owner.execute("RESET ROLE")
    owner.execute("ALTER TABLE pipe.audit_logs DISABLE TRIGGER append_only")
    (made, particulars), (changed, other) = events(owner, "DDL")
    assert (made, particulars["command"]) == ("pipe.projects", "CREATE TABLE")
    assert (changed, other["command"]) == ("pipe.audit_logs", "ALTER TABLE")
    roles = owner.execute(
        "SELECT session_role, acting_role FROM pipe.audit_logs"
        " WHERE operation = 'DDL' AND transaction_id = pg_current_xact_id() ORDER BY occurred_at"
    ).fetchall()
    assert roles == [(matrix.PROVISIONER, matrix.OWNER), (matrix.PROVISIONER, matrix.PROVISIONER)]


def test_what_is_dropped_is_recorded(owner: Connection) -> None:
    owner.execute("DROP TRIGGER audit_insert ON pipe.users")
    ((dropped, particulars),) = events(owner, "DROP")
    assert "audit_insert" in dropped
    assert particulars["command"] == "DROP TRIGGER"


def test_a_grant_is_recorded_with_its_text(owner: Connection) -> None:
    owner.execute("GRANT SELECT ON pipe.users TO pipe_readonly")
    ((_, particulars),) = events(owner, "DDL")
    assert particulars["statement"] == "GRANT SELECT ON pipe.users TO pipe_readonly"


def test_the_longest_names_are_kept_whole(owner: Connection) -> None:
    owner.execute(f"CREATE SEQUENCE pipe.{'s' * 63}".encode())
    assert [name for name, _ in events(owner, "DDL")] == [f"pipe.{'s' * 63}"]
    path = f"sql/migrations/9999_{'m' * LONGEST_NAME}.sql"
    owner.execute("SELECT pipe.audit_event('MIGRATION', %s, '{}')", (path,))
    assert events(owner, "MIGRATION") == [(path, {})]


def test_no_statement_that_can_hold_a_secret_is_kept(owner: Connection) -> None:
    owner.execute("CREATE ROLE somebody PASSWORD 'canary'; GRANT SELECT ON pipe.users TO somebody")
    assert "canary" not in str(one(owner, "SELECT string_agg(audit_logs::text, '') FROM pipe.audit_logs"))


def test_temporary_tables_and_rebuilt_indexes_are_nobody_s_business(owner: Connection) -> None:
    owner.execute("CREATE TEMPORARY TABLE scratch (id integer PRIMARY KEY)")
    owner.execute("REINDEX TABLE pipe.users")
    owner.execute("DROP TABLE scratch")
    assert events(owner, "DDL") == events(owner, "DROP") == []


def test_the_owner_gains_nothing_by_what_a_superuser_triggers(owner: Connection) -> None:
    """Even replaced by the owner, the function that records runs as one who may do nothing else."""
    owner.execute("SET LOCAL ROLE pipe_owner")
    owner.execute(
        "CREATE OR REPLACE FUNCTION pipe.audit_event(p_operation text, p_object text, p_details jsonb) RETURNS void"
        " LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('test.ran_as', current_user, true); END$$"
    )
    owner.execute("RESET ROLE")
    owner.execute("CREATE SCHEMA elsewhere")
    assert one(owner, "SELECT current_setting('test.ran_as')") == matrix.RECORDER


def test_changes_of_roles_are_recorded_once_and_passwords_never(owner: Connection) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("CREATE ROLE somebody LOGIN PASSWORD 'canary' IN ROLE pipe_readonly")
    owner.execute("ALTER ROLE pipe_monitor SET work_mem = '8MB'")
    assert one(owner, "SELECT pipe.audit_watch()") == 2
    assert one(owner, "SELECT pipe.audit_watch()") == 0
    made = dict(events(owner, "ROLE"))["somebody"]
    assert made["member_of"] == ["pipe_readonly"]
    owner.execute("DROP ROLE somebody")
    assert one(owner, "SELECT pipe.audit_watch()") == 1
    assert "canary" not in str(one(owner, "SELECT string_agg(audit_logs::text, '') FROM pipe.audit_logs"))


@pytest.mark.parametrize(
    ("change", "operation", "name", "key", "before", "after"),
    [
        ("ALTER DATABASE pipe OWNER TO pipe_app", "DATABASE", "pipe", "owner", "pipe_owner", "pipe_app"),
        ("ALTER DATABASE pipe SET work_mem = '8MB'", "DATABASE", "pipe", "settings", [], ["work_mem=8MB"]),
        ("ALTER DATABASE postgres CONNECTION LIMIT 7", "DATABASE", "postgres", "connection_limit", -1, 7),
        ("ALTER DATABASE postgres ALLOW_CONNECTIONS off", "DATABASE", "postgres", "allow_connections", True, False),
        ("ALTER DATABASE postgres IS_TEMPLATE true", "DATABASE", "postgres", "is_template", False, True),
        (
            "GRANT CREATE ON DATABASE postgres TO pipe_app", "DATABASE", "postgres", "acl",
            None, ["=Tc/postgres", "postgres=CTc/postgres", "pipe_app=C/postgres"],
        ),
        ("ALTER TABLESPACE pg_default OWNER TO pipe_app", "TABLESPACE", "pg_default", "owner", "postgres", "pipe_app"),
        (
            "GRANT CREATE ON TABLESPACE pg_default TO pipe_app", "TABLESPACE", "pg_default", "acl",
            None, ["postgres=C/postgres", "pipe_app=C/postgres"],
        ),
        (
            "GRANT SET ON PARAMETER log_min_messages TO pipe_app", "PARAMETER", "server", "log_min_messages",
            None, ["postgres=sA/postgres", "pipe_app=s/postgres"],
        ),
        ("ALTER ROLE ALL SET work_mem = '8MB'", "ROLE", "public", "settings", None, ["work_mem=8MB"]),
        (
            "GRANT pg_monitor TO pipe_monitor WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
            "ROLE", "pipe_monitor", "member_of",
            ["pg_monitor"], ["pg_monitor WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"],
        ),
    ],
)  # fmt: skip
def test_what_no_event_trigger_fires_for_is_recorded(
    owner: Connection, change: str, operation: str, name: str, key: str, before: object, after: object
) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute(change.encode())
    assert one(owner, "SELECT pipe.audit_watch()") == 1
    record = owner.execute(
        "SELECT table_name, old_values -> %s, new_values -> %s FROM pipe.audit_logs"
        " WHERE operation = %s AND transaction_id = pg_current_xact_id() ORDER BY occurred_at DESC LIMIT 1",
        (key, key, operation),
    ).fetchone()
    assert record == (name, before, after)


def test_of_a_grant_on_the_database_its_end_is_recorded_too(owner: Connection) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("REVOKE CONNECT ON DATABASE pipe FROM pipe_app")
    assert one(owner, "SELECT pipe.audit_watch()") == 1
    ((name, after),) = events(owner, "DATABASE")
    assert name == "pipe"
    assert not any(entry.startswith("pipe_app=") for entry in after["acl"])


def test_what_is_looked_at_for_the_first_time_is_no_change(owner: Connection) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("DELETE FROM pipe.audit_seen WHERE subject ~ '^(DATABASE|TABLESPACE|PARAMETER) '")
    assert one(owner, "SELECT pipe.audit_watch()") == 0


def test_a_new_timeline_is_recorded(owner: Connection) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("""UPDATE pipe.audit_seen SET seen = '"00000000"' WHERE subject = 'TIMELINE server'""")
    assert one(owner, "SELECT pipe.audit_watch()") == 1
    assert events(owner, "TIMELINE") == [("server", {"timeline": "00000001", "began": None})]


@pytest.mark.parametrize(
    ("began", "operation"),
    [
        ("no recovery target specified", "TIMELINE"),
        ("before 2026-01-01 10:00:00+00", "RESTORE"),
        ('at restore point "before_0012"', "RESTORE"),
    ],
)
def test_a_restore_is_told_from_a_failover(
    database: SchemaDatabase, owner: Connection, began: str, operation: str
) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("""UPDATE pipe.audit_seen SET seen = '"00000000"' WHERE subject = 'TIMELINE server'""")
    file = "/tmp/data/pg_wal/00000001.history"
    database.container.exec_run(["bash", "-c", f"printf '0\t0/3000000\t%s\n' {shlex.quote(began)} > {file}"])
    try:
        owner.execute("SELECT pipe.audit_watch()")
    finally:
        database.container.exec_run(["rm", file])
    assert events(owner, operation) == [("server", {"timeline": "00000001", "began": began})]


def test_data_that_comes_up_in_another_stack_was_restored(owner: Connection) -> None:
    owner.execute("SELECT pipe.audit_watch()")
    owner.execute("""UPDATE pipe.audit_seen SET seen = '"another"' WHERE subject = 'CLUSTER server'""")
    assert one(owner, "SELECT pipe.audit_watch()") == 1
    assert events(owner, "RESTORE") == [("server", "")]


@pytest.mark.parametrize("function", ["failed_logins(jsonb)", "repository()", "timeline()"])
def test_a_missing_look_is_named(owner: Connection, function: str) -> None:
    owner.execute(f"DROP FUNCTION pipe_audit.{function}".encode())
    gap = (None, f"function pipe_audit.{function.partition('(')[0]} is missing")
    assert gap in owner.execute("SELECT * FROM pipe.audit_coverage()").fetchall()


def test_everything_is_audited(owner: Connection) -> None:
    assert owner.execute("SELECT * FROM pipe.audit_coverage()").fetchall() == []


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        ("CREATE TABLE pipe.forgotten (id uuid PRIMARY KEY)", ("forgotten", "trigger audit_delete is missing")),
        ("ALTER TABLE pipe.users DISABLE TRIGGER audit_update", ("users", "trigger audit_update is disabled")),
        (
            "ALTER TABLE pipe.audit_seals DISABLE TRIGGER append_only",
            ("audit_seals", "trigger append_only is disabled"),
        ),
        (
            "ALTER EVENT TRIGGER pipe_audit_ddl DISABLE",
            (None, "event trigger pipe_audit_ddl is missing or disabled"),
        ),
    ],
)
def test_a_gap_is_named(owner: Connection, change: str, gap: tuple[str | None, str]) -> None:
    owner.execute(change.encode())
    assert gap in owner.execute("SELECT * FROM pipe.audit_coverage()").fetchall()


def test_a_new_table_is_audited_with_the_next_up_as_its_comments_say(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_owner")
    owner.execute(
        "CREATE TABLE pipe.projects (id uuid PRIMARY KEY, organization_id uuid, token text);"
        "COMMENT ON COLUMN pipe.projects.token IS 'Deploy token; redacted in the audit log.'"
    )
    owner.execute((ROOT / "sql/repeatable/022_audit_tables.sql").read_text().encode())
    assert owner.execute("SELECT * FROM pipe.audit_coverage()").fetchall() == []
    owner.execute(
        "INSERT INTO pipe.projects VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'secret')"
    )
    record = owner.execute(
        "SELECT organization_id::text, new_values ->> 'token' FROM pipe.audit_logs"
        " WHERE operation = 'INSERT' AND table_name = 'projects'"
    ).fetchone()
    assert record == ("00000000-0000-0000-0000-000000000001", "[redacted]")


def test_a_hidden_column_is_hidden_in_the_key_as_well(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_owner")
    owner.execute(
        "CREATE TABLE pipe.invitations (number integer, token text, used boolean, PRIMARY KEY (number, token));"
        "COMMENT ON COLUMN pipe.invitations.token IS 'Who has it may join; redacted in the audit log.'"
    )
    owner.execute((ROOT / "sql/repeatable/022_audit_tables.sql").read_text().encode())
    owner.execute("INSERT INTO pipe.invitations VALUES (7, 'canary')")
    owner.execute("UPDATE pipe.invitations SET used = true")
    owner.execute("DELETE FROM pipe.invitations")
    records = owner.execute(
        "SELECT operation, row_key, audit_logs::text LIKE '%canary%' FROM pipe.audit_logs"
        " WHERE table_name = 'invitations' ORDER BY occurred_at"
    ).fetchall()
    key = {"number": 7, "token": "[redacted]"}
    assert records == [("INSERT", key, False), ("UPDATE", key, False), ("DELETE", key, False)]


def test_keys_that_change_or_swap_and_rows_that_move_are_paired_rightly(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_owner")
    owner.execute("CREATE TABLE pipe.numbers (id integer PRIMARY KEY DEFERRABLE, name text)")
    owner.execute((ROOT / "sql/repeatable/022_audit_tables.sql").read_text().encode())
    owner.execute("INSERT INTO pipe.numbers SELECT n, 'row ' || n FROM generate_series(1, 1000) AS n")
    owner.execute("UPDATE pipe.numbers SET id = 1001 - id, name = name || ' was ' || id")
    wrong = one(
        owner,
        "SELECT count(*) FROM pipe.audit_logs WHERE table_name = 'numbers' AND operation = 'UPDATE' AND NOT ("
        " (row_key ->> 'id') = (old_values ->> 'id')"
        " AND (new_values ->> 'id')::integer = 1001 - (old_values ->> 'id')::integer"
        " AND new_values ->> 'name' = (old_values ->> 'name') || ' was ' || (old_values ->> 'id'))",
    )
    assert wrong == 0
    total = one(owner, "SELECT count(*) FROM pipe.audit_logs WHERE table_name = 'numbers' AND operation = 'UPDATE'")
    assert total == 1000
