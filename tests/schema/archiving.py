"""Taking the steps of archiving by hand, with pg_cron's jobs quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import make_tenant, one

POLL_SECONDS = 0.05
WAIT_SECONDS = 90
ROWS = 25


@contextmanager
def quiet_migrator(database: SchemaDatabase) -> Iterator[Connection]:
    """A session as pg_cron has it, with its jobs quiet: the tests take the steps."""
    with database.session(matrix.PROVISIONER, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET cron.launch_active_jobs = off")
        connection.execute("SELECT pg_reload_conf()")
    try:
        with database.session(matrix.MIGRATOR, autocommit=True) as connection:
            yield connection
    finally:
        with database.session(matrix.PROVISIONER, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET cron.launch_active_jobs")
            connection.execute("SELECT pg_reload_conf()")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s for: {what}"
        time.sleep(POLL_SECONDS)


def old_month(database: SchemaDatabase, month: date) -> str:
    """Make a month of runs with rows in it; return its name."""
    with database.session(matrix.MIGRATOR) as connection:
        connection.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (month,))
        connection.commit()
    with database.session(matrix.APP) as connection:
        tenant = make_tenant(connection)
        connection.execute(
            "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at)"
            " SELECT %s, 'completed', %s::timestamp AT TIME ZONE 'UTC' + make_interval(days => day)"
            " FROM generate_series(1, %s) AS day",
            (tenant.pipeline, month, ROWS),
        )
        connection.commit()
    return f"pipeline_runs_y{month:%Y}m{month:%m}"


def scheduled(migrator: Connection, partition: str) -> str | None:
    row = migrator.execute("SELECT command FROM cron.job WHERE jobname = %s", (f"pipe_detach_{partition}",)).fetchone()
    return None if row is None else row[0]


def step(migrator: Connection) -> str:
    return str(one(migrator, "SELECT pipe.archive_step()"))


def in_archive(migrator: Connection, partition: str) -> bool:
    return bool(
        one(
            migrator,
            "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
            " AND inhparent = 'archive.pipeline_runs'::regclass)",
            f"archive.{partition}",
        )
    )


def archive_the_rest(migrator: Connection) -> None:
    """Take steps, and run what they schedule, until nothing is under way, as pg_cron would."""
    under_way = "SELECT jobname, command FROM cron.job WHERE jobname ~ '^pipe_(detach_|archive_follow_up)'"
    while step(migrator) != "nothing to do" or migrator.execute(under_way).fetchone():
        for job, command in migrator.execute(under_way).fetchall():
            if job != "pipe_archive_follow_up":
                migrator.execute(command.encode())


def rows_of(migrator: Connection, month: date) -> tuple[int, int, int]:
    """Return how many rows of a month the live table, the archive and the view over both show."""
    counts = [
        one(
            migrator,
            f"SELECT count(*) FROM {table} WHERE started_at >= %s::timestamp AT TIME ZONE 'UTC'"
            " AND started_at < (%s::timestamp + interval '1 month') AT TIME ZONE 'UTC'",
            month,
            month,
        )
        for table in ("pipe.pipeline_runs", "archive.pipeline_runs", "pipe.pipeline_runs_all")
    ]
    live, archived, both = (int(str(count)) for count in counts)
    return live, archived, both
