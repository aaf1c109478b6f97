"""Months of a running stack: a failover in the middle of archiving stops nothing, and months leave and come back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.archive import hurried
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, roles
from tests.fixtures.stacks import Stack, succeeded, throw_away_stack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("months"),
    pytest.mark.timeout(timeouts.UP + 2 * timeouts.SCHEDULED + timeouts.FAILOVER + timeouts.REJOIN),
]

ROWS = 1000
MONTH = date(2020, 1, 1)
NAME = "pipeline_runs_y2020m01"
COUNT = "SELECT count(*) FROM pipe.pipeline_runs_all WHERE started_at < '2020-02-01 00:00:00+00'"
ARCHIVED = f"SELECT to_regclass('archive.{NAME}') IS NOT NULL"


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack whose old months may leave."""
    with throw_away_stack("months") as made:
        made.prepare()
        made.configure("data", runs_export_after_months=4)
        made.up()
        yield made


def ask(stack: Stack, query: str, login: str = "migrator") -> Any:
    """Return the only value; None while nobody answers, as in a failover."""
    try:
        with stack.connect(login) as connection:
            row = connection.execute(query.encode()).fetchone()
            return None if row is None else row[0]
    except psycopg.OperationalError:
        return None


def make(stack: Stack, *words: str) -> str:
    return succeeded(stack.run("make", *words, f"STACK={stack.name}", "LIKE=test"))


def test_a_failover_in_the_middle_of_archiving_stops_nothing(own_stack: Stack) -> None:
    with own_stack.connect("migrator") as migrator:
        migrator.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (MONTH,))
        migrator.execute(
            "WITH organization AS (INSERT INTO pipe.organizations (name) VALUES ('Acme') RETURNING id),"
            " pipeline AS (INSERT INTO pipe.pipelines (organization_id, name, config)"
            " SELECT id, 'nightly', '{}' FROM organization RETURNING id)"
            " SELECT set_config('test.pipeline', id::text, false) FROM pipeline"
        )
        migrator.execute(
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at)"
            " SELECT current_setting('test.pipeline')::uuid, 'completed',"
            " '2020-01-02+00'::timestamptz + n * interval '1 minute'"
            " FROM generate_series(1, %s) AS n",
            (ROWS,),
        )
    led = leader(own_stack)
    survivor = next(member for member in assert_replicated(own_stack, replicas=1) if member != led)
    pending = f"SELECT detach_pending FROM pipe.partition_status() WHERE partition = '{NAME}'"

    # An open transaction keeps the DETACH half-way; there the leader is lost, and the transaction with it.
    with (
        contextlib.suppress(psycopg.OperationalError),
        own_stack.connect("readonly") as reader,
        own_stack.connect("migrator") as migrator,
    ):
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pipe.pipeline_runs")
        with hurried(migrator):
            eventually(lambda: ask(own_stack, pending), bool, timeouts.SCHEDULED, "the DETACH half-way")
        eventually(
            lambda: own_stack.sql(pending, survivor), lambda seen: seen == ["t"], timeouts.REPLAYED, "on the replica"
        )
        assert ask(own_stack, COUNT) == ROWS
        own_stack.container(led).kill()
    assert own_stack.container(led).status == "exited"
    eventually(
        lambda: roles(own_stack).get(survivor),
        lambda seen: seen == ("Leader", "running"),
        timeouts.FAILOVER,
        "a leader",
    )
    lost_at = own_stack.sql("SELECT now()", survivor)[0]
    assert eventually(lambda: ask(own_stack, COUNT), lambda seen: seen is not None, timeouts.COMMAND, "a count") == ROWS

    # The follow-up that was scheduled on the old primary goes on here by itself.
    eventually(lambda: ask(own_stack, ARCHIVED), bool, timeouts.SCHEDULED, "the month in the archive")
    assert ask(own_stack, COUNT) == ROWS
    ended = f"SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded' AND start_time > '{lost_at}'"
    assert own_stack.sql(ended, survivor) == ["t"]
    own_stack.container(led).start()
    assert_replicated(own_stack, replicas=1)


def test_a_month_that_is_due_leaves_and_comes_back(own_stack: Stack, tmp_path: Path) -> None:
    assert ask(own_stack, ARCHIVED) is True
    # A job that the failover cut off counts as failed until its next time, and status says so too.
    assert "month 2020-01 of archive.pipeline_runs may leave the database" in own_stack.run("make", "status").stdout
    export = make(own_stack, "export-months", f"TO={tmp_path}")
    assert f"{NAME}: exported 1,000 rows to {tmp_path}/{NAME}.copy.gz" in export
    assert f"{NAME}: dropped" in export
    assert ask(own_stack, COUNT) == 0
    assert "is due" in make(own_stack, "export-months", f"TO={tmp_path}")

    back = make(own_stack, "attach-month", f"FILE={tmp_path}/{NAME}.json")
    assert back.strip().endswith(f"attached archive.{NAME}: 1,000 rows, count and checksum as they left")
    assert ask(own_stack, COUNT) == ROWS
    own_stack.make("drift", timeout=timeouts.UP)


def test_what_is_wrong_is_said_in_a_line(own_stack: Stack, tmp_path: Path) -> None:
    done = own_stack.run("make", "export-months", f"STACK={own_stack.name}", f"TO={tmp_path}/nowhere")
    assert done.returncode != 0
    assert f'error: there is no directory "{tmp_path}/nowhere"\nHINT: make it' in done.stderr
    done = own_stack.run("make", "attach-month", f"STACK={own_stack.name}", f"FILE={tmp_path}/nothing.json")
    assert f'error: export "{tmp_path}/nothing.json" cannot be read: No such file or directory' in done.stderr
    done = own_stack.run("make", "adopt", f"STACK={own_stack.name}", "SOURCE=host=old password=secret", "ARGS=--check")
    assert done.returncode != 0
    assert "error: SOURCE has a password in it\nHINT: write it to ~/.pgpass" in done.stderr
