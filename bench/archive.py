"""What clients of the live table notice of archiving: the longest waits, with months being archived and without.

    make bench OF=archive [ARGS='--months 6 --rows 200000 --seconds 60']

On a server of its own from the member image, with all triggers; pg_cron does the archiving, as always. The clients
insert and read; reports keep a transaction open, which a DETACH has to wait for.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import LiteralString, Self
from uuid import UUID

import psycopg

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase, schema_database

POLL_SECONDS = 0.2
WAIT_SECONDS = 600
FIRST_YEAR = 2010


@dataclass(frozen=True)
class Client:
    """One session that sends its statement again and again, each time in a transaction of its own."""

    title: str
    statement: LiteralString
    open_seconds: float = 0.0
    """How long its transaction stays open afterwards."""


INSERT = Client(
    "insert into the live table",
    "INSERT INTO pipe.pipeline_runs (pipeline_id, status) VALUES (%(pipeline)s, 'queued')",
)
READ_DAY = Client(
    "read of a day",
    "SELECT count(*) FROM pipe.pipeline_runs"
    " WHERE pipeline_id = %(pipeline)s AND started_at > now() - interval '1 day'",
)
READ_LATEST = Client(
    "read over all live months",
    "SELECT id FROM pipe.pipeline_runs WHERE pipeline_id = %(pipeline)s ORDER BY started_at DESC LIMIT 20",
)
REPORT = Client("report, open for half a second", READ_LATEST.statement, 0.5)
LIVE = (INSERT, INSERT, READ_DAY, READ_LATEST, REPORT)

# Not the live table, but near it: what shares a lock with a DETACH.
READ_HISTORY = Client(
    "read of live and archived rows",
    "SELECT count(*) FROM pipe.pipeline_runs_all WHERE started_at < '2011-01-01'",
)
WRITE_PIPELINE = Client(
    "update of a pipeline", "UPDATE pipe.pipelines SET description = now()::text WHERE id = %(other)s"
)
BESIDE = (READ_HISTORY, WRITE_PIPELINE)


@dataclass
class Load:
    """Clients that work while its block runs; what each statement took, and which were refused."""

    database: SchemaDatabase
    values: dict[str, object]
    clients: Sequence[Client]
    lock_timeout: str = "0"
    seconds: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, set[object]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for client in self.clients:
            self.seconds.setdefault(client.title, [])
            self.answers.setdefault(client.title, set())
            self._threads.append(threading.Thread(target=self._work, args=(client,), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)

    def _work(self, client: Client) -> None:
        try:
            with self.database.session(matrix.APP) as session:
                session.execute("SELECT set_config('lock_timeout', %s, false)", (self.lock_timeout,))
                session.commit()
                while not self._stop.is_set():
                    began = time.perf_counter()
                    cursor = session.execute(client.statement, self.values)
                    if cursor.description and client is READ_HISTORY:
                        self.answers[client.title].update(row[0] for row in cursor)
                    if client.open_seconds:
                        self.seconds[client.title].append(time.perf_counter() - began)
                        self._stop.wait(client.open_seconds)
                    session.commit()
                    if not client.open_seconds:
                        self.seconds[client.title].append(time.perf_counter() - began)
        except psycopg.Error as error:
            self.refused.append(f"{client.title}: {error}")


def prepare(database: SchemaDatabase, months: Sequence[date], rows: int) -> dict[str, object]:
    """Make old months with rows in them, that nothing archives yet; return what the clients' statements need."""
    with database.session(matrix.PROVISIONER) as owner:
        organization = _one(owner, "INSERT INTO pipe.organizations (name) VALUES ('Acme') RETURNING id")
        pipelines = [
            _one(
                owner,
                "INSERT INTO pipe.pipelines (organization_id, name, config) VALUES (%s, 'nightly', '{}') RETURNING id",
                organization,
            )
            for _ in range(2)
        ]
        owner.execute("SET LOCAL session_replication_role = replica")
        for month in months:
            owner.execute("SELECT pipe.ensure_partition('pipeline_runs', %s)", (month,))
            owner.execute(
                "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at)"
                " SELECT %s, 'completed', %s::timestamp AT TIME ZONE 'UTC' + n * interval '1 day' / 1000000"
                " FROM generate_series(1, %s) AS n",
                (pipelines[0], month, rows),
            )
        owner.commit()
    return {"pipeline": pipelines[0], "other": pipelines[1]}


@contextmanager
def hurried(migrator: Connection) -> Iterator[None]:
    """Have pg_cron look for something to archive every second, not every hour."""
    command = "SELECT pipe.archive_step()"
    migrator.execute("SELECT cron.schedule('pipe_archive', '1 seconds', %s)", (command,))
    try:
        yield
    finally:
        migrator.execute("SELECT cron.schedule('pipe_archive', '23 * * * *', %s)", (command,))


def archive(migrator: Connection, months: Sequence[date], say: Callable[[str], None]) -> None:
    """Wait until pg_cron has archived the months, one after the other. A job of every minute is due every second."""
    deadline = time.monotonic() + WAIT_SECONDS
    with hurried(migrator):
        for month in months:
            name = f"pipeline_runs_y{month:%Y}m{month:%m}"
            while not _one(migrator, "SELECT to_regclass(%s) IS NOT NULL", f"archive.{name}"):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"month {name} was not archived within {WAIT_SECONDS} s")
                migrator.execute(
                    "SELECT cron.schedule(jobname, '1 seconds', command) FROM cron.job"
                    " WHERE jobname ~ '^pipe_detach_' AND schedule = '* * * * *'"
                )
                time.sleep(POLL_SECONDS)
            say(f"archived {name}")


def _one(connection: Connection, query: LiteralString, *values: object) -> UUID | bool:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    value = row[0]
    assert isinstance(value, UUID | bool)
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="bench.archive", description="Measures who waits for archiving.")
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--rows", type=int, default=200_000, help="rows a month")
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure without archiving")
    args = parser.parse_args(argv)
    months = [date(FIRST_YEAR + n // 12, n % 12 + 1, 1) for n in range(args.months)]
    with schema_database() as database, database.session(matrix.MIGRATOR, autocommit=True) as migrator:
        values = prepare(database, (), 0)
        with Load(database, values, (*LIVE, *BESIDE)) as without:
            time.sleep(args.seconds)
        values = prepare(database, months, args.rows)
        with Load(database, values, (*LIVE, *BESIDE)) as with_archiving:
            archive(migrator, months, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"\nlongest of a client, in ms{'':<12} without            with {args.months} months archived")
    print(f"{'':<38} 99 %     longest    99 %     longest")
    for title in without.seconds:
        figures = [_figures(load.seconds[title]) for load in (without, with_archiving)]
        print(f"  {title:<34}" + "".join(f"{p99:>8.1f} {longest:>10.1f} " for p99, longest in figures))
    for refusal in (*without.refused, *with_archiving.refused):
        print(f"refused: {refusal}")
    return 0


def _figures(seconds: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(seconds)
    return ordered[len(ordered) * 99 // 100] * 1000, ordered[-1] * 1000


if __name__ == "__main__":
    sys.exit(main())
