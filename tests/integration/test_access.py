"""As each role: what it may do and what it may not. PUBLIC has nothing. A table of a later migration is reachable."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]

DENIED = psycopg.errors.InsufficientPrivilege

ALLOWED = {
    "app": [
        "SELECT password_hash FROM pipe.users",
        "SELECT key_hash FROM pipe.api_keys",
        "UPDATE pipe.pipelines SET name = name",
        "DELETE FROM pipe.storage_files",
        "SELECT * FROM pipe.pipeline_runs",
    ],
    "readonly": [
        "SELECT id, email, name, status FROM pipe.users",
        "SELECT id, name FROM pipe.api_keys",
        "SELECT * FROM pipe.pipeline_runs",
    ],
    "auditor": ["SELECT * FROM pipe.audit_logs"],
    "monitor": ["SELECT * FROM pg_stat_activity", "SELECT * FROM pg_stat_archiver"],
    "migrator": ["SET ROLE pipe_owner"],
}
REFUSED = {
    "app": [
        "SELECT * FROM pipe.audit_logs",
        "INSERT INTO pipe.audit_logs DEFAULT VALUES",
        "DELETE FROM pipe.audit_logs",
        "TRUNCATE pipe.users",
        "CREATE TABLE pipe.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "ALTER TABLE pipe.users ADD COLUMN x int",
        "SET ROLE pipe_owner",
        "SELECT * FROM migrations.history",
        "CREATE TEMPORARY TABLE mine (id int)",
    ],
    "readonly": [
        "SELECT password_hash FROM pipe.users",
        "SELECT * FROM pipe.users",
        "SELECT key_hash FROM pipe.api_keys",
        "SELECT * FROM pipe.audit_logs",
        "UPDATE pipe.organizations SET name = 'x'",
    ],
    "auditor": [
        "SELECT * FROM pipe.users",
        "SELECT * FROM pipe.pipelines",
        "DELETE FROM pipe.audit_logs",
        "UPDATE pipe.audit_logs SET operation = 'X'",
    ],
    "monitor": ["SELECT * FROM pipe.users", "SELECT * FROM pipe.audit_logs", "SET ROLE pipe_owner"],
    "migrator": ["CREATE ROLE another", "SET ROLE postgres"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(role, statement) for role, statements in table.items() for statement in statements]


@pytest.fixture(scope="module")
def sessions(stack: Stack) -> Iterator[dict[str, psycopg.Connection[tuple[object, ...]]]]:
    opened = {role: stack.connect(role) for role in ALLOWED}
    yield opened
    for session in opened.values():
        session.close()


@pytest.mark.parametrize(("role", "statement"), cases(ALLOWED))
def test_allowed(sessions: dict[str, psycopg.Connection[tuple[object, ...]]], role: str, statement: str) -> None:
    with sessions[role].transaction(force_rollback=True):
        sessions[role].execute(statement.encode())


@pytest.mark.parametrize(("role", "statement"), cases(REFUSED))
def test_refused(sessions: dict[str, psycopg.Connection[tuple[object, ...]]], role: str, statement: str) -> None:
    with sessions[role].transaction(force_rollback=True), pytest.raises(DENIED):
        sessions[role].execute(statement.encode())


def test_public_has_nothing(stack: Stack) -> None:
    databases = (
        "SELECT datname FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0"
    )
    assert stack.sql(databases + " AND datname <> 'template0'") == []
    schemas = (
        "SELECT nspname FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS a"
        " WHERE a.grantee = 0 AND nspname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert stack.sql(schemas) == []
    functions = (
        "SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a"
        " WHERE a.grantee = 0 AND pronamespace IN ('pipe'::regnamespace, 'archive'::regnamespace,"
        " 'migrations'::regnamespace, 'cron'::regnamespace)"
    )
    assert stack.sql(functions) == []


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_nobody_reaches_the_other_databases(stack: Stack, database: str) -> None:
    uri = stack.outputs["connections"]["app"]["read_write"].replace("/pipe?", f"/{database}?")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(uri.replace("verify-full", "require"))


def test_a_table_of_a_later_migration_is_reachable_without_another_line(stack: Stack) -> None:
    primary = leader(stack)
    stack.sql("SET ROLE pipe_owner; CREATE TABLE pipe.later (id int); RESET ROLE", primary)
    try:
        with stack.connect("app") as app, stack.connect("readonly") as readonly, stack.connect("auditor") as auditor:
            app.execute("INSERT INTO pipe.later VALUES (1)")
            assert readonly.execute("SELECT id FROM pipe.later").fetchone() == (1,)
            with pytest.raises(DENIED):
                auditor.execute("SELECT id FROM pipe.later")
    finally:
        stack.sql("DROP TABLE pipe.later", primary)


def test_partitions_are_ahead_and_closed(stack: Stack) -> None:
    months = stack.sql(
        "SELECT count(*) >= 2, bool_and(c.relname ~ '^pipeline_runs_y[0-9]{4}m[0-9]{2}$')"
        " FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = 'pipe.pipeline_runs'::regclass"
    )
    assert months == ["t|t"]
    month = stack.sql("SELECT 'pipe.pipeline_runs_y' || to_char(now() AT TIME ZONE 'UTC', 'YYYY\"m\"MM')")[0]
    with stack.connect("app") as app, pytest.raises(DENIED):
        app.execute(f"SELECT * FROM {month}".encode())
