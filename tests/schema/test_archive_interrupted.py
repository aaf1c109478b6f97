"""Archiving that is interrupted, at whichever step and however hard, is finished by the next look; nothing is lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.archiving import (
    ROWS,
    WAIT_SECONDS,
    archive_the_rest,
    in_archive,
    old_month,
    quiet_migrator,
    rows_of,
    scheduled,
    step,
    wait_until,
)
from tests.schema.rows import one


@pytest.fixture
def migrator(database: SchemaDatabase) -> Iterator[Connection]:
    """The role that archives, while pg_cron is quiet."""
    with quiet_migrator(database) as connection:
        yield connection


def test_a_crash_after_the_detach_is_made_good(database: SchemaDatabase, migrator: Connection) -> None:
    month = date(2020, 3, 1)
    partition = old_month(database, month)
    step(migrator)
    migrator.execute(str(scheduled(migrator, partition)).encode())
    # The server comes up elsewhere, and the one-shot job got lost as well.
    migrator.execute("SELECT cron.unschedule(%s)", (f"pipe_detach_{partition}",))
    assert f"archived {partition}" in step(migrator)
    assert rows_of(migrator, month) == (0, ROWS, ROWS)


def test_a_detach_cut_off_half_way_is_finalized(database: SchemaDatabase, migrator: Connection) -> None:
    month = date(2020, 4, 1)
    partition = old_month(database, month)
    step(migrator)
    command = str(scheduled(migrator, partition))

    # A reader with an open transaction makes DETACH wait after its first half; there its session is killed.
    with database.session(matrix.READONLY) as reader, database.session(matrix.MIGRATOR, autocommit=True) as detacher:
        reader.execute("SELECT count(*) FROM pipe.pipeline_runs")
        failures: list[psycopg.Error] = []

        def detach() -> None:
            try:
                detacher.execute(command.encode())
            except psycopg.Error as error:
                failures.append(error)

        thread = threading.Thread(target=detach)
        thread.start()
        pending = "SELECT detach_pending FROM pipe.partition_status() WHERE partition = %s"
        wait_until(lambda: one(migrator, pending, partition) is True, "the detach to be half done")
        migrator.execute("SELECT pg_terminate_backend(%s)", (detacher.info.backend_pid,))
        thread.join(WAIT_SECONDS)
        assert len(failures) == 1

    assert rows_of(migrator, month) == (0, 0, ROWS), "its rows are on the way, and still seen"
    finalize = f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{partition} FINALIZE"
    assert step(migrator) == f"scheduled {finalize}"
    assert scheduled(migrator, partition) == finalize
    migrator.execute(finalize.encode())
    assert f"archived {partition}" in step(migrator)
    assert rows_of(migrator, month) == (0, ROWS, ROWS)


@pytest.mark.parametrize("month", [date(2021, 1, 1), date(2021, 2, 1)], ids=["in the detach", "in the last step"])
def test_a_killed_backend_loses_nothing(database: SchemaDatabase, migrator: Connection, month: date) -> None:
    """SIGKILL, which takes the whole server down: it comes up again from its log."""
    partition = old_month(database, month)
    step(migrator)
    command = str(scheduled(migrator, partition))
    with database.session(matrix.READONLY) as reader, database.session(matrix.MIGRATOR) as victim:
        if month.month == 1:
            # The reader keeps the DETACH half-way.
            reader.execute("SELECT count(*) FROM pipe.pipeline_runs")
            victim.autocommit = True
            thread = threading.Thread(target=_until_it_is_killed, args=(victim, command))
            thread.start()
            pending = "SELECT detach_pending FROM pipe.partition_status() WHERE partition = %s"
            wait_until(lambda: one(migrator, pending, partition) is True, "the detach to be half done")
        else:
            migrator.execute(command.encode())
            assert f"archived {partition}" in step(victim)
        status, output = database.container.exec_run(["bash", "-c", f"kill -9 {victim.info.backend_pid}"])
        assert status == 0, output
    # It lets sessions in until it sees that one was killed; from then on it has ended every other.
    wait_until(lambda: ended(migrator), "the server to go down")
    wait_until(lambda: answers(database), "the server to be up again")

    with database.session(matrix.MIGRATOR, autocommit=True) as survivor:
        assert rows_of(survivor, month) == (0, 0, ROWS)
        archive_the_rest(survivor)
        assert rows_of(survivor, month) == (0, ROWS, ROWS)
        assert in_archive(survivor, partition)


def _until_it_is_killed(session: Connection, command: str) -> None:
    with contextlib.suppress(psycopg.Error):
        session.execute(command.encode())


def ended(session: Connection) -> bool:
    try:
        session.execute("SELECT")
    except psycopg.OperationalError:
        return True
    return False


def answers(database: SchemaDatabase) -> bool:
    try:
        database.connect(matrix.MIGRATOR).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_month_in_use_waits_for_the_next_step(database: SchemaDatabase, migrator: Connection) -> None:
    partition = old_month(database, date(2020, 5, 1))
    step(migrator)
    migrator.execute(str(scheduled(migrator, partition)).encode())
    with database.session(matrix.MIGRATOR) as reader:
        reader.execute(f"SELECT FROM pipe.{partition}".encode())
        assert f"{partition} is in use, next time" in step(migrator)
    assert f"archived {partition}" in step(migrator)
