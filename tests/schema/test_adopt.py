"""A database as the design document has it moves into the stack's tables: without loss, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cli.__main__ import main
from cli.adopt import source as from_database
from cli.adopt.move import move
from cli.adopt.rules import findings, rules
from cli.adopt.run import check
from cli.adopt.tables import TABLES
from cli.errors import UserError
from cli.session import Session
from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import BCRYPT, SHA256, one

# The command commits.
OWN_DATABASE = True
DOCUMENT = (Path(__file__).parent / "document.sql").read_text(encoding="utf-8")

# Clean but for what is changed on the way: case, and the nulls that have a default or another time.
CLEAN = f"""
INSERT INTO users (email, name, password_hash, status, created_at, updated_at)
SELECT 'Person.' || n || '@Example.COM', E'tab\\there \\\\ ' || n, '{BCRYPT}', CASE WHEN n % 2 = 0 THEN 'active' END,
       '2020-02-29 12:00:00.123456+09', CASE WHEN n > 5 THEN '2021-01-01+00'::timestamptz END
FROM generate_series(1, 20) AS n;
INSERT INTO organizations (name, plan_type, status) VALUES ('Äcme "日本"', NULL, NULL), ('Other', 'team', 'deleted');
INSERT INTO organization_members (organization_id, user_id, role)
SELECT o.id, u.id, 'member' FROM organizations AS o, users AS u;
INSERT INTO pipelines (organization_id, name, config, created_by)
SELECT o.id, 'p', '{{"b": 1.50, "a": [null, "ü"]}}', u.id FROM organizations AS o, (SELECT id FROM users LIMIT 1) AS u;
INSERT INTO pipeline_runs (pipeline_id, status, started_at, completed_at, metrics)
SELECT p.id, 'completed', CASE WHEN n > 1 THEN '2019-11-01 00:00+00'::timestamptz + n * interval '37 hours' END,
       '2019-12-31 23:59:59.999999-10', jsonb_build_object('n', n)
FROM pipelines AS p, generate_series(1, 50) AS n;
INSERT INTO storage_files (organization_id, path, size) SELECT id, '', 9223372036854775807 FROM organizations;
INSERT INTO api_keys (organization_id, name, key_hash) SELECT id, 'k', '{SHA256}' FROM organizations;
"""


@pytest.fixture
def legacy(database: SchemaDatabase) -> Iterator[str]:
    """Connection string of a database with the document's tables and nothing in them."""
    with database.connect("postgres", "postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE legacy")
    with database.connect("postgres", "legacy") as connection:
        connection.execute(DOCUMENT.encode())
    yield f"host=127.0.0.1 port={database.port} user=postgres dbname=legacy"
    with database.connect("postgres", "postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE legacy WITH (FORCE)")


@pytest.fixture
def target(database: SchemaDatabase) -> Iterator[Connection]:
    """The migrator's open transaction, rolled back."""
    with database.session(matrix.MIGRATOR) as connection:
        yield connection


@pytest.fixture
def stack(database: SchemaDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """What the command takes for its stack's database, emptied again; lends a session that sees what is committed."""
    uri = f"postgresql://{matrix.MIGRATOR}@127.0.0.1:{database.port}/{matrix.DATABASE}"
    monkeypatch.setattr(Session, "outputs", lambda _: {"connections": {"migrator": {"read_write": uri}}})
    with database.session(matrix.PROVISIONER, autocommit=True) as connection:
        yield connection
        connection.execute("TRUNCATE pipe.users, pipe.organizations CASCADE")


def run_in(legacy: str, statements: str) -> None:
    with psycopg.connect(legacy) as connection:
        connection.execute(statements.encode())


def test_every_row_arrives_as_it_was(legacy: str, target: Connection) -> None:
    run_in(legacy, CLEAN)
    with from_database.opened(legacy) as source:
        assert from_database.check_tables(source, "public") == []
        assert check(source, target, "public") == []
        moved = {table.table: table for table in move(source, target, "public", lambda _: None)}
        assert {name: table.rows for name, table in moved.items()} == {
            "users": 20, "organizations": 2, "organization_members": 40, "pipelines": 2, "storage_files": 2,
            "api_keys": 2, "pipeline_runs": 100,
        }  # fmt: skip
        for table in TABLES:
            columns = [column for column in table.columns if column not in table.changes]
            query = sql.SQL("SELECT {} FROM {} ORDER BY {}")
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            order = sql.SQL(", ").join(map(sql.Identifier, table.key))
            before = source.execute(query.format(names, sql.Identifier("public", table.name), order)).fetchall()
            after = target.execute(query.format(names, sql.Identifier("pipe", table.name), order)).fetchall()
            assert after == before, table.name


def test_the_command_looks_then_moves_and_does_not_do_it_twice(
    legacy: str, stack: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_in(legacy, CLEAN)
    run_in(legacy, "CREATE TABLE notes (note text)")
    monkeypatch.setenv("ARGS", "--check --schema=public")
    assert main(["adopt", legacy]) == 0
    assert capsys.readouterr().out == "left where they are: notes\nevery row of the source would be taken\n"
    assert one(stack, "SELECT count(*) FROM pipe.users") == 0

    monkeypatch.delenv("ARGS")
    assert main(["adopt", legacy]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "adopted 168 rows; counts and checksums are the same on both sides"
    assert said.err.splitlines()[0].split()[:3] == ["users", "20", "rows"]
    assert one(stack, "SELECT count(*) FROM pipe.users") == 20
    assert one(stack, "SELECT count(*) FROM pipe.pipeline_runs") == 100

    assert main(["adopt", legacy]) == 1
    assert "error: there are rows already in pipe.users, pipe.organizations" in capsys.readouterr().err
    assert one(stack, "SELECT count(*) FROM pipe.users") == 20


@pytest.mark.parametrize("arguments", ["", "--check"])
def test_the_command_refuses_all_where_one_row_would_be_refused(
    legacy: str,
    stack: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
) -> None:
    run_in(legacy, CLEAN)
    run_in(legacy, "UPDATE organizations SET status = 'archived'")
    monkeypatch.setenv("ARGS", arguments)
    assert main(["adopt", legacy]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("organizations: 2 rows against organizations_status_is_known: ")
    assert said.err == (
        "error: 2 rows of the source would be refused\n"
        "HINT: correct them in the source as said above, and run it again; nothing was changed.\n"
    )
    assert one(stack, "SELECT count(*) FROM pipe.users") == 0


def test_what_changes_on_the_way_is_what_is_declared(legacy: str, target: Connection) -> None:
    run_in(legacy, CLEAN)
    with from_database.opened(legacy) as source:
        move(source, target, "public", lambda _: None)
    people = target.execute("SELECT DISTINCT email = lower(email), status, created_at FROM pipe.users").fetchall()
    assert people == [(True, "active", datetime(2020, 2, 29, 3, 0, 0, 123456, tzinfo=UTC))]
    kept = target.execute("SELECT DISTINCT updated_at FROM pipe.users ORDER BY 1").fetchall()
    assert kept == [(people[0][2],), (datetime(2021, 1, 1, tzinfo=UTC),)]
    assert one(target, "SELECT plan_type || status FROM pipe.organizations WHERE name LIKE 'Äcme%%'") == "freeactive"
    assert one(target, "SELECT count(*) FROM pipe.pipeline_runs WHERE started_at = completed_at") == 2


def test_old_runs_have_months_and_every_row_is_recorded(legacy: str, target: Connection) -> None:
    run_in(legacy, CLEAN)
    with from_database.opened(legacy) as source:
        moved = move(source, target, "public", lambda _: None)
    assert one(target, "SELECT count(*) FROM pipe.pipeline_runs_y2020m01") != 0
    logged = target.execute(
        "SELECT table_name, count(*) FILTER (WHERE operation = 'INSERT'),"
        " max(new_values ->> 'checksum') FILTER (WHERE operation = 'ADOPT')"
        " FROM pipe.audit_logs WHERE transaction_id = pg_current_xact_id() AND operation IN ('INSERT', 'ADOPT')"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert logged == sorted((table.table, table.rows, table.checksum) for table in moved)


def test_rows_that_a_stricter_rule_refuses_are_named_with_a_remedy(legacy: str, target: Connection) -> None:
    run_in(legacy, CLEAN)
    run_in(
        legacy,
        """
        UPDATE users SET password_hash = md5(id::text) WHERE email LIKE 'Person.1%';
        UPDATE users SET email = 'nobody' WHERE email = 'Person.2@Example.COM';
        UPDATE users SET email = 'PERSON.4@example.com' WHERE email = 'Person.3@Example.COM';
        UPDATE organizations SET status = 'archived' WHERE name = 'Other';
        UPDATE pipelines SET organization_id = NULL, created_at = NULL, updated_at = NULL;
        UPDATE pipeline_runs SET status = 'canceled', started_at = NULL, completed_at = NULL
        WHERE metrics ->> 'n' = '7';
        UPDATE storage_files SET size = -1;
        UPDATE api_keys SET key_hash = 'pk_live_1';
        """,
    )
    with from_database.opened(legacy) as source:
        found = {(f.rule.table.name, f.rule.name): f for f in check(source, target, "public")}
        assert {key: finding.count for key, finding in found.items()} == {
            ("users", "users_password_hash_is_bcrypt"): 11,
            ("users", "users_email_has_one_at"): 1,
            ("users", "idx_users_email"): 2,
            ("organizations", "organizations_status_is_known"): 1,
            ("pipelines", "organization_id is not null"): 2,
            ("pipelines", "created_at is not null"): 2,
            ("pipelines", "updated_at is not null"): 2,
            ("pipeline_runs", "pipeline_runs_status_is_known"): 2,
            ("pipeline_runs", "started_at is not null"): 2,
            ("storage_files", "storage_files_size_is_not_negative"): 2,
            ("api_keys", "api_keys_key_hash_is_secure"): 2,
        }
        text = found["users", "users_password_hash_is_bcrypt"].text()
        assert text.startswith("users: 11 rows against users_password_hash_is_bcrypt: ")
        assert text.endswith(", …\n  FIX: have these people set a new password (a bcrypt hash) before the move.")
        assert all(
            finding.rule.remedy != "correct the value." for finding in found.values() if "at is" not in finding.text()
        )


def test_every_rule_of_the_target_is_asked_for(legacy: str, target: Connection) -> None:
    """Including one that a later migration adds."""
    target.execute("SET ROLE pipe_owner")
    target.execute("ALTER TABLE pipe.organizations ADD CONSTRAINT short CHECK (length(name) < 6)")
    run_in(legacy, CLEAN)
    (short,) = [rule for rule in rules(target) if rule.name == "short"]
    with from_database.opened(legacy) as source:
        finding = findings(source, "public", short)
    assert finding is not None
    assert finding.count == 1


def test_a_difference_stops_the_move(legacy: str, target: Connection) -> None:
    run_in(legacy, CLEAN)
    target.execute("SET ROLE pipe_owner")
    target.execute(
        "CREATE FUNCTION pipe.meddle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.name := 'x'; RETURN NEW; END$$;"
        " CREATE TRIGGER meddle BEFORE INSERT ON pipe.users FOR EACH ROW EXECUTE FUNCTION pipe.meddle()"
    )
    with (
        from_database.opened(legacy) as source,
        pytest.raises(UserError, match=r'table "users": 20 rows with checksum .* left, 20 with .* arrived'),
    ):
        move(source, target, "public", lambda _: None)


def test_a_stack_with_rows_is_left_alone(legacy: str, target: Connection) -> None:
    target.execute("INSERT INTO pipe.organizations (name) VALUES ('here first')")
    with (
        from_database.opened(legacy) as source,
        pytest.raises(UserError, match=r"there are rows already in pipe\.organizations"),
    ):
        move(source, target, "public", lambda _: None)


def test_what_has_no_place_in_the_stack_is_said_before(legacy: str) -> None:
    run_in(legacy, "CREATE TABLE notes (note text); ALTER TABLE users ADD nickname text")
    with from_database.opened(legacy) as source:
        with pytest.raises(UserError, match='table "users" of the source has columns that would be lost: nickname'):
            from_database.check_tables(source, "public")
        with pytest.raises(UserError, match=r'the source has no table "elsewhere\.users"'):
            from_database.check_tables(source, "elsewhere")
    run_in(legacy, "ALTER TABLE users DROP nickname")
    with from_database.opened(legacy) as source:
        assert from_database.check_tables(source, "public") == ["notes"]


def test_the_source_is_one_snapshot_that_cannot_be_written(legacy: str) -> None:
    with from_database.opened(legacy) as source:
        before = one(source, "SELECT count(*) FROM public.organizations")
        run_in(legacy, "INSERT INTO organizations (name) VALUES ('later')")
        assert one(source, "SELECT count(*) FROM public.organizations") == before
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            source.execute("DELETE FROM public.organizations")


@pytest.mark.parametrize("conninfo", ["postgresql://me:secret@old/db", "host=old password=secret"])
def test_a_password_does_not_belong_in_a_command_line(conninfo: str) -> None:
    with pytest.raises(UserError, match="SOURCE has a password in it") as caught:
        from_database.refuse_password(conninfo)
    assert "secret" not in caught.value.text()
