"""``-- pipe: no-transaction``: statement by statement, safe to run again wherever it stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

import pytest

from tests.provider.airgap.harness import Failed, Refused
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import file, inputs, until

pytestmark = pytest.mark.integration
HEADER = "-- Lookups by name.\n-- pipe: no-transaction\n"
TABLE = file("CREATE TABLE pipe.t (id bigint, name text); INSERT INTO pipe.t VALUES (1, 'a'), (2, 'a')", name="t")
INDEX = "CREATE UNIQUE INDEX CONCURRENTLY t_name ON pipe.t (name);\n"
STATE = "SELECT state, statements_done FROM migrations.history WHERE version = '0002'"
VALID = (
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid ORDER BY c.oid DESC LIMIT 1"
)


def steps(sql: str) -> dict[str, Any]:
    return inputs(TABLE, file(HEADER + sql, "0002", "index"))


def test_an_index_is_made_while_others_write(plugin: PipePlugin, database: Database) -> None:
    plugin.live("sql:Migrations").up(steps("CREATE INDEX CONCURRENTLY t_name ON pipe.t (name); VACUUM pipe.t;"))
    assert database.rows(STATE) == [("applied", None)]
    assert database.rows(VALID) == [("t_name", True)]
    assert database.rows("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("pipe_owner",)]


def test_after_a_failure_what_is_done_stays_and_the_next_up_goes_on(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    text = "INSERT INTO pipe.t VALUES (3, 'b');\n" + INDEX + "INSERT INTO pipe.t VALUES (4, 'c');\n"
    with pytest.raises(Failed) as failed:
        live.up(steps(text))
    message, _, point = str(failed.value).rpartition("\n")
    assert message == (
        'migration "0002" of "sql/migrations/0002_index.sql" failed at "sql/migrations/0002_index.sql" line 4:'
        ' could not create unique index "t_name" (SQLSTATE 23505)\n'
        "DETAIL: Key (name)=(a) is duplicated.\n"
        "    4 | CREATE UNIQUE INDEX CONCURRENTLY t_name ON pipe.t (name)\n"
        "HINT: 1 of 3 statements are done and stay; correct what follows and run up again, which goes on at statement 2"
    )
    assert 'restore point "pipe_migration_0002_' in point
    assert database.rows(STATE) == [("partial", 1)]
    assert database.rows(VALID) == [("t_name", False)]

    with pytest.raises(Failed) as refused:
        live.up(steps(text.replace("(3, 'b')", "(3, 'x')")))
    assert '"sql/migrations/0002_index.sql" was changed in what is done already: its first 1 statements ran' in str(
        refused.value
    )
    database.rows("DELETE FROM pipe.t WHERE id = 2")
    assert live.up(steps(text)) == "create"
    assert database.rows(STATE) == [("applied", None)]
    assert database.rows(VALID) == [("t_name", True)]
    assert database.rows("SELECT id FROM pipe.t ORDER BY id") == [(1,), (3,), (4,)]
    assert 'the invalid index "t_name", left by an attempt that failed, is dropped and made anew' in plugin.messages


def test_a_refresh_between_the_failure_and_the_next_up_changes_nothing_of_it(
    plugin: PipePlugin, database: Database
) -> None:
    live, text = plugin.live("sql:Migrations"), "INSERT INTO pipe.t VALUES (3, 'b');\nINSERT INTO pipe.t VALUES ({});\n"
    live.up(inputs(TABLE))
    with pytest.raises(Failed, match="1 of 2 statements are done and stay"):
        live.up(steps(text.format("nothing")))
    live.refresh()
    live.preview(steps(text.format("4")))
    assert plugin.messages[-1] == "pending: sql/migrations/0002_index.sql, from statement 2 of 2 on"
    # Neither the database nor, without it, the state takes a beginning that is not the one that ran.
    for port in (database.config["port"], "1"):
        plugin.configure(database.config | {"port": port})
        with pytest.raises(Failed, match="was changed in what is done already"):
            live.diff(steps(text.format("4").replace("'b'", "'x'")))
    plugin.configure(database.config)
    assert live.up(steps(text.format("4"))) == "update"
    assert live.up(steps(text.format("4"))) == "same"
    assert database.rows("SELECT id FROM pipe.t ORDER BY id") == [(1,), (2,), (3,), (4,)]


def test_a_migration_of_which_nothing_was_done_may_be_given_up(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(TABLE))
    with pytest.raises(Failed, match="nothing is done yet"):
        live.up(steps(INDEX))
    assert live.up(inputs(TABLE)) == "same"
    assert live.refresh() == "changed"
    assert live.up(inputs(TABLE)) == "same"
    assert database.rows(STATE) == [("partial", 0)]


def test_what_clears_away_is_reported_like_the_statement_it_makes_room_for(
    plugin: PipePlugin, database: Database
) -> None:
    live, header = plugin.live("sql:Migrations"), HEADER + "-- pipe: lock_timeout = 5s\n-- pipe: retries = 0\n"
    wanted = inputs(TABLE, file(header + INDEX, "0002", "index"))
    with pytest.raises(Failed, match="could not create unique index"):
        live.up(wanted)
    with database.server.connect(database.name) as other:
        other.execute("BEGIN; LOCK TABLE pipe.t IN SHARE MODE")
        with pytest.raises(Failed) as failed:
            live.up(wanted)
        pid = other.info.backend_pid
    lines = str(failed.value).splitlines()
    assert lines[0] == (
        'migration "0002" of "sql/migrations/0002_index.sql" failed at "sql/migrations/0002_index.sql" line 5:'
        " canceling statement due to lock timeout (SQLSTATE 55P03)"
    )
    assert f'HINT: the lock was held by "postgres", pid {pid}' in lines


def test_another_statement_than_the_interrupted_one_takes_over_nothing(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    live.up(steps("CREATE INDEX CONCURRENTLY t_name ON pipe.t (name);"))
    database.rows("UPDATE migrations.history SET state = 'partial', statements_done = 0 WHERE version = '0002'")
    with pytest.raises(Failed, match='relation "t_name" already exists'):
        live.up(steps("CREATE INDEX CONCURRENTLY t_name ON pipe.t (id);"))


def killed_in(database: Database, wanted: dict[str, Any], busy: str) -> None:
    """Run `up` and kill -9 the provider as soon as its session is seen in a state."""
    victim = PipePlugin(database.config)

    def up() -> None:
        with contextlib.suppress(Failed):
            victim.live("sql:Migrations").up(wanted)

    running = threading.Thread(target=up)
    running.start()
    until(database, busy)
    os.kill(victim.process.pid, signal.SIGKILL)
    running.join()
    victim.process.communicate()
    victim.engine.server.stop(None)


def test_kill_9_in_a_transaction_leaves_nothing_of_it_and_the_next_up_does_all(
    plugin: PipePlugin, database: Database
) -> None:
    made = file("CREATE TABLE pipe.u (id bigint);\nSELECT pg_sleep(60);\nCREATE TABLE pipe.v (id bigint);", "0002", "u")
    killed_in(database, inputs(TABLE, made), "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")
    # The server notices that the client is gone when the statement ends.
    database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")
    assert database.rows("SELECT version FROM migrations.history") == [("0001",)]
    assert database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'pipe'") == [("t",)]
    quick = made | {"sql": made["sql"].replace("60", "0")}
    assert plugin.live("sql:Migrations").up(inputs(TABLE, quick)) == "create"
    assert database.rows("SELECT count(*) FROM pg_tables WHERE tablename IN ('u', 'v')") == [(2,)]


def test_kill_9_in_the_middle_and_the_next_up_goes_on(plugin: PipePlugin, database: Database) -> None:
    wanted = steps(
        "INSERT INTO pipe.t VALUES (3, 'b');\nCREATE INDEX CONCURRENTLY t_id ON pipe.t (id);\nVACUUM pipe.t;"
    )
    # The index waits for whoever could still see the table without it.
    with database.server.connect(database.name) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        busy = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
        killed_in(database, wanted, busy)
        assert database.rows(STATE) == [("partial", 1)]
        # The server notices that the client is gone when the statement ends.
        database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'")
    assert plugin.live("sql:Migrations").up(wanted) == "create"
    assert database.rows(STATE) == [("applied", None)]
    assert database.rows("SELECT id FROM pipe.t ORDER BY id") == [(1,), (2,), (3,)]
    assert database.rows(VALID) == [("t_id", True)]
    assert "goes on with sql/migrations/0002_index.sql: 1 of 3 statements are done" in plugin.messages


def test_an_index_that_was_made_but_not_recorded_is_not_made_twice(plugin: PipePlugin, database: Database) -> None:
    wanted = steps("CREATE INDEX CONCURRENTLY t_name ON pipe.t (name);\nDROP INDEX CONCURRENTLY pipe.t_name;")
    live = plugin.live("sql:Migrations")
    live.up(wanted)
    database.rows("UPDATE migrations.history SET state = 'partial', statements_done = 1 WHERE version = '0002'")
    assert live.up(wanted) == "update", "the index is gone: dropping it is done"
    database.rows("UPDATE migrations.history SET state = 'partial', statements_done = 0 WHERE version = '0002'")
    database.rows("CREATE INDEX t_name ON pipe.t (name); ALTER INDEX pipe.t_name OWNER TO pipe_owner")
    assert live.up(wanted) == "update"
    assert 'the index "t_name" is there and valid already' in plugin.messages


def test_settings_of_the_file_hold_after_going_on(plugin: PipePlugin, database: Database) -> None:
    live = plugin.live("sql:Migrations")
    text = "SET search_path = pipe;\nINSERT INTO t VALUES (3, {});\n"
    with pytest.raises(Failed, match="1 of 2 statements are done and stay"):
        live.up(steps(text.format("nothing")))
    live.up(steps(text.format("'b'")))
    assert database.rows("SELECT count(*) FROM pipe.t") == [(3,)]


def test_an_interrupted_detach_is_finished(plugin: PipePlugin, database: Database) -> None:
    parts = file(
        "CREATE TABLE pipe.p (id bigint) PARTITION BY LIST (id); CREATE TABLE pipe.p1 PARTITION OF pipe.p"
        " FOR VALUES IN (1); INSERT INTO pipe.p VALUES (1)",
        name="p",
    )
    wanted = inputs(parts, file(HEADER + "ALTER TABLE pipe.p DETACH PARTITION pipe.p1 CONCURRENTLY;", "0002", "detach"))
    with database.server.connect(database.name) as other:
        plugin.live("sql:Migrations", "before").up(inputs(parts))
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM pipe.p")
        killed_in(database, wanted, "SELECT 1 FROM pg_inherits WHERE inhdetachpending")
        database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE pipe.p D%'")
    assert plugin.live("sql:Migrations").up(wanted) == "create"
    assert database.rows("SELECT 1 FROM pg_inherits") == []
    assert database.rows("SELECT * FROM pipe.p1") == [(1,)]
    assert "the detaching of pipe.p1, which was interrupted, is finished" in plugin.messages


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("COMMIT", 'line 3: "COMMIT" controls a transaction: remove it; the provider runs each statement of the file'),
        ("CREATE INDEX CONCURRENTLY ON pipe.t (id)", "line 3: give the index a name: without one it cannot be found"),
    ],
)
def test_refused(plugin: PipePlugin, sql: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        plugin.live("sql:Migrations").preview(steps(sql))
    assert reason in refused.value.failures["files"]
