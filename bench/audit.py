"""What the audit costs: the application's writes with and without the triggers.

    make bench OF=audit [ARGS='--rounds 5 --statements 500']

On a server of its own from the member image, whose files are on the disk and which waits for it (fsync) as in
production. Single statements are transactions of their own, sent by one session of the application; the bulk insert is
one statement. Rounds alternate, medians are compared, and bench/results/ gets the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import LiteralString
from uuid import UUID, uuid4

from bench import results
from bench.scratch import ROOT
from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase, schema_database

BULK_ROWS = 100_000
AUDITED: tuple[LiteralString, ...] = ("storage_files", "api_keys", "pipeline_runs")


@dataclass(frozen=True)
class Work:
    """Something that the application writes; `aim`: what the audit may add, as a share."""

    key: str
    title: str
    statement: LiteralString
    aim: float
    rows: int = 1


# In this order: rows are inserted, then updated, then deleted.
WORKS = (
    Work(
        "insert",
        "INSERT of one file",
        "INSERT INTO pipe.storage_files (id, organization_id, path, size, mime_type)"
        " VALUES (%(id)s, %(organization)s, 'reports/2026/summary.csv', 123456, 'text/csv')",
        0.15,
    ),
    Work("update", "UPDATE of one file", "UPDATE pipe.storage_files SET size = size + 1 WHERE id = %(id)s", 0.15),
    Work("delete", "DELETE of one file", "DELETE FROM pipe.storage_files WHERE id = %(id)s", 0.15),
    Work(
        "insert_hidden",
        "INSERT of one key, its hash hidden",
        "INSERT INTO pipe.api_keys (id, organization_id, name, key_hash)"
        " VALUES (%(id)s, %(organization)s, 'deploy', 'sha256:' || encode(sha256('k'), 'hex'))",
        0.15,
    ),
    Work(
        "insert_run",
        "INSERT of one run, its organization looked up",
        "INSERT INTO pipe.pipeline_runs (id, pipeline_id, status) VALUES (%(id)s, %(pipeline)s, 'queued')",
        0.15,
    ),
    Work(
        "bulk",
        f"INSERT of {BULK_ROWS:,} files at once",
        "INSERT INTO pipe.storage_files (organization_id, path, size, mime_type)"
        " SELECT %(organization)s, 'reports/' || n || '.csv', n, 'text/csv' FROM generate_series(1, %(rows)s) AS n",
        0.60,
        rows=BULK_ROWS,
    ),
)

Figures = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes it down; a figure that misses its aim is no failure."""
    parser = argparse.ArgumentParser(prog="bench.audit", description="Measures what the audit costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--statements", type=int, default=500, help="single statements of each kind a round")
    args = parser.parse_args(argv)
    rounds: dict[bool, list[Figures]] = {False: [], True: []}
    with schema_database(durable=True) as database:
        organization, pipeline = _tenant(database)
        for number in range(1, args.rounds + 1):
            print(f"round {number} of {args.rounds}", flush=True)
            for audited in (False, True):
                _prepare(database, audited)
                rounds[audited].append(_round(database, organization, pipeline, args.statements))
    print("\n" + table(rounds))
    print(f"\nwritten to {_write(rounds).relative_to(ROOT)}")
    return 0


def table(rounds: dict[bool, list[Figures]]) -> str:
    """Rows a second without and with the audit, what it adds to the time of one, and whether that is within the aim."""
    lines = [f"{'':<46} {'without':>12} {'with':>12} {'adds':>7}  aim"]
    for work in WORKS:
        off, on = (median(one[work.key] for one in rounds[audited]) for audited in (False, True))
        adds = on / off - 1
        verdict = "met" if adds < work.aim else "NOT MET"
        lines.append(
            f"{work.title:<46} {1 / off:>10,.0f}/s {1 / on:>10,.0f}/s {adds:>+7.0%}  < {work.aim:.0%}  {verdict}"
        )
    return "\n".join(lines)


def _tenant(database: SchemaDatabase) -> tuple[UUID, UUID]:
    with database.session(matrix.APP, autocommit=True) as app:
        row = app.execute("INSERT INTO pipe.organizations (name) VALUES ('bench') RETURNING id").fetchone()
        assert row is not None
        pipeline = app.execute(
            "INSERT INTO pipe.pipelines (organization_id, name, config) VALUES (%s, 'bench', '{}') RETURNING id", row
        ).fetchone()
        assert pipeline is not None
        return row[0], pipeline[0]


def _prepare(database: SchemaDatabase, audited: bool) -> None:
    """Empty the tables, switch the triggers, and leave no checkpoint for the round to wait for."""
    with database.session(matrix.PROVISIONER, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        for name in (*AUDITED, "audit_logs"):
            owner.execute(f"TRUNCATE pipe.{name}".encode())
        for name in AUDITED:
            for event in ("insert", "update", "delete"):
                verb = "ENABLE" if audited else "DISABLE"
                owner.execute(f"ALTER TABLE pipe.{name} {verb} TRIGGER audit_{event}".encode())
        owner.execute("VACUUM (ANALYZE)")
        owner.execute("CHECKPOINT")


def _round(database: SchemaDatabase, organization: UUID, pipeline: UUID, statements: int) -> Figures:
    ids = [uuid4() for _ in range(statements)]
    with database.session(matrix.APP, autocommit=True) as app:
        return {
            work.key: _seconds_a_row(app, work, ids, {"organization": organization, "pipeline": pipeline})
            for work in WORKS
        }


def _seconds_a_row(app: Connection, work: Work, ids: Sequence[UUID], tenant: dict[str, UUID]) -> float:
    """Return the median, so that what else the disk does for a moment counts for nothing."""
    seconds = []
    for id_ in ids if work.rows == 1 else ids[:1]:
        started = time.perf_counter()
        app.execute(work.statement, {"id": id_, "rows": work.rows, **tenant})
        seconds.append(time.perf_counter() - started)
    return median(seconds) / work.rows


def _write(rounds: dict[bool, list[Figures]]) -> Path:
    medians = {
        work.key: {
            word: round(median(one[work.key] for one in rounds[audited]) * 1e6, 2)
            for word, audited in (("without_us", False), ("with_us", True))
        }
        for work in WORKS
    }
    return results.keep("audit", medians=medians, rounds={"without": rounds[False], "with": rounds[True]})


if __name__ == "__main__":
    sys.exit(main())
