"""Jobs that fail, are late or were changed are told; runs are kept; what must be a statement of its own runs once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.cron import run_now
from tests.schema.rows import one

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH = "pipeline_runs_y2019m05"


def alerts(connection: Connection, name: str) -> list[tuple[str, str]]:
    """Return severity and message of the alerts of that name."""
    query = "SELECT severity, message FROM upkeep.alerts() WHERE name = %s ORDER BY message"
    return [(severity, message) for severity, message in connection.execute(query.encode(), (name,)).fetchall()]


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ("30 seconds", timedelta(seconds=30)),
        ("1 second", timedelta(seconds=1)),
        ("* * * * *", timedelta(minutes=1)),
        ("*/5 * * * *", timedelta(minutes=5)),
        ("23 * * * *", HOUR),
        ("0,30 * * * *", HOUR),
        ("7 */6 * * *", 6 * HOUR),
        ("7 3 * * *", DAY),
        ("7 1-5 * * *", DAY),
        ("37 4 * * 0", 7 * DAY),
        ("7 3 1 * *", 31 * DAY),
        ("7 3 24 11 *", 366 * DAY),
    ],
)
def test_the_time_between_two_runs(migrator: Connection, schedule: str, interval: timedelta) -> None:
    assert one(migrator, "SELECT upkeep.expected_interval(%s)", schedule) == interval


@pytest.fixture
def broken(migrator: Connection) -> Iterator[str]:
    """A declared job that always fails."""
    name, schedule, command = "pipe_broken", "0 0 1 1 *", "SELECT 1 / 0"
    migrator.execute("SELECT cron.schedule(%s, %s, %s)", (name, schedule, command))
    migrator.execute(
        "INSERT INTO upkeep.jobs (job_name, schedule, command) VALUES (%s, %s, %s)", (name, schedule, command)
    )
    yield name
    migrator.execute("DELETE FROM upkeep.jobs WHERE job_name = %s", (name,))
    migrator.execute("SELECT cron.unschedule(%s)", (name,))


def test_a_failed_run_is_told_and_kept(database: SchemaDatabase, migrator: Connection, broken: str) -> None:
    assert run_now(migrator, broken)[0] == "failed"
    with database.session(matrix.MONITOR) as monitor:
        assert alerts(monitor, "job failed") == [("error", f"job {broken} failed: ERROR: division by zero")]
        labels = '{"job": "pipe_broken"}'
        query = "SELECT value FROM upkeep.metrics() WHERE name = 'pipe_job_ok' AND labels = %s"
        assert one(monitor, query, labels) == 0
    migrator.execute("SELECT upkeep.record_runs()")
    status, message, duration = migrator.execute(
        "SELECT status, message, ended_at - started_at FROM upkeep.runs WHERE job_name = %s LIMIT 1", (broken,)
    ).fetchall()[0]
    assert (status, "division by zero" in message) == ("failed", True)
    assert timedelta() <= duration < HOUR


def test_a_run_that_was_due_and_did_not_start_is_told(owner: Connection) -> None:
    change = "UPDATE upkeep.jobs SET since = CURRENT_TIMESTAMP - %s::interval WHERE job_name = 'pipe_partitions'"
    # pg_cron may have run it for another test.
    owner.execute("DELETE FROM cron.job_run_details WHERE command = 'SELECT pipe.ensure_partitions()'")
    owner.execute(change.encode(), ("25 hours",))
    assert alerts(owner, "job late") == []
    owner.execute(change.encode(), ("27 hours",))
    assert alerts(owner, "job late") == [
        ("error", 'job pipe_partitions should have run: it is due at "7 0 * * *" and started last never')
    ]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM cron.job WHERE jobname = 'pipe_archive'",
        "UPDATE cron.job SET active = false WHERE jobname = 'pipe_archive'",
        "UPDATE cron.job SET schedule = '0 0 1 1 *' WHERE jobname = 'pipe_archive'",
        "UPDATE cron.job SET command = 'SELECT 1' WHERE jobname = 'pipe_archive'",
    ],
)
def test_a_job_that_somebody_changed_is_told_and_put_right(owner: Connection, change: str) -> None:
    owner.execute(change.encode())
    assert alerts(owner, "job not scheduled") == [("error", "job pipe_archive is not scheduled as declared")]
    owner.execute("SET LOCAL SESSION AUTHORIZATION pipe_migrator")
    owner.execute("SELECT upkeep.schedule_jobs()")
    assert alerts(owner, "job not scheduled") == []


def test_runs_are_forgotten_by_pg_cron_first(owner: Connection) -> None:
    owner.execute("SET LOCAL ROLE pipe_migrator")
    owner.execute(
        "INSERT INTO upkeep.runs SELECT n, 'old', 'SELECT 1', at, at, 'succeeded' FROM (VALUES"
        " (-1, CURRENT_TIMESTAMP - interval '99 days'), (-2, CURRENT_TIMESTAMP - interval '101 days')) AS old (n, at)"
    )
    owner.execute("SELECT upkeep.record_runs()")
    assert owner.execute("SELECT run_id FROM upkeep.runs WHERE job_name = 'old'").fetchall() == [(-1,)]


def test_a_successful_run_of_every_minute_is_not_kept(migrator: Connection) -> None:
    assert run_now(migrator, "pipe_slow_statements")[0] == "succeeded"
    migrator.execute("SELECT upkeep.record_runs()")
    assert one(migrator, "SELECT count(*) FROM upkeep.runs WHERE job_name = 'pipe_slow_statements'") == 0


@pytest.fixture
def past_month(database: SchemaDatabase) -> Iterator[Connection]:
    """The owner's session, with a month of 2019 that holds a row."""
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2019-05-01')")
        yield owner
        owner.execute(f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{MONTH}".encode())
        owner.execute(f"DROP TABLE pipe.{MONTH}".encode())


def test_a_month_that_is_past_is_frozen_once(migrator: Connection, past_month: Connection) -> None:
    due = f"SELECT count(*) FROM upkeep.months_to_freeze() WHERE month_table = 'pipe.{MONTH}'::regclass"
    assert one(migrator, due) == 1
    planned = str(one(migrator, "SELECT upkeep.plan_freeze()"))
    assert planned.startswith("planned: VACUUM (FREEZE, ANALYZE, SKIP_LOCKED) ")
    assert f"pipe.{MONTH}" in planned
    assert run_now(migrator, "pipe_once_freeze") == ("succeeded", "VACUUM")
    assert one(migrator, due) == 0
    # A night takes 24 months; what other tests archived in this database may fill more than one night.
    while (planned := str(one(migrator, "SELECT upkeep.plan_freeze()"))) != "nothing to do":
        assert f"pipe.{MONTH}" not in planned
        assert run_now(migrator, "pipe_once_freeze") == ("succeeded", "VACUUM")
    assert one(migrator, "SELECT count(*) FROM cron.job WHERE jobname = 'pipe_once_freeze'") == 0


def test_a_one_shot_is_planned_for_one_minute_of_the_year(migrator: Connection) -> None:
    migrator.execute("SELECT upkeep.run_once('test', 'SELECT 1')")
    schedule = str(one(migrator, "SELECT schedule FROM cron.job WHERE jobname = 'pipe_once_test'"))
    assert one(migrator, "SELECT upkeep.run_once('test', NULL)") == "nothing to do"
    minute, hour, day, month, weekday = schedule.split()
    assert all(field.isdecimal() for field in (minute, hour, day, month))
    assert weekday == "*"
