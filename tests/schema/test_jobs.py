"""pg_cron runs the jobs: as the migrator, without a connection from outside, each to a good end."""

from __future__ import annotations

import re
import time
from datetime import date

import pytest

from infra.access import matrix
from tests.fixtures.schema_database import ROOT, Connection, SchemaDatabase
from tests.schema.cron import POLL_SECONDS, RUN_WAIT_SECONDS, in_a_second, newest_run, run_after, run_now
from tests.schema.rows import one

JOBS = {
    "pipe_partitions",
    "pipe_archive",
    "pipe_analyze",
    "pipe_vacuum",
    "pipe_storage",
    "pipe_analyze_archive",
    "pipe_freeze",
    "pipe_reindex",
    "pipe_index_usage",
    "pipe_slow_statements",
    "pipe_run_history",
    "pipe_audit_backups",
    "pipe_audit_logins",
    "pipe_audit_seal",
    "pipe_audit_verify",
    "pipe_audit_watch",
}


def test_the_list_of_jobs(migrator: Connection) -> None:
    rows = migrator.execute(
        "SELECT jobname, username, database, active FROM cron.job WHERE jobname !~ '^pipe_(detach|once|archive_follow)'"
    ).fetchall()
    assert {name for name, *_ in rows} == JOBS
    assert {tuple(rest) for _, *rest in rows} == {(matrix.MIGRATOR, matrix.DATABASE, True)}


def test_every_job_is_documented() -> None:
    rows = re.findall(r"^\| (`pipe_.*?) \|", (ROOT / "docs" / "tuning.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == JOBS


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_runs_to_a_good_end(migrator: Connection, job: str) -> None:
    status, message = run_now(migrator, job)
    assert status == "succeeded", message


def test_lost_months_are_made_again_by_the_job(migrator: Connection) -> None:
    last = one(
        migrator, "SELECT pipe.partition_name('pipeline_runs', (pipe.current_month() + interval '6 months')::date)"
    )
    migrator.execute(f"DROP TABLE pipe.{last}".encode())
    last_run = newest_run(migrator)
    with in_a_second(migrator, "pipe_partitions"):
        assert run_after(migrator, "SELECT pipe.ensure_partitions()", last_run)[0] == "succeeded"
    assert one(migrator, "SELECT months_ahead FROM pipe.partitions_ahead() WHERE parent = 'pipeline_runs'") == 6


def test_a_month_is_archived_by_pg_cron_alone(migrator: Connection) -> None:
    migrator.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (date(2019, 1, 1),))
    partition, last_run = "pipeline_runs_y2019m01", newest_run(migrator)
    with in_a_second(migrator, "pipe_archive"):
        deadline = time.monotonic() + RUN_WAIT_SECONDS
        while one(migrator, "SELECT count(*) FROM cron.job WHERE jobname = %s", f"pipe_detach_{partition}") == 0:
            assert time.monotonic() < deadline, "the detach was not scheduled"
            time.sleep(POLL_SECONDS)
        command = f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{partition} CONCURRENTLY"
        # Not in one or two minutes: now. A second run fails where the month is gone already; only the first counts.
        migrator.execute("SELECT cron.schedule(%s, '1 seconds', %s)", (f"pipe_detach_{partition}", command))
        assert run_after(migrator, command, last_run) == ("succeeded", "ALTER TABLE")
        while one(migrator, "SELECT to_regclass(%s) IS NULL", f"archive.{partition}"):
            assert time.monotonic() < deadline, "the month was not put away"
            time.sleep(POLL_SECONDS)
        while one(migrator, "SELECT count(*) FROM cron.job WHERE jobname ~ '^pipe_(detach|archive_follow)'"):
            assert time.monotonic() < deadline, "the one-shot jobs were not taken away"
            time.sleep(POLL_SECONDS)


def test_a_job_that_is_no_longer_listed_goes(database: SchemaDatabase, migrator: Connection) -> None:
    migrator.execute("SELECT cron.schedule('pipe_forgotten', '0 0 1 1 *', 'SELECT 1')")
    migrator.execute("SELECT cron.schedule('somebody_elses', '0 0 1 1 *', 'SELECT 1')")
    database.apply(ROOT / "sql" / "repeatable" / "090_jobs.sql")
    left = migrator.execute(
        "SELECT jobname FROM cron.job WHERE jobname IN ('pipe_forgotten', 'somebody_elses')"
    ).fetchall()
    migrator.execute("SELECT cron.unschedule('somebody_elses')")
    assert left == [("somebody_elses",)]
