"""Having pg_cron run a job now, and waiting for what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.fixtures.schema_database import Connection
from tests.schema.rows import one

# Well below the second after which pg_cron would begin a run once more.
POLL_SECONDS = 0.05
RUN_WAIT_SECONDS = 60
ENDED = ("succeeded", "failed")
BEGUN = ("starting", "running", "sending", "connecting", *ENDED)


@contextmanager
def in_a_second(migrator: Connection, job: str) -> Iterator[None]:
    """Have pg_cron run a job every second, and put its own schedule back afterwards."""
    schedule, command = migrator.execute(
        "SELECT schedule, command FROM cron.job WHERE jobname = %s", (job,)
    ).fetchall()[0]
    migrator.execute("SELECT cron.schedule(%s, '1 seconds', %s)", (job, command))
    try:
        yield
    finally:
        migrator.execute(
            "SELECT cron.schedule(%s, %s, %s) WHERE EXISTS (SELECT FROM cron.job WHERE jobname = %s)",
            (job, schedule, command, job),
        )


def run_after(migrator: Connection, command: str, last_run: object) -> tuple[str, str]:
    """Return status and message of the first ended run of a command after run number `last_run`."""
    return _first_run(migrator, command, last_run, ENDED)


def _first_run(migrator: Connection, command: str, last_run: object, states: Sequence[str]) -> tuple[str, str]:
    deadline = time.monotonic() + RUN_WAIT_SECONDS
    while True:
        row = migrator.execute(
            "SELECT status, return_message FROM cron.job_run_details WHERE command = %s AND runid > %s"
            " AND status = ANY (%s) ORDER BY runid LIMIT 1",
            (command, last_run, list(states)),
        ).fetchone()
        if row is not None:
            return row[0], row[1]
        assert time.monotonic() < deadline, f"pg_cron did not run within {RUN_WAIT_SECONDS} s: {command}"
        time.sleep(POLL_SECONDS)


def newest_run(migrator: Connection) -> object:
    """Return the number of the newest run."""
    return one(migrator, "SELECT coalesce(max(runid), 0) FROM cron.job_run_details")


def run_now(migrator: Connection, job: str) -> tuple[str, str]:
    """Have pg_cron run a job once; return status and message."""
    command = str(one(migrator, "SELECT command FROM cron.job WHERE jobname = %s", job))
    last_run = newest_run(migrator)
    with in_a_second(migrator, job):
        # As soon as it has begun its own schedule is put back: a job that drops something must not run twice.
        _first_run(migrator, command, last_run, BEGUN)
    return run_after(migrator, command, last_run)
