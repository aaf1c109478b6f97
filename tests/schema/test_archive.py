"""Old months leave the live table, lose nothing, and stay readable.

pg_cron's one-shot jobs are run by hand here, as the role that pg_cron runs them as; that pg_cron itself runs them is
shown in test_jobs.py. Every test has months of its own.
"""

from __future__ import annotations

import re
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
from tests.schema.rows import make_tenant, one


@pytest.fixture
def migrator(database: SchemaDatabase) -> Iterator[Connection]:
    """The role that archives, while pg_cron is quiet."""
    with quiet_migrator(database) as connection:
        yield connection


def test_a_month_goes_from_end_to_end(database: SchemaDatabase, migrator: Connection) -> None:
    month = date(2020, 1, 1)
    partition = old_month(database, month)
    assert rows_of(migrator, month) == (ROWS, 0, ROWS)

    command = f"ALTER TABLE pipe.pipeline_runs DETACH PARTITION pipe.{partition} CONCURRENTLY"
    assert f"scheduled {command}" in step(migrator)
    assert scheduled(migrator, partition) == command
    assert step(migrator) == "nothing to do", "what is scheduled is not scheduled again"
    migrator.execute(command.encode())
    assert f"archived {partition}" in step(migrator)

    assert rows_of(migrator, month) == (0, ROWS, ROWS)
    assert in_archive(migrator, partition)
    assert scheduled(migrator, partition) is None
    assert step(migrator) == "nothing to do"
    assert one(migrator, "SELECT count(*) FROM cron.job WHERE jobname = 'pipe_archive_follow_up'") == 0
    with database.session(matrix.AUDITOR) as auditor:
        values = one(
            auditor, "SELECT new_values FROM pipe.audit_logs WHERE operation = 'ARCHIVE' AND table_name = %s", partition
        )
        assert values == {"rows": ROWS}


def test_an_archived_month_is_readable_and_read_only(database: SchemaDatabase, migrator: Connection) -> None:
    month = date(2020, 2, 1)
    partition = old_month(database, month)
    step(migrator)
    migrator.execute(str(scheduled(migrator, partition)).encode())
    step(migrator)

    for role in (matrix.APP, matrix.READONLY):
        with database.session(role) as connection:
            assert one(connection, "SELECT count(*) FROM archive.pipeline_runs WHERE started_at < '2020-03-01'") != 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                connection.execute(f"SELECT FROM archive.{partition}".encode())
    for statement in (
        f"DELETE FROM archive.{partition}",
        "UPDATE archive.pipeline_runs SET status = 'failed'",
        f"TRUNCATE archive.{partition}",
        "TRUNCATE archive.pipeline_runs",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="archived months are read-only"):
            migrator.execute(statement.encode())
    with pytest.raises(
        psycopg.errors.ObjectNotInPrerequisiteState, match=r"month 2020-02 of pipe\.pipeline_runs is archived"
    ):
        migrator.execute("SELECT pipe.ensure_partition('pipeline_runs', '2020-02-01')")


def test_a_reader_sees_every_row_once_at_every_step(database: SchemaDatabase, migrator: Connection) -> None:
    """Another session asks again and again, from before the first step until after the last."""
    month = date(2020, 8, 1)
    partition = old_month(database, month)
    seen: set[int] = set()
    asked = threading.Event()
    done = threading.Event()

    def ask() -> None:
        with database.session(matrix.READONLY, autocommit=True) as reader:
            while not done.is_set():
                row = reader.execute(
                    "SELECT count(*) FROM pipe.pipeline_runs_all WHERE started_at >= '2020-08-01 00:00:00+00'"
                    " AND started_at < '2020-09-01 00:00:00+00'"
                ).fetchone()
                assert row is not None
                seen.add(row[0])
                asked.set()

    def next_step(what: str) -> None:
        # The reader may just hold the view; then the step says so, and is taken again.
        wait_until(lambda: what in step(migrator), what)
        asked.clear()
        assert asked.wait(WAIT_SECONDS), "the reader has stopped"

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        next_step("scheduled")
        migrator.execute(str(scheduled(migrator, partition)).encode())
        next_step(f"archived {partition}")
    finally:
        done.set()
        thread.join(WAIT_SECONDS)
    assert seen == {ROWS}
    assert one(migrator, "SELECT pipe.month_in_transit('pipeline_runs')") is None


def test_the_view_prunes_also_while_a_month_is_on_its_way(database: SchemaDatabase, migrator: Connection) -> None:
    old_month(database, date(2020, 10, 1))
    partition = old_month(database, date(2020, 9, 1))

    def months_read(month: str) -> set[str]:
        rows = migrator.execute(
            "EXPLAIN SELECT count(*) FROM pipe.pipeline_runs_all"
            f" WHERE started_at >= '{month}-02 00:00:00+00' AND started_at < '{month}-20 00:00:00+00'".encode()
        ).fetchall()
        return set(re.findall(r"pipeline_runs_y\d{4}m\d\d(?= )", "\n".join(line for (line,) in rows)))

    def check(*, on_its_way: bool = False) -> None:
        assert months_read("2020-09") == {partition}
        assert months_read("2020-10") == {"pipeline_runs_y2020m10"} | ({partition} if on_its_way else set())

    check()
    step(migrator)
    assert one(migrator, "SELECT pipe.month_in_transit('pipeline_runs')") == partition
    check(on_its_way=True)
    migrator.execute(str(scheduled(migrator, partition)).encode())
    check(on_its_way=True)
    # The next month sets out at once.
    assert f"archived {partition}" in step(migrator)
    assert months_read("2020-10") == {"pipeline_runs_y2020m10"}
    archive_the_rest(migrator)
    check()


def test_a_tenant_sees_only_its_rows_of_a_month_on_its_way(database: SchemaDatabase, migrator: Connection) -> None:
    month = date(2020, 11, 1)
    partition = old_month(database, month)
    with database.session(matrix.APP) as connection:
        tenant = make_tenant(connection)
        connection.execute(
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', '2020-11-05')",
            (tenant.pipeline,),
        )
        connection.commit()
    step(migrator)
    migrator.execute(str(scheduled(migrator, partition)).encode())
    migrator.execute("SET ROLE pipe_owner")
    migrator.execute("SELECT pipe.apply_tenant_isolation(true)")
    try:
        with database.session(matrix.APP) as connection:
            for view in ("pipeline_runs_all", "pipeline_runs_in_transit"):
                count = f"SELECT count(*) FROM pipe.{view}"
                connection.execute("SELECT set_config('pipe.organization_id', '', true)")
                assert one(connection, count) == 0
                connection.execute("SELECT set_config('pipe.organization_id', %s, true)", (str(tenant.organization),))
                assert one(connection, count) == 1
    finally:
        migrator.execute("SELECT pipe.apply_tenant_isolation(false)")
        migrator.execute("RESET ROLE")
    archive_the_rest(migrator)


def test_months_go_one_at_a_time_oldest_first(database: SchemaDatabase, migrator: Connection) -> None:
    second = old_month(database, date(2020, 7, 1))
    first = old_month(database, date(2020, 6, 1))
    for partition, other in ((first, second), (second, first)):
        step(migrator)
        assert scheduled(migrator, other) is None
        migrator.execute(str(scheduled(migrator, partition)).encode())
    step(migrator)
    assert in_archive(migrator, first)
    assert in_archive(migrator, second)


def test_the_audit_log_is_archived_likewise(database: SchemaDatabase, migrator: Connection) -> None:
    migrator.execute("SELECT pipe.ensure_partition('audit_logs', '2020-01-01')")
    step(migrator)
    migrator.execute(str(scheduled(migrator, "audit_logs_y2020m01")).encode())
    assert "archived audit_logs_y2020m01" in step(migrator)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="archived months are read-only"):
        migrator.execute("TRUNCATE archive.audit_logs_y2020m01")


def test_three_whole_months_stay(owner: Connection) -> None:
    """With the present month that is four; the fourth month back is due."""
    for back in range(1, 5):
        owner.execute(
            "SELECT pipe.ensure_partition('pipeline_runs', (pipe.current_month() - make_interval(months => %s))::date)",
            (back,),
        )
    owner.execute("SET LOCAL ROLE pipe_migrator")
    owner.execute("SELECT pipe.archive_step()")
    due = owner.execute("SELECT jobname FROM cron.job WHERE jobname ~ '^pipe_detach_'").fetchall()
    fourth = one(
        owner, "SELECT pipe.partition_name('pipeline_runs', (pipe.current_month() - interval '4 months')::date)"
    )
    assert due == [(f"pipe_detach_{fourth}",)]


def test_the_owner_is_told_who_has_to_call_it(migrator: Connection) -> None:
    migrator.execute("SET ROLE pipe_owner")
    with pytest.raises(psycopg.errors.InvalidRoleSpecification) as caught:
        migrator.execute("SELECT pipe.archive_step()")
    assert caught.value.diag.message_hint == "Call pipe.archive_step() as pipe_migrator, without SET ROLE."
