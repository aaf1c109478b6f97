"""Months leave while clients insert and read: none of these ever waits for it, and nobody waits behind a DETACH.

A wait of more than 100 ms is refused by the clients' own lock_timeout, so nothing here measures time. pg_cron does it
all.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date

import psycopg
import pytest

from bench.archive import BESIDE, LIVE, READ_HISTORY, Load, archive, hurried, prepare
from infra.access import matrix
from tests.asserts.eventually import eventually
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.cron import POLL_SECONDS, RUN_WAIT_SECONDS
from tests.schema.rows import one

MONTHS = [date(2010, month, 1) for month in (1, 2, 3)]
ROWS = 20_000


def test_nobody_at_the_live_table_waits_while_months_are_archived(
    database: SchemaDatabase, migrator: Connection
) -> None:
    values = prepare(database, MONTHS, ROWS)
    with Load(database, values, LIVE, lock_timeout="100ms") as load, Load(database, values, BESIDE) as beside:
        archive(migrator, MONTHS, lambda _: None)
    assert load.refused == []
    assert all(load.seconds.values()), "every client got an answer"
    assert beside.refused == []
    assert beside.answers[READ_HISTORY.title] == {len(MONTHS) * ROWS}, "every row was there once, all the time"


def test_a_detach_that_others_would_wait_behind_gives_way(database: SchemaDatabase, migrator: Connection) -> None:
    """Somebody is in the middle of changing pipelines, which a DETACH locks at its end; others want to as well."""
    month = date(2010, 4, 1)
    values = prepare(database, [month], 10)
    cancelled = (
        "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE command ~ 'DETACH PARTITION pipe.pipeline_runs_y2010m04'"
        " AND status = 'failed' AND return_message ~ 'canceling statement due to user request')"
    )
    with database.session(matrix.APP) as busy, database.session(matrix.APP, autocommit=True) as other:
        busy.execute("UPDATE pipe.pipelines SET description = 'busy' WHERE id = %s", (values["pipeline"],))
        with hurried(migrator):
            deadline = time.monotonic() + RUN_WAIT_SECONDS
            while not one(migrator, cancelled):
                assert time.monotonic() < deadline, "nobody told the DETACH to give way"
                migrator.execute(
                    "SELECT cron.schedule(jobname, '1 seconds', command) FROM cron.job"
                    " WHERE jobname ~ '^pipe_detach_' AND schedule = '* * * * *'"
                )
                time.sleep(POLL_SECONDS)
            other.execute("SET lock_timeout = '10s'")
            other.execute("UPDATE pipe.pipelines SET description = 'other' WHERE id = %s", (values["other"],))
            assert not one(migrator, "SELECT to_regclass('archive.pipeline_runs_y2010m04') IS NOT NULL")
    archive(migrator, [month], lambda _: None)


def test_a_reader_is_not_ended_for_a_finalize_that_waits_for_it(database: SchemaDatabase, migrator: Connection) -> None:
    """It has a snapshot that FINALIZE waits for, and wants the month that FINALIZE has."""
    month = date(2010, 5, 1)
    prepare(database, [month], 10)
    detach = "ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.pipeline_runs_y2010m05"
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted"
    with (
        ThreadPoolExecutor() as beside,
        database.session(matrix.PROVISIONER) as reader,
        database.session(matrix.MIGRATOR, autocommit=True) as detaching,
    ):

        def detached(how: str) -> Future[object]:
            """Begin to detach, up to where it waits for the reader."""
            running: Future[object] = beside.submit(detaching.execute, f"{detach} {how}".encode())
            eventually(lambda: one(migrator, waits), lambda found: found == 1, RUN_WAIT_SECONDS, "a DETACH that waits")
            return running

        reader.execute("SELECT FROM pipe.pipeline_runs")
        half_done = detached("CONCURRENTLY")
        detaching.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            half_done.result(RUN_WAIT_SECONDS)
        reader.rollback()

        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT")
        finishing = detached("FINALIZE")
        reading = beside.submit(reader.execute, "SELECT count(*) FROM pipe.pipeline_runs_y2010m05")
        migrator.execute("SELECT pipe.archive_follow_up()")
        assert reading.result(RUN_WAIT_SECONDS).fetchall() == [(10,)]
        # PostgreSQL itself may be the first to see that the two wait for each other.
        with pytest.raises((psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected)):
            finishing.result(RUN_WAIT_SECONDS)
    archive(migrator, [month], lambda _: None)


def test_the_clients_of_this_test_do_notice_a_lock(database: SchemaDatabase) -> None:
    values = prepare(database, (), 0)
    with database.session(matrix.PROVISIONER) as blocker:
        blocker.execute("LOCK TABLE pipe.pipeline_runs IN ACCESS EXCLUSIVE MODE")
        with database.session(matrix.APP) as client:
            client.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                client.execute(LIVE[0].statement, values)
