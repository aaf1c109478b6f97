"""``pipe:sql:Migrations`` against a real PostgreSQL: applied, recorded, adopted, gone on with."""

from __future__ import annotations

import hashlib

import pytest

from tests.provider.airgap.harness import UNKNOWN, Failed, bare
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import USERS, file, inputs

ROLES = "-- Roles.\nCREATE TABLE pipe.roles (id bigint PRIMARY KEY);\n"
pytestmark = pytest.mark.integration


def digest(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def test_files_run_as_the_owner_in_order_and_are_recorded(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    both = inputs(file(), file(ROLES, "0002", "roles"))
    assert live.up(both) == "create"

    assert database.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'pipe'") == [("pipe_owner",)]
    rows = database.rows(
        "SELECT version, name, file, sql, checksum, state, statements_done, applied_by FROM migrations.history"
        " ORDER BY applied_at"
    )
    assert [row[:7] for row in rows] == [
        ("0001", "users", "sql/migrations/0001_users.sql", USERS, digest(USERS), "applied", None),
        ("0002", "roles", "sql/migrations/0002_roles.sql", ROLES, digest(ROLES), "applied", None),
    ]
    assert all(row[7].startswith("pipe_migrator (") for row in rows)
    kept = live.state["history"]
    assert [row["checksum"] for row in kept] == [digest(USERS), digest(ROLES)]
    assert "sql" not in kept[0], "the state keeps no text twice"
    assert live.up(both) == "same"
    assert live.refresh() == "same"


def test_each_leaves_a_restore_point_just_before_it(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file(), file(ROLES, "0002", "roles")))
    rows = database.rows("SELECT restore_point, lsn::text, lsn < pg_current_wal_lsn() FROM migrations.history")
    assert [(row["restorePoint"], row["lsn"]) for row in live.state["history"]] == [row[:2] for row in rows]
    assert [name.rpartition("_")[0] for name, _, _ in rows] == ["pipe_migration_0001", "pipe_migration_0002"]
    assert all(len(name) <= 63 and earlier for name, _, earlier in rows)


def test_without_the_right_to_make_a_restore_point_the_grant_is_named(plugin: PipePlugin, database: Database) -> None:
    database.rows("REVOKE ALL ON FUNCTION pg_catalog.pg_create_restore_point(text) FROM pipe_migrator")
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file()))
    assert str(failed.value) == (
        'the role "pipe_migrator" may not make a restore point before the migration "0001"\n'
        "HINT: run as a superuser in this database: GRANT EXECUTE ON FUNCTION"
        ' pg_catalog.pg_create_restore_point(text) TO "pipe_migrator"'
    )


def test_the_preview_names_what_is_pending_and_touches_nothing(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    assert live.preview(inputs(file()))["history"] == UNKNOWN
    assert plugin.messages == ["pending: sql/migrations/0001_users.sql"]
    assert database.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'migrations'") == []
    live.up(inputs(file()))
    both = inputs(file(), file(ROLES, "0002", "roles"))
    live.preview(both)
    assert plugin.messages[-1] == "pending: sql/migrations/0002_roles.sql"
    assert live.diff(both).changes == {"files": "UPDATE"}, "an addition would be shown with every file"


def test_a_failing_file_rolls_back_and_shows_line_statement_and_restore_point(
    plugin: PipePlugin, database: Database
) -> None:
    text = (
        USERS
        + "\n-- and then\nCREATE TABLE pipe.other (\n    id bigint,\n    user_id bigint REFERENCES pipe.nobody\n);\n"
    )
    live = plugin.live("sql:Migrations")
    with pytest.raises(Failed) as failed:
        live.up(inputs(file(ROLES, "0001", "roles"), file(text, "0002")))

    message, _, point = str(failed.value).rpartition("\n")
    assert message == (
        'migration "0002" of "sql/migrations/0002_users.sql" failed at "sql/migrations/0002_users.sql" line 5:'
        ' relation "pipe.nobody" does not exist (SQLSTATE 42P01)\n'
        "    5 | CREATE TABLE pipe.other (\n"
        "    6 |     id bigint,\n"
        "    7 |     user_id bigint REFERENCES pipe.nobody\n"
        "    8 | )\n"
        "HINT: everything of this file was rolled back; correct it and run up again, which goes on from here"
    )
    assert point.startswith('HINT: the database as it was just before: restore point "pipe_migration_0002_')
    assert "at LSN 0/" in point
    assert database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'pipe'") == [("roles",)]
    assert live.up(inputs(file(ROLES, "0001", "roles"), file(version="0002"))) == "create"
    assert database.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'pipe'") == [(2,)]


def test_what_fails_only_at_the_end_names_the_file_and_the_restore_point(
    plugin: PipePlugin, database: Database
) -> None:
    deferred = (
        USERS + "CREATE TABLE pipe.notes (user_id bigint REFERENCES pipe.users DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO pipe.notes VALUES (1);\n"
    )
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file(deferred)))
    lines = str(failed.value).splitlines()
    assert lines[0] == (
        'migration "0001" of "sql/migrations/0001_users.sql" failed when "sql/migrations/0001_users.sql" was to be'
        ' recorded and committed: insert or update on table "notes" violates foreign key constraint'
        ' "notes_user_id_fkey" (SQLSTATE 23503)'
    )
    assert lines[1] == 'DETAIL: Key (user_id)=(1) is not present in table "users".'
    assert 'restore point "pipe_migration_0001_' in lines[-1]
    assert database.rows("SELECT count(*) FROM migrations.history") == [(0,)]


def test_a_syntax_error_names_the_line_of_its_position(plugin: PipePlugin) -> None:
    with pytest.raises(Failed, match=r'line 5: syntax error at or near "bigintt?" \(SQLSTATE 42601\)'):
        plugin.live("sql:Migrations").up(inputs(file(USERS + "CREATE TABLE pipe.x\n(\n  a b bigint\n);")))


def test_other_line_ends_are_no_change(plugin: PipePlugin) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file()))
    assert live.up(inputs(file(USERS.replace("\n", "\r\n")))) == "same"
    assert live.refresh() == "same"


def test_what_the_history_has_is_adopted_when_the_state_is_lost(plugin: PipePlugin, database: Database) -> None:
    plugin.live("sql:Migrations").up(inputs(file()))
    lost = plugin.live("sql:Migrations", "lost")
    assert lost.up(inputs(file())) == "create"
    assert lost.state["history"][0]["checksum"] == digest(USERS)
    assert database.rows("SELECT count(*) FROM migrations.history") == [(1,)]


def test_a_database_taken_back_in_time_is_brought_forward_again(plugin: PipePlugin, database: Database) -> None:
    live, both = plugin.live("sql:Migrations"), inputs(file(), file(ROLES, "0002", "roles"))
    live.up(both)
    database.rows("DELETE FROM migrations.history WHERE version = '0002'; DROP TABLE pipe.roles")
    assert live.up(both) == "update"
    assert database.rows("SELECT count(*) FROM pipe.roles") == [(0,)]


def test_a_bad_migration_may_be_corrected_after_a_recovery_to_the_point_before_it(
    plugin: PipePlugin, database: Database
) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file(), file("DELETE FROM pipe.users", "0002", "bad")))
    # What a recovery to the restore point leaves; the state remembers what the database does not know any more.
    database.rows("DELETE FROM migrations.history WHERE version = '0002'")
    better = inputs(file(), file(ROLES, "0002", "roles"))
    live.preview(better)
    assert plugin.messages[-1] == "pending: sql/migrations/0002_roles.sql"
    assert live.up(better) == "update"
    assert [row["name"] for row in live.state["history"]] == ["users", "roles"]
    assert live.up(better) == "same"
    # Or it is given up.
    database.rows("DELETE FROM migrations.history WHERE version = '0002'; DROP TABLE pipe.roles")
    assert live.up(inputs(file())) == "update"
    assert live.up(inputs(file())) == "same"


def test_a_history_of_an_earlier_release_is_widened_and_keeps_its_rows(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file()))
    database.rows(
        "ALTER TABLE migrations.history DROP COLUMN state, DROP COLUMN statements_done, DROP COLUMN restore_point,"
        " DROP COLUMN lsn"
    )
    assert live.refresh() == "changed"
    assert live.up(inputs(file())) == "same"
    assert live.up(inputs(file(), file(ROLES, "0002", "roles"))) == "update"
    rows = database.rows("SELECT version, state, restore_point IS NULL FROM migrations.history ORDER BY version")
    assert rows == [("0001", "applied", True), ("0002", "applied", False)]


def test_a_new_name_or_path_is_recorded_and_nothing_runs(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file()))
    assert live.up(inputs(file(name="people"))) == "update"
    assert database.rows("SELECT name, file FROM migrations.history") == [("people", "sql/migrations/0001_people.sql")]
    assert live.up(inputs(file(name="people"))) == "same"


def test_deleting_keeps_database_and_history(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file()))
    live.destroy()
    assert database.rows("SELECT count(*) FROM migrations.history, pg_tables WHERE tablename = 'users'") == [(1,)]
    assert plugin.messages[-1] == "the migrations left the program; what they made stays, and so does their history"


def test_an_unreachable_server_keeps_state_and_stops_no_preview(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(file()))
    plugin.configure(database.config | {"port": "1"})
    assert live.diff(inputs(file())).changes == {}
    assert plugin.messages[-1].startswith(
        "the files are compared with what the state remembers, not with the database: reading the history of"
        " migrations failed: no connection to 127.0.0.1:1 as"
    )
    assert live.refresh() == "same"
    warning = "left as it was in the state: reading the history of migrations failed: no connection to 127.0.0.1:1 as"
    assert plugin.messages[-1].startswith(warning)


def test_import(plugin: PipePlugin) -> None:
    plugin.live("sql:Migrations").up(inputs(file()))
    adopted = plugin.live("sql:Migrations", "adopted")
    assert adopted.adopt("migrations")
    assert bare(adopted.inputs) == inputs(file())
    assert adopted.up(inputs(file())) == "same"


def test_nothing_to_import_from_a_database_without_a_history(plugin: PipePlugin) -> None:
    assert not plugin.live("sql:Migrations").adopt("migrations")


def test_a_file_that_changes_role_and_settings_disturbs_nothing_after_it(
    plugin: PipePlugin, database: Database
) -> None:
    hurry = "CREATE FUNCTION pipe.hurry() RETURNS text RETURN set_config('statement_timeout', '200', false)"
    first = file(f"{hurry}; SELECT pipe.hurry(); RESET ROLE", name="sets")
    plugin.live("sql:Migrations").up(inputs(first, file("SELECT pg_sleep(0.4); " + USERS, "0002")))
    assert database.rows("SELECT tableowner FROM pg_tables WHERE schemaname = 'pipe'") == [("pipe_owner",)]


def test_a_statement_that_takes_longer_than_its_header_allows_is_cancelled(
    plugin: PipePlugin, database: Database
) -> None:
    text = "-- Why.\n-- pipe: statement_timeout = 1s\nCREATE TABLE pipe.t ();\nSELECT pg_sleep(600);\n"
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file(text, name="slow")))
    lines = str(failed.value).splitlines()
    assert lines[0].endswith(
        'failed at "sql/migrations/0001_slow.sql" line 4: canceling statement due to statement timeout (SQLSTATE 57014)'
    )
    assert database.rows("SELECT to_regclass('pipe.t') IS NULL") == [(True,)]
    assert database.rows("SELECT count(*) FROM migrations.history") == [(0,)]


def test_the_audit_log_hears_of_it_once_there_is_one(plugin: PipePlugin, database: Database) -> None:
    log = (
        "CREATE TABLE pipe.log (operation text, object text, details jsonb);"
        "CREATE FUNCTION pipe.audit_event(p_operation text, p_object text, p_details jsonb) RETURNS void LANGUAGE sql"
        " BEGIN ATOMIC INSERT INTO pipe.log VALUES ($1, $2, $3); END;"
    )
    live = plugin.live("sql:Migrations")
    live.up(inputs(file(), file(log, "0002", "log")))
    live.up(inputs(file(), file(log, "0002", "log"), file(ROLES, "0003", "roles")))
    found = database.rows("SELECT operation, object, details ->> 'version', details ? 'restore_point' FROM pipe.log")
    assert found == [
        ("MIGRATION", "sql/migrations/0002_log.sql", "0002", True),
        ("MIGRATION", "sql/migrations/0003_roles.sql", "0003", True),
    ]


def test_a_missing_history_schema_is_named(plugin: PipePlugin, database: Database) -> None:
    database.rows("DROP SCHEMA migrations")
    with pytest.raises(Failed, match='the schema "migrations", which holds the history, does not exist'):
        plugin.live("sql:Migrations").up(inputs(file()))


def test_no_secret_in_errors_and_reports(plugin: PipePlugin, database: Database) -> None:
    plugin.configure(database.config | {"password": "hunter2-wrong"})
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file()))
    assert "28P01" in str(failed.value) or "password authentication failed" in str(failed.value)
    assert "hunter2" not in str(failed.value) + "".join(plugin.messages)
