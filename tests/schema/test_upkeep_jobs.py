"""Jobs that fail, are late or were changed are told; runs are kept; what must be a statement of its own runs once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from infra.access import matrix
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.archiving import archive_the_rest, old_month, quiet_migrator
from tests.schema.cron import RUN_WAIT_SECONDS, run_now
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


@pytest.mark.parametrize(
    ("schedule", "now", "minute"),
    [
        ("5 3 26 11 *", datetime(2026, 11, 26, 3, 3, 30, tzinfo=UTC), datetime(2026, 11, 26, 3, 5, tzinfo=UTC)),
        ("5 3 26 11 *", datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 11, 26, 3, 5, tzinfo=UTC)),
        ("1 0 1 1 *", datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC), datetime(2027, 1, 1, 0, 1, tzinfo=UTC)),
        ("59 23 31 12 *", datetime(2027, 1, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)),
        ("5 3 29 2 *", datetime(2028, 2, 29, 4, tzinfo=UTC), datetime(2028, 2, 29, 3, 5, tzinfo=UTC)),
        ("* * * * *", datetime(2026, 11, 26, tzinfo=UTC), None),
        ("1 seconds", datetime(2026, 11, 26, tzinfo=UTC), None),
    ],
)
def test_the_minute_of_a_one_shot(migrator: Connection, schedule: str, now: datetime, minute: datetime | None) -> None:
    assert one(migrator, "SELECT upkeep.planned_minute(%s, %s)", schedule, now) == minute


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
        assert ("error", f"job {broken} failed: ERROR: division by zero") in alerts(monitor, "job failed")
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


def test_a_one_shot_that_did_not_start_in_its_minute_is_told(owner: Connection) -> None:
    """Schedule and run are those of another session: pg_cron sees nothing of either."""

    def plan(minutes_ago: int) -> str:
        moment = "(CURRENT_TIMESTAMP - make_interval(mins => %s)) AT TIME ZONE 'UTC'"
        schedule = one(owner, f"SELECT to_char({moment}, 'FMMI FMHH24 FMDD FMMM')", minutes_ago)
        owner.execute("SET LOCAL ROLE pipe_migrator")
        owner.execute("SELECT cron.schedule('pipe_once_test', %s, 'SELECT 1')", (f"{schedule} *",))
        owner.execute("RESET ROLE")
        return f"{schedule} *"

    def start(minutes_ago: int) -> None:
        owner.execute(
            "INSERT INTO cron.job_run_details (jobid, runid, username, status, start_time, end_time)"
            " SELECT jobid, %s, username, 'succeeded', started.at, started.at"
            " FROM cron.job, (SELECT CURRENT_TIMESTAMP - make_interval(mins => %s)) AS started (at)"
            " WHERE jobname = 'pipe_once_test'",
            (-minutes_ago, minutes_ago),
        )

    plan(59)
    assert alerts(owner, "job late") == []
    schedule = plan(61)
    start(24 * 60)
    late = f'job pipe_once_test should have run: it is due at "{schedule}" and started last on '
    ((severity, message),) = alerts(owner, "job late")
    assert (severity, message.startswith(late)) == ("warning", True), message
    start(60)
    assert alerts(owner, "job late") == []


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
    """Also those that failed before they started, of which pg_cron knows no time."""
    owner.execute(
        "INSERT INTO cron.job_run_details (runid, username, command, status, start_time, end_time)"
        " SELECT n, 'pipe_migrator', 'SELECT 1', 'failed', CURRENT_TIMESTAMP - started, CURRENT_TIMESTAMP - ended"
        " FROM (VALUES (-11, interval '13 days', interval '13 days'), (-12, '15 days', '15 days'),"
        " (-13, NULL, '15 days'), (-14, NULL, NULL), (-15, NULL, NULL)) AS old (n, started, ended)"
    )
    owner.execute(
        "INSERT INTO upkeep.runs SELECT -14, 'one-shot', 'SELECT 1', at, at, 'failed'"
        " FROM (SELECT CURRENT_TIMESTAMP - interval '15 days') AS recorded (at)"
    )
    owner.execute("SET LOCAL ROLE pipe_migrator")
    owner.execute(
        "INSERT INTO upkeep.runs SELECT n, 'old', 'SELECT 1', at, at, 'succeeded' FROM (VALUES"
        " (-1, CURRENT_TIMESTAMP - interval '99 days'), (-2, CURRENT_TIMESTAMP - interval '101 days')) AS old (n, at)"
    )
    owner.execute("SELECT upkeep.record_runs()")
    assert owner.execute("SELECT run_id FROM upkeep.runs WHERE job_name = 'old'").fetchall() == [(-1,)]
    left = owner.execute("SELECT runid FROM cron.job_run_details WHERE runid < 0 ORDER BY runid").fetchall()
    assert left == [(-15,), (-11,)]


def test_a_successful_run_of_every_minute_is_not_kept(migrator: Connection) -> None:
    assert run_now(migrator, "pipe_slow_statements")[0] == "succeeded"
    migrator.execute("SELECT upkeep.record_runs()")
    assert one(migrator, "SELECT count(*) FROM upkeep.runs WHERE job_name = 'pipe_slow_statements'") == 0


@pytest.fixture
def past_month(database: SchemaDatabase) -> Iterator[Connection]:
    """The owner's session, with a month of 2019 that holds a row."""
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        # The job that archives leaves its month alone.
        owner.execute("SELECT pg_advisory_lock_shared(hashtext('pipe.partitions'))")
        owner.execute("SELECT pipe.ensure_partition('pipeline_runs', '2019-05-01')")
        yield owner
        owner.execute(f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{MONTH}".encode())
        owner.execute(f"DROP TABLE pipe.{MONTH}".encode())


def freeze_the_rest(migrator: Connection) -> str:
    """Take as many nights as it needs; return what they planned."""
    planned = ""
    # A night takes 24 months; what other tests archived in this database may fill more than one.
    while (night := str(one(migrator, "SELECT upkeep.plan_freeze()"))) != "nothing to do":
        planned += night
        assert run_now(migrator, "pipe_once_freeze") == ("succeeded", "VACUUM")
    return planned


def test_a_month_that_is_past_is_frozen_once(migrator: Connection, past_month: Connection) -> None:
    due = f"SELECT count(*) FROM upkeep.months_to_freeze() WHERE month_table = 'pipe.{MONTH}'::regclass"
    assert one(migrator, due) == 1
    planned = str(one(migrator, "SELECT upkeep.plan_freeze()"))
    assert planned.startswith("planned: VACUUM (FREEZE, ANALYZE, SKIP_LOCKED) ")
    assert f"pipe.{MONTH}" in planned
    assert run_now(migrator, "pipe_once_freeze") == ("succeeded", "VACUUM")
    assert one(migrator, due) == 0
    assert f"pipe.{MONTH}" not in freeze_the_rest(migrator)
    assert one(migrator, "SELECT count(*) FROM cron.job WHERE jobname = 'pipe_once_freeze'") == 0


def test_a_month_that_is_archived_is_frozen_with_what_changed_since(
    database: SchemaDatabase, migrator: Connection
) -> None:
    month = "pipeline_runs_y2018m05"
    frozen = f"SELECT bool_and(age(r.xmin) > age(relfrozenxid)) FROM {{0}}.{month} AS r, pg_class WHERE relname = %s"

    def froze() -> object:
        """What nobody sees otherwise: a job's snapshot may be older."""
        migrator.execute(f"VACUUM (FREEZE, ANALYZE) pipe.{month}".encode())
        return one(migrator, frozen.format("pipe"), month)

    with quiet_migrator(database):
        assert old_month(database, date(2018, 5, 1)) == month
        eventually(froze, lambda done: done is True, RUN_WAIT_SECONDS, "every row frozen")
        with database.session(matrix.APP) as app:
            app.execute(
                "UPDATE pipe.pipeline_runs SET status = 'failed' WHERE started_at BETWEEN '2018-05-02' AND '2018-05-09'"
            )
            app.commit()
        archive_the_rest(migrator)
    assert one(migrator, frozen.format("archive"), month) is False
    assert f"archive.{month}" in freeze_the_rest(migrator)
    assert one(migrator, frozen.format("archive"), month) is True


def test_a_one_shot_is_planned_for_one_minute_of_the_year(migrator: Connection) -> None:
    migrator.execute("SELECT upkeep.run_once('test', 'SELECT 1')")
    schedule = str(one(migrator, "SELECT schedule FROM cron.job WHERE jobname = 'pipe_once_test'"))
    assert one(migrator, "SELECT upkeep.run_once('test', NULL)") == "nothing to do"
    minute, hour, day, month, weekday = schedule.split()
    assert all(field.isdecimal() for field in (minute, hour, day, month))
    assert weekday == "*"
