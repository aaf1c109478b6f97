"""Locks: a migration gives up in time, says who blocks, tries again; two runs at once take turns."""

from __future__ import annotations

import threading

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.provider.airgap.harness import Failed
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import file, inputs, until

pytestmark = pytest.mark.integration
TABLE = file("CREATE TABLE pipe.t (id bigint)", name="t")


def column(retries: int) -> dict[str, str]:
    header = f"-- Why.\n-- pipe: lock_timeout = 5s\n-- pipe: retries = {retries}\n"
    return file(header + "ALTER TABLE pipe.t ADD COLUMN name text", "0002", "name")


def test_a_lock_that_is_not_had_is_tried_for_again_and_its_holder_is_named(
    plugin: PipePlugin, database: Database
) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(TABLE))
    with database.server.connect(database.name) as other:
        other.execute("SET application_name = 'report'; BEGIN; LOCK TABLE pipe.t IN ACCESS SHARE MODE")
        pid = other.info.backend_pid
        running = threading.Thread(target=live.up, args=(inputs(TABLE, column(8)),))
        running.start()
        until(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER%'")
        while not any("attempt 2 of 9" in message for message in plugin.messages):
            running.join(0.05)
            assert running.is_alive()
        other.execute("COMMIT")
    running.join()
    assert database.rows("SELECT attname FROM pg_attribute WHERE attname = 'name' AND attrelid = 'pipe.t'::regclass")
    assert (
        "sql/migrations/0002_name.sql: attempt 1 of 9 did not get its lock within 5000 ms, which is held by"
        f' "postgres", pid {pid}, report; tries again in 1 s'
    ) in plugin.messages
    assert live.state["history"][1]["state"] == "applied"


def test_after_the_last_attempt_it_fails_with_the_holder_and_changes_nothing(
    plugin: PipePlugin, database: Database
) -> None:
    live = plugin.live("sql:Migrations")
    live.up(inputs(TABLE))
    with database.server.connect(database.name) as other:
        other.execute("BEGIN; LOCK TABLE pipe.t IN ACCESS SHARE MODE")
        with pytest.raises(Failed) as failed:
            live.up(inputs(TABLE, column(0)))
        pid = other.info.backend_pid
    lines = str(failed.value).splitlines()
    assert lines[0].endswith("line 4: canceling statement due to lock timeout (SQLSTATE 55P03)")
    assert lines[2] == f'HINT: the lock was held by "postgres", pid {pid}'
    assert "HINT: another session holds the lock; end it or wait, then run up again" in lines
    assert live.up(inputs(TABLE, column(0))) == "update"


def test_a_deadlock_with_the_application_is_tried_again(plugin: PipePlugin, database: Database) -> None:
    # A session looks for a deadlock once, so late that the other one waits by then.
    database.rows(f"ALTER DATABASE {database.name} SET deadlock_timeout = '5s'")
    live = plugin.live("sql:Migrations")
    both = file("CREATE TABLE pipe.t (id bigint); CREATE TABLE pipe.u (id bigint)", name="t")
    live.up(inputs(both))
    header = "-- Why.\n-- pipe: lock_timeout = 30s\n"
    wanted = file(header + "LOCK TABLE pipe.t; LOCK TABLE pipe.u", "0002", "locks")
    with database.server.connect(database.name) as other:
        # Never the other session: it would wait for ever.
        other.execute("SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE pipe.u")
        running = threading.Thread(target=live.up, args=(inputs(both, wanted),))
        running.start()
        until(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%u'")
        other.execute("LOCK TABLE pipe.t")
        other.execute("COMMIT")
    running.join()
    assert (
        "sql/migrations/0002_locks.sql: attempt 1 of 6 was ended by the server: it and another session waited for each"
        " other's locks; tries again in 1 s"
    ) in plugin.messages
    assert live.state["history"][1]["state"] == "applied"


def test_two_runs_at_once_both_end_right_and_the_second_says_for_whom_it_waits(
    plugin: PipePlugin, database: Database
) -> None:
    header = "-- Why.\n-- pipe: lock_timeout = 1min\n"
    wanted = inputs(
        file(header + "LOCK TABLE public.gate; CREATE TABLE pipe.a ()", name="a"),
        file("CREATE TABLE pipe.b ()", "0002"),
    )
    database.rows("CREATE TABLE public.gate (); GRANT ALL ON public.gate TO pipe_owner")
    other = PipePlugin(database.config)
    second = other.live("sql:Migrations")
    runs = [threading.Thread(target=live.up, args=(wanted,)) for live in (plugin.live("sql:Migrations"), second)]
    waits = 'waits for another run of migrations to end: "pipe_migrator" from '
    with database.server.connect(database.name) as gate:
        gate.execute("BEGIN; LOCK TABLE public.gate")
        runs[0].start()
        until(database, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
        runs[1].start()
        eventually(
            lambda: other.messages,
            lambda messages: any(
                message.startswith(waits) and "pulumi-resource-pipe (" in message and "@" in message
                for message in messages
            ),
            timeouts.COMMAND,
            "the second run says for whom it waits",
        )
        gate.execute("COMMIT")
    for run in runs:
        run.join()
    other.stop()
    assert database.rows("SELECT count(*) FROM migrations.history") == [(2,)]
    assert [row["version"] for row in second.state["history"]] == ["0001", "0002"]
    assert database.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
